// Which queue a port's device would choose for a packet: the Toeplitz hash of its addresses (and
// ports), computed in software with the key the device was given, and looked up in the device's
// redirection table. A port whose packets a Distributor spreads follows the same choice.
//
// Filled while ports start, constant afterwards; any thread may ask. Kernel interfaces
// (AF_PACKET, AF_XDP) spread by hashes that are not ours: for them the answer is only stable, not
// exact.
#pragma once

#include <cstdint>
#include <vector>

#include "base/address.h"

namespace imds::port {

// What a queue is chosen by.
struct FlowTuple {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;  // IANA number; 0: addresses only, as of fragments
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

struct PortSteering {
  std::uint16_t queues = 1;
  bool exact = false;           // the device, or a Distributor, hashes with our key
  std::uint64_t rss_types = 0;  // RTE_ETH_RSS_ bits in force
  std::vector<std::uint16_t>
      redirection;  // queue by hash & (size - 1), a power of two; may be empty
};

class Steering {
 public:
  // By port index.
  [[nodiscard]] std::vector<PortSteering>& ports() { return ports_; }
  [[nodiscard]] const std::vector<PortSteering>& ports() const { return ports_; }

  // Whether queue_of() is what the device does.
  [[nodiscard]] bool is_exact(std::uint16_t port) const {
    return port < ports_.size() && ports_[port].exact;
  }
  // The same for both directions of a flow; 0 for an unknown port. < queues.
  [[nodiscard]] std::uint16_t queue_of(std::uint16_t port, const FlowTuple& tuple) const;
  // queue_of() in two steps: all that the choice depends on is one word (see symmetric_word()).
  [[nodiscard]] std::uint16_t word_of(std::uint16_t port, const FlowTuple& tuple) const;
  [[nodiscard]] std::uint16_t queue_of_word(std::uint16_t port, std::uint16_t word) const;

 private:
  std::vector<PortSteering> ports_;
};

// The exclusive or of all 16-bit words of the addresses, and of the ports if asked: the Toeplitz
// hash is linear in its input, and a key that repeats every 16 bits gives each word the same
// weight, so the hash of all words is that of this one.
[[nodiscard]] std::uint16_t symmetric_word(const FlowTuple& tuple, bool with_ports);

// The 32-bit Toeplitz hash of the addresses, and of the ports if asked, with the key of all ports.
[[nodiscard]] std::uint32_t symmetric_hash(const FlowTuple& tuple, bool with_ports);

}  // namespace imds::port
