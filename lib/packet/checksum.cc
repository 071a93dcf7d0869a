#include "packet/checksum.h"

namespace imds::packet {

namespace {

constexpr std::uint16_t kRight = 0xffff;
constexpr std::size_t kUdpChecksum = 6;  // its offset in the UDP header
constexpr std::size_t kLeastIpv4 = 20;
constexpr std::size_t kIpv6 = 40;
constexpr std::size_t kLeastTransport = 8;

// The pseudo header of RFC 9293, 3.1, and RFC 8200, 8.1.
std::uint64_t pseudo_header(const PacketView& view, std::size_t size) {
  const std::size_t address = view.source.is_v6() ? 16 : 4;
  std::uint64_t sum = checksum_add(0, ByteSpan(view.source.bytes).first(address));
  sum = checksum_add(sum, ByteSpan(view.destination.bytes).first(address));
  return sum + view.protocol + (size >> 16) + (size & 0xffff);
}

// The TCP or UDP header and payload; empty where the way to it is not a plain one. A routing header
// may hide the destination that was summed.
ByteSpan transport(const PacketView& view) {
  const ByteSpan network = view.network;
  if (!view.source.is_v6()) {
    const std::size_t header = std::size_t{network[0] & 0x0fu} * 4;
    return network[9] == view.protocol ? network.subspan(header) : ByteSpan{};
  }
  std::uint8_t next = network[6];
  std::size_t at = kIpv6;
  while (next != view.protocol) {
    const bool plain = next == static_cast<std::uint8_t>(IpProtocol::hop_by_hop) ||
                       next == static_cast<std::uint8_t>(IpProtocol::destination_options);
    if (!plain || at + 2 > network.size()) {
      return {};
    }
    next = network[at];
    at += (std::size_t{network[at + 1]} + 1) * 8;
  }
  return at <= network.size() ? network.subspan(at) : ByteSpan{};
}

}  // namespace

std::uint64_t checksum_add(std::uint64_t sum, ByteSpan bytes) {
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    sum += static_cast<std::uint64_t>(bytes[i]) << 8 | bytes[i + 1];
  }
  return i < bytes.size() ? sum + (static_cast<std::uint64_t>(bytes[i]) << 8) : sum;
}

std::uint16_t checksum_fold(std::uint64_t sum) {
  while (sum >> 16 != 0) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

DecodeReason wrong_checksum(const PacketView& view) {
  const ByteSpan network = view.network;
  if (!view.is_ip() || view.truncated || view.is_fragment ||
      network.size() < (view.source.is_v6() ? kIpv6 : kLeastIpv4)) {
    return DecodeReason::none;
  }
  if (!view.source.is_v6()) {
    const std::size_t header = std::size_t{network[0] & 0x0fu} * 4;
    if (header < kLeastIpv4 || header > network.size()) {
      return DecodeReason::none;
    }
    if (checksum_fold(checksum_add(0, network.first(header))) != kRight) {
      return DecodeReason::ipv4_checksum;
    }
  }
  const bool tcp = view.is(IpProtocol::tcp);
  if (!tcp && !view.is(IpProtocol::udp)) {
    return DecodeReason::none;
  }
  const ByteSpan segment = transport(view);
  if (segment.size() < kLeastTransport) {
    return DecodeReason::none;
  }
  if (!tcp) {
    const ByteSpan made = segment.subspan(kUdpChecksum, 2);
    if (made[0] == 0 && made[1] == 0) {
      return view.source.is_v6() ? DecodeReason::udp_checksum : DecodeReason::none;
    }
  }
  const std::uint64_t sum = checksum_add(pseudo_header(view, segment.size()), segment);
  return checksum_fold(sum) == kRight ? DecodeReason::none
         : tcp                        ? DecodeReason::tcp_checksum
                                      : DecodeReason::udp_checksum;
}

}  // namespace imds::packet
