#include "rss.h"

#include <string_view>

namespace imds::port {
namespace {

constexpr std::uint64_t kIpPair =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |
    RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_IPV6_EX;
constexpr std::uint64_t kPorts = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                                 RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |
                                 RTE_ETH_RSS_IPV6_TCP_EX | RTE_ETH_RSS_IPV6_UDP_EX;

struct TypeName {
  std::uint64_t type;
  std::string_view name;
};
constexpr TypeName kNames[] = {
    {RTE_ETH_RSS_IPV4, "ipv4"},
    {RTE_ETH_RSS_FRAG_IPV4, "ipv4-frag"},
    {RTE_ETH_RSS_NONFRAG_IPV4_TCP, "ipv4-tcp"},
    {RTE_ETH_RSS_NONFRAG_IPV4_UDP, "ipv4-udp"},
    {RTE_ETH_RSS_NONFRAG_IPV4_OTHER, "ipv4-other"},
    {RTE_ETH_RSS_IPV6, "ipv6"},
    {RTE_ETH_RSS_FRAG_IPV6, "ipv6-frag"},
    {RTE_ETH_RSS_NONFRAG_IPV6_TCP, "ipv6-tcp"},
    {RTE_ETH_RSS_NONFRAG_IPV6_UDP, "ipv6-udp"},
    {RTE_ETH_RSS_NONFRAG_IPV6_OTHER, "ipv6-other"},
    {RTE_ETH_RSS_IPV6_EX, "ipv6-ex"},
    {RTE_ETH_RSS_IPV6_TCP_EX, "ipv6-tcp-ex"},
    {RTE_ETH_RSS_IPV6_UDP_EX, "ipv6-udp-ex"},
};

}  // namespace

std::vector<std::uint8_t> symmetric_key(std::size_t bytes) {
  std::vector<std::uint8_t> key(bytes == 0 ? 40 : bytes);
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] =
        static_cast<std::uint8_t>(i % 2 == 0 ? kSymmetricKeyWord >> 8 : kSymmetricKeyWord & 0xff);
  }
  return key;
}

bool hashes_ports_always(const rte_eth_dev_info& device) {
  // The XL710 family does not fall back from a disabled TCP or UDP type to the IP type.
  return device.driver_name != nullptr && std::string_view(device.driver_name) == "net_i40e";
}

std::uint64_t rss_types(RssFields fields, const rte_eth_dev_info& device) {
  const bool ports = fields == RssFields::five_tuple || hashes_ports_always(device);
  const std::uint64_t types = (kIpPair | (ports ? kPorts : 0)) & device.flow_type_rss_offloads;
  return (types & kIpPair) != 0 ? types : 0;
}

std::uint64_t rss_types(RssFields fields) {
  return kIpPair | (fields == RssFields::five_tuple ? kPorts : 0);
}

std::string rss_type_names(std::uint64_t types) {
  std::string names;
  for (const TypeName& entry : kNames) {
    if ((types & entry.type) != 0) {
      names += (names.empty() ? "" : " ") + std::string(entry.name);
    }
  }
  return names;
}

}  // namespace imds::port
