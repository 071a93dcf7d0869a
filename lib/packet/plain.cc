#include "packet/plain.h"

#include "clear.h"

namespace imds::packet {

namespace {

void set_ipv4(const PlainPacket& packet, const std::uint8_t* header, PacketView& out) {
  out.ether_type = static_cast<std::uint16_t>(EtherType::ipv4);
  out.ttl = header[8];
  out.source.set_v4_wire(packet.source);
  out.destination.set_v4_wire(packet.destination);
}

void set_ipv6(const PlainPacket& packet, const std::uint8_t* header, PacketView& out) {
  out.ether_type = static_cast<std::uint16_t>(EtherType::ipv6);
  out.ttl = header[7];
  out.source = IpAddress::v6_wire(packet.source);
  out.destination = IpAddress::v6_wire(packet.destination);
}

}  // namespace

void widen(const PlainPacket& packet, ByteSpan frame, Timestamp time, PacketView& out) {
  constexpr std::size_t kMac = 6;
  const std::uint8_t* const header = packet.source - (packet.is_v6 ? 8 : 12);
  const std::uint8_t* const transport = header + (packet.is_v6 ? plain::kIpv6 : plain::kIpv4);
  clear(out);
  out.time = time;
  out.destination_mac = MacAddress::wire(frame.data());
  out.source_mac = MacAddress::wire(frame.data() + kMac);
  out.vlan = packet.vlan();
  if (packet.is_v6) {
    set_ipv6(packet, header, out);
  } else {
    set_ipv4(packet, header, out);
  }
  out.protocol = static_cast<std::uint8_t>(packet.protocol);
  out.source_port = packet.source_port();
  out.destination_port = packet.destination_port();
  if (packet.protocol == IpProtocol::tcp) {
    out.tcp = {packet.sequence, packet.acknowledgment, load_be16(transport + 14), packet.tcp_flags};
  }
  out.payload = packet.payload_bytes();
  out.payload_length = packet.payload_size;
  // To the end of the IP packet: a UDP length may leave something behind the payload.
  const std::size_t length =
      packet.is_v6 ? plain::kIpv6 + load_be16(header + 4) : std::size_t{load_be16(header + 2)};
  out.network = {header, length};
}

}  // namespace imds::packet
