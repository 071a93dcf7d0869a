// Live ports through DPDK's ethdev: PCI NICs and virtual devices (net_af_packet, net_af_xdp,
// net_memif, net_null, ...), attached after EAL start, so that a bad device is an Error that says
// what to do and never ends EAL itself.
//
// Worker w owns queue w of every port, or, where a port's packets are spread by software, the ring
// a receive core fills for it (Distributor). Both directions of a flow meet in one worker because
// all ports use the same symmetric RSS key and the same number of queues: the smallest number any
// port can fill (EthdevSet::queues(); the report says which port set it). A port with a receive
// core can fill any number, and chooses as the first port does whose device hashes with that key.
//
// Threads: open, start, stop, link and stats belong to one control thread; each Source belongs to
// its worker. Stop only after every worker has released its packets and stopped polling.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/distributor.h"
#include "port/source.h"
#include "port/steering.h"

struct rte_mempool;

namespace imds::port {

enum class PortMode : std::uint8_t {
  tap,          // receives only; has no transmit path at all
  inline_pair,  // what it receives leaves on its peer
};

enum class RssFields : std::uint8_t {
  ip_pair,     // source and destination address: fragments and successive connections together
  five_tuple,  // addresses, protocol and ports: finer spread
};

// Whether a receive core spreads the port's packets over the workers. Taps only.
enum class Distribute : std::uint8_t {
  off,        // the port fills the queues it has
  automatic,  // when it has fewer than the other ports can fill
  on,         // whenever there are several workers
};

struct PortOptions {
  std::string name;  // label in reports, metrics and alerts
  // A PCI address ("0000:3b:00.0", optionally followed by ",devargs"), a virtual device
  // ("net_af_packet0,iface=eth0"), or the name of a device EAL already has.
  std::string device;
  PortMode mode = PortMode::tap;
  std::string peer;                  // inline_pair: name of the other port, which names this one
  std::uint16_t rx_descriptors = 0;  // per queue; 0: derived
  std::uint16_t tx_descriptors = 0;  // per queue; 0: derived
  bool promiscuous = true;
  std::uint16_t mtu = 0;  // 0: leave the device's
  Distribute distribute = Distribute::off;
};

struct EthdevOptions {
  std::vector<PortOptions> ports;
  RssFields rss = RssFields::ip_pair;
  std::uint16_t workers = 1;        // queues wanted on every port
  std::uint16_t burst = 64;         // packets a worker holds per burst
  std::uint32_t extra_packets = 0;  // a worker may keep beyond its burst, per worker
};

// How packets reach a queue.
enum class RssState : std::uint8_t {
  single_queue,      // one queue: nothing to spread
  symmetric,         // the device hashes with our symmetric key
  kernel_symmetric,  // the kernel spreads both directions alike (AF_PACKET fanout)
  kernel_unknown,    // the kernel driver's own hash decides (AF_XDP): see the note
  none,              // no hash: the set was reduced to one queue
  software,          // a receive core hashes as symmetric devices do
};
[[nodiscard]] const char* to_text(RssState state);

struct LinkInfo {
  bool up = false;
  std::uint32_t speed_mbps = 0;  // 0: unknown
  bool full_duplex = false;
};

// What a port became, for printing at start and for metrics. Complete after start().
struct PortReport {
  std::string name;
  std::string device;
  std::string driver;
  PortMode mode = PortMode::tap;
  std::string peer;
  std::string mac;
  int socket = 0;  // NUMA node of the packet memory
  std::uint16_t queues_wanted = 1;
  std::uint16_t queues_supported = 1;  // what this port alone could have
  std::uint16_t queues = 1;            // what it got: EthdevSet::queues(), unless distributed
  bool distributed = false;            // a receive core spreads its packets over the workers
  RssState rss = RssState::single_queue;
  std::string rss_fields;  // "ipv4 ipv6 ipv4-frag ..." as accepted by the device; empty without
  std::uint16_t rx_descriptors = 0;
  std::uint16_t tx_descriptors = 0;  // 0: no transmit queue exists
  std::uint16_t tx_queues = 0;       // on a tap: required by the driver, never used
  std::uint16_t mtu = 0;
  std::uint32_t longest_frame = 0;  // bytes a frame may have and still arrive whole
  bool promiscuous = false;
  bool scatter = false;
  bool vlan_strip = false;  // true: the device cannot leave tags in place
  std::uint32_t mbufs = 0;  // in the pool shared by the ports of this socket
  std::uint32_t mbuf_data_bytes = 0;
  std::uint64_t mempool_bytes = 0;
  LinkInfo link;                   // when started
  std::vector<std::string> notes;  // what the operator must know; one sentence each
};

// From the device, since start. Counters never go back.
struct PortStats {
  std::uint64_t received_packets = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t missed_packets = 0;  // queue full: the worker was too slow
  std::uint64_t receive_errors = 0;
  std::uint64_t no_mbuf = 0;  // packet memory exhausted
  std::uint64_t transmitted_packets = 0;
  std::uint64_t transmit_errors = 0;
};

// What EAL must be started with for these ports.
struct EalNeeds {
  bool pci = false;                // false: --no-pci and --iova-mode=va are right
  bool hugepages = false;          // true: a driver cannot work with --no-huge
  std::uint64_t memory_bytes = 0;  // packet memory; add it to -m
};

class EthdevSet {
 public:
  // Attaches, checks and configures every port, and makes packet memory. EAL must be running and
  // register_packet_meta() done. Fails with config errors (duplicate names, unpaired inline ports)
  // or environment errors (device, interface, permission, driver, memory).
  [[nodiscard]] static Result<std::unique_ptr<EthdevSet>> open(const EthdevOptions& options);

  // Before EAL start; an upper bound of the pools open() makes, for devices whose MTU is given in
  // the options or at most 1500.
  [[nodiscard]] static EalNeeds eal_needs(const EthdevOptions& options);

  ~EthdevSet();  // stops and closes
  EthdevSet(const EthdevSet&) = delete;
  EthdevSet& operator=(const EthdevSet&) = delete;

  [[nodiscard]] Status start();
  // Idempotent. Sources stay valid objects but receive nothing afterwards.
  void stop();

  [[nodiscard]] std::uint16_t port_count() const;
  // Effective queues of every port: workers 0..queues()-1 have packets, any others have none.
  [[nodiscard]] std::uint16_t queues() const;
  // What worker `queue` polls of port `port`: its queue, or its ring. Owned by the set, valid until
  // it is destroyed.
  [[nodiscard]] Source& source(std::uint16_t port, std::uint16_t queue);
  // The port's receive core, for a thread of its own to run between start() and stop(); nullptr:
  // it has none.
  [[nodiscard]] Distributor* distributor(std::uint16_t port);

  // Which queue each port's device chooses for a packet; complete after start().
  [[nodiscard]] const Steering& steering() const;

  [[nodiscard]] const PortReport& report(std::uint16_t port) const;
  // Never waits for the link.
  [[nodiscard]] LinkInfo link(std::uint16_t port) const;
  [[nodiscard]] PortStats stats(std::uint16_t port) const;

 private:
  struct Impl;
  explicit EthdevSet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace imds::port
