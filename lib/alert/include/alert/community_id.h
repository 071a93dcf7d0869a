// Community ID flow hash, version 1, seed 0 (github.com/corelight/community-id-spec): the same
// text for both directions of a flow, in every tool that implements it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/address.h"

namespace imds::alert {

// "1:" and 28 base64 characters.
inline constexpr std::size_t kCommunityIdText = 30;

// Written into `room`, which must outlive the result. Empty for ICMP and ICMPv6 (their hash needs
// type and code, which an alert does not carry), for protocol 0, and when an address is missing.
// Ports count for TCP, UDP and SCTP only.
[[nodiscard]] std::string_view community_id(const IpAddress& source, const IpAddress& destination,
                                            std::uint8_t ip_protocol, std::uint16_t source_port,
                                            std::uint16_t destination_port,
                                            std::array<char, kCommunityIdText>& room);

}  // namespace imds::alert
