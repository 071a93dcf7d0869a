// Receive-side scaling with one key that gives both directions of a flow the same hash. Private
// to the room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rte_ethdev.h>

#include "port/ethdev.h"

namespace imds::port {

// What the key repeats.
inline constexpr std::uint16_t kSymmetricKeyWord = 0x6d5a;

// A Toeplitz key that repeats every 16 bits makes the hash symmetric in addresses and ports.
// `bytes` 0 stands for the common 40.
[[nodiscard]] std::vector<std::uint8_t> symmetric_key(std::size_t bytes);

// RTE_ETH_RSS_ types to ask of a device: those wanted and supported. 0: it cannot spread IP.
[[nodiscard]] std::uint64_t rss_types(RssFields fields, const rte_eth_dev_info& device);

// The types wanted: what software hashes by.
[[nodiscard]] std::uint64_t rss_types(RssFields fields);

// True for devices that hash TCP and UDP only by types of their own, which include the ports.
[[nodiscard]] bool hashes_ports_always(const rte_eth_dev_info& device);

// "ipv4 ipv4-frag ipv6-tcp ..."
[[nodiscard]] std::string rss_type_names(std::uint64_t types);

}  // namespace imds::port
