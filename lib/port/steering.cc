#include "port/steering.h"

#include <bit>

#include <rte_ethdev.h>

#include "base/cursor.h"
#include "rss.h"

namespace imds::port {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

bool hashes_ports(std::uint64_t types, const FlowTuple& tuple) {
  const bool is_v6 = tuple.source.is_v6();
  switch (tuple.protocol) {
    case kTcp:
      return (types & (is_v6 ? RTE_ETH_RSS_NONFRAG_IPV6_TCP : RTE_ETH_RSS_NONFRAG_IPV4_TCP)) != 0;
    case kUdp:
      return (types & (is_v6 ? RTE_ETH_RSS_NONFRAG_IPV6_UDP : RTE_ETH_RSS_NONFRAG_IPV4_UDP)) != 0;
    default:
      return false;
  }
}

std::uint32_t hash_of_word(std::uint16_t word) {
  // The key's 32 bits from each bit of a word on.
  const std::uint32_t key = (std::uint32_t{kSymmetricKeyWord} << 16) | kSymmetricKeyWord;
  std::uint32_t hash = 0;
  for (int bit = 0; bit < 16; ++bit) {
    if ((word & (0x8000u >> bit)) != 0) {
      hash ^= std::rotl(key, bit);
    }
  }
  return hash;
}

}  // namespace

std::uint16_t symmetric_word(const FlowTuple& tuple, bool with_ports) {
  unsigned words = 0;
  for (std::size_t i = 0; i < tuple.source.size(); i += 2) {
    words ^= load_be16(&tuple.source.bytes[i]);
    words ^= load_be16(&tuple.destination.bytes[i]);
  }
  if (with_ports) {
    words ^= tuple.source_port;
    words ^= tuple.destination_port;
  }
  return static_cast<std::uint16_t>(words);
}

std::uint32_t symmetric_hash(const FlowTuple& tuple, bool with_ports) {
  return hash_of_word(symmetric_word(tuple, with_ports));
}

std::uint16_t Steering::word_of(std::uint16_t port, const FlowTuple& tuple) const {
  const bool with_ports =
      port < ports_.size() && ports_[port].exact && hashes_ports(ports_[port].rss_types, tuple);
  return symmetric_word(tuple, with_ports);
}

std::uint16_t Steering::queue_of(std::uint16_t port, const FlowTuple& tuple) const {
  return queue_of_word(port, word_of(port, tuple));
}

std::uint16_t Steering::queue_of_word(std::uint16_t port, std::uint16_t word) const {
  if (port >= ports_.size() || ports_[port].queues <= 1) {
    return 0;
  }
  const PortSteering& p = ports_[port];
  const std::uint32_t hash = hash_of_word(word);
  if (p.redirection.empty()) {
    return static_cast<std::uint16_t>(hash % p.queues);
  }
  const std::uint16_t queue = p.redirection[hash & (p.redirection.size() - 1)];
  return queue < p.queues ? queue : std::uint16_t{0};
}

}  // namespace imds::port
