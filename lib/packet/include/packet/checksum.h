// The Internet checksum (RFC 1071) of a decoded packet's innermost IP packet, for captures in which
// it is true: a host that captures its own packets sees them before its NIC fills it in.
//
// Pure functions of the view's bytes; any thread.
#pragma once

#include "base/cursor.h"
#include "packet/view.h"

namespace imds::packet {

// The first checksum that is wrong: ipv4_checksum, tcp_checksum or udp_checksum; none if all are
// right, or cannot be told: cut packets, fragments, a UDP checksum of 0 over IPv4 (RFC 768: not
// made), other protocols. Needs view.reason none.
[[nodiscard]] DecodeReason wrong_checksum(const PacketView& view);

// Sum of `bytes` as 16-bit big-endian words, an odd last byte padded with zero, added to `sum`; not
// folded.
[[nodiscard]] std::uint64_t checksum_add(std::uint64_t sum, ByteSpan bytes);
// The sum folded to 16 bits: 0xffff over data with its right checksum.
[[nodiscard]] std::uint16_t checksum_fold(std::uint64_t sum);

}  // namespace imds::packet
