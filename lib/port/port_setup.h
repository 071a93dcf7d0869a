// Bringing one attached port into its working configuration. Private to the room.
#pragma once

#include <cstdint>
#include <vector>

#include <rte_ethdev.h>

#include "base/result.h"
#include "device.h"
#include "packet_drops.h"
#include "packet_pool.h"
#include "port/ethdev.h"
#include "port/steering.h"

namespace imds::port {

inline constexpr std::uint16_t kNoDevice = UINT16_MAX;

// A port on its way from options to packets; `report` is filled as things become known.
struct Port {
  PortOptions options;
  DeviceRef device;
  std::uint16_t peer = kNoDevice;  // index in the set
  std::uint16_t id = kNoDevice;    // DPDK's, once attached
  rte_eth_dev_info info = {};
  std::uint64_t rss_types = 0;
  PacketDrops drops;  // AF_PACKET only
  bool started = false;
  PortReport report;

  [[nodiscard]] bool is_inline() const { return options.mode == PortMode::inline_pair; }
  // A packet this long was cut by the driver; 0 if the driver does not cut.
  [[nodiscard]] std::uint32_t truncated_at() const {
    return device.kind == DriverKind::af_packet ? report.longest_frame : 0;
  }
};

// Packet memory the ports of one NUMA node need together.
class PoolDemand {
 public:
  void add_workers(const EthdevOptions& options);
  // A receive core and its full rings.
  void add_distribution(std::uint16_t workers);
  // `longest_frame` as in PortReport: frames longer than `data_bytes` come in several mbufs.
  void add_port(DriverKind kind, std::uint16_t queues, std::uint16_t rx_descriptors,
                std::uint16_t tx_descriptors, std::uint32_t data_bytes,
                std::uint32_t longest_frame);
  [[nodiscard]] std::uint32_t mbufs() const {
    return pool_size_for(mbufs_ + packets_ * segments_for(longest_frame_, data_bytes_));
  }
  [[nodiscard]] std::uint32_t data_bytes() const { return data_bytes_; }

 private:
  std::uint64_t mbufs_ = 0;
  std::uint64_t packets_ = 0;  // of any length, on top
  std::uint32_t data_bytes_ = kDefaultDataBytes;
  std::uint32_t longest_frame_ = 0;
};

inline constexpr std::uint16_t kDefaultRxDescriptors = 2048;
inline constexpr std::uint16_t kDefaultTxDescriptors = 1024;

// Bytes of the longest frame at this MTU, checksum included.
[[nodiscard]] std::uint32_t frame_length(std::uint16_t mtu);

// Data room an AF_PACKET ring frame asks of an mbuf.
[[nodiscard]] std::uint32_t data_bytes_for(const DeviceRef& device);

// After attach: reads the device's abilities and decides what RSS it could do.
[[nodiscard]] Status inspect_device(Port& port, const EthdevOptions& options);

// With the number of queues decided (report.queues): configuration without queues, descriptor
// counts, what the pool must hold.
[[nodiscard]] Status configure_device(Port& port, PoolDemand& demand);

[[nodiscard]] Status set_up_queues(Port& port, rte_mempool* pool);

// Start, then what can be set or verified only on a running device.
[[nodiscard]] Status start_device(Port& port);

// Of a running device.
[[nodiscard]] PortSteering steering_of(const Port& port);

[[nodiscard]] LinkInfo link_of(const Port& port);

}  // namespace imds::port
