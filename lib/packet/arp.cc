#include "packet/decode.h"

namespace imds::packet {

DecodeReason parse_arp(ByteSpan message, ArpView& out) {
  constexpr std::uint16_t kHardwareEthernet = 1;
  constexpr std::size_t kFixedSize = 8;
  constexpr std::size_t kSize = 28;
  if (message.size() < kFixedSize) {
    return DecodeReason::arp_truncated;
  }
  const std::uint8_t* p = message.data();
  if (load_be16(p) != kHardwareEthernet ||
      load_be16(p + 2) != static_cast<std::uint16_t>(EtherType::ipv4) || p[4] != 6 || p[5] != 4) {
    return DecodeReason::arp_malformed;
  }
  if (message.size() < kSize) {
    return DecodeReason::arp_truncated;
  }
  out.operation = load_be16(p + 6);
  out.sender_mac = MacAddress::wire(p + 8);
  out.sender_ip = IpAddress::v4_wire(p + 14);
  out.target_mac = MacAddress::wire(p + 18);
  out.target_ip = IpAddress::v4_wire(p + 24);
  return DecodeReason::none;
}

}  // namespace imds::packet
