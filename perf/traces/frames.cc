#include "frames.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "support/packet_builder.h"

namespace imds::traces {

namespace {

using support::kSyn;

constexpr std::size_t kEthernet = 14;
constexpr std::size_t kVlanTag = 4;
constexpr std::size_t kVxlanOverhead = 50;  // Ethernet, IPv4, UDP, VXLAN
constexpr std::size_t kUdp = 8;
constexpr std::size_t kTcp = 20;
constexpr std::uint16_t kMaximumPacket = 1500;

constexpr std::array<std::uint8_t, 6> kClientMac = {0x02, 0, 0, 0, 0, 1};
constexpr std::array<std::uint8_t, 6> kServerMac = {0x02, 0, 0, 0, 0, 2};

// Writes in network order.
class Writer {
 public:
  explicit Writer(std::uint8_t* at) : at_(at) {}

  Writer& u8(unsigned v) {
    *at_++ = static_cast<std::uint8_t>(v);
    return *this;
  }
  Writer& u16(unsigned v) { return u8(v >> 8).u8(v); }
  Writer& u32(std::uint32_t v) { return u16(v >> 16).u16(v & 0xffff); }
  Writer& bytes(const void* from, std::size_t size) {
    std::memcpy(at_, from, size);
    at_ += size;
    return *this;
  }
  [[nodiscard]] std::uint8_t* at() const { return at_; }

 private:
  std::uint8_t* at_;
};

void put16(std::uint8_t* at, unsigned v) {
  Writer(at).u16(v);
}

// Internet checksum (RFC 1071).
class Checksum {
 public:
  Checksum& word(std::uint64_t v) {
    sum_ += v;
    return *this;
  }
  Checksum& bytes(const std::uint8_t* from, std::size_t size) {
    for (std::size_t i = 0; i + 1 < size; i += 2) {
      sum_ += static_cast<unsigned>(from[i] << 8 | from[i + 1]);
    }
    if (size % 2 != 0) {
      sum_ += static_cast<unsigned>(from[size - 1] << 8);
    }
    return *this;
  }
  // A sum made as if its bytes began at an even place, of bytes that begin at an odd one.
  Checksum& swapped(std::uint64_t sum) {
    const std::uint64_t folded = fold(sum);
    sum_ += (folded & 0xff) << 8 | folded >> 8;
    return *this;
  }
  [[nodiscard]] unsigned get() const { return static_cast<unsigned>(~fold(sum_) & 0xffff); }

 private:
  static std::uint64_t fold(std::uint64_t sum) {
    while (sum > 0xffff) {
      sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
  }
  std::uint64_t sum_ = 0;
};

std::size_t ip_header(const Ends& ends) {
  return ends.client.is_v4() ? 20 : 40;
}

std::size_t link_header(const Ends& ends) {
  switch (ends.link) {
    case Link::plain:
      return kEthernet;
    case Link::vlan:
      return kEthernet + kVlanTag;
    case Link::qinq:
      return kEthernet + 2 * kVlanTag;
    case Link::vxlan:
      return kEthernet + kVxlanOverhead;
  }
  return kEthernet;
}

std::size_t tcp_options(const Ends& ends, const Packet& packet) {
  if ((packet.flags & kSyn) != 0) {
    return ends.has_timestamps ? 20 : ends.has_tcp_options ? 12 : 4;
  }
  return ends.has_timestamps ? 12 : 0;
}

std::size_t transport_header(const Ends& ends, const Packet& packet) {
  return ends.is_tcp ? kTcp + tcp_options(ends, packet) : kUdp;
}

// RFC 7348, as a virtual switch sends it: no UDP checksum, a source port that spreads flows.
void write_vxlan(Writer& out, const Ends& ends, const Packet& packet, std::size_t inner) {
  const bool up = packet.from_client;
  out.bytes(up ? kServerMac.data() : kClientMac.data(), 6);
  out.bytes(up ? kClientMac.data() : kServerMac.data(), 6).u16(0x0800);
  std::uint8_t* const ip = out.at();
  const std::uint32_t here = 0xac100001;  // 172.16.0.1
  const std::uint32_t there = 0xac100002 + (ends.vni & 0xff);
  out.u16(0x4500).u16(static_cast<unsigned>(20 + 16 + inner)).u16(packet.ip_id).u16(0x4000);
  out.u16(64 << 8 | 17).u16(0).u32(up ? here : there).u32(up ? there : here);
  put16(ip + 10, Checksum().bytes(ip, 20).get());
  out.u16(49152 + (ends.client_port ^ ends.server_port) % 16384).u16(4789);
  out.u16(static_cast<unsigned>(16 + inner)).u16(0);
  out.u32(0x08000000).u32(ends.vni << 8);
}

void write_link(Writer& out, const Ends& ends, const Packet& packet, std::size_t ip_bytes) {
  if (ends.link == Link::vxlan) {
    write_vxlan(out, ends, packet, kEthernet + ip_bytes);
  }
  const bool up = packet.from_client;
  out.bytes(up ? kServerMac.data() : kClientMac.data(), 6);
  out.bytes(up ? kClientMac.data() : kServerMac.data(), 6);
  if (ends.link == Link::vlan) {
    out.u16(0x8100).u16(ends.outer_vlan);
  } else if (ends.link == Link::qinq) {
    out.u16(0x88a8).u16(ends.outer_vlan).u16(0x8100).u16(ends.inner_vlan);
  }
  out.u16(ends.client.is_v4() ? 0x0800 : 0x86dd);
}

void write_ip(Writer& out, const Ends& ends, const Packet& packet, std::size_t payload) {
  const IpAddress& source = packet.from_client ? ends.client : ends.server;
  const IpAddress& destination = packet.from_client ? ends.server : ends.client;
  const unsigned ttl = packet.from_client ? ends.client_ttl : ends.server_ttl;
  const unsigned protocol = ends.is_tcp ? 6 : 17;
  std::uint8_t* const ip = out.at();
  if (ends.client.is_v4()) {
    out.u16(0x4500).u16(static_cast<unsigned>(20 + payload)).u16(packet.ip_id).u16(0x4000);
    out.u16(ttl << 8 | protocol).u16(0);
  } else {
    out.u32(0x60000000).u16(static_cast<unsigned>(payload)).u16(protocol << 8 | ttl);
  }
  out.bytes(source.bytes.data(), source.size());
  out.bytes(destination.bytes.data(), destination.size());
  if (ends.client.is_v4()) {
    put16(ip + 10, Checksum().bytes(ip, 20).get());
  }
}

void write_tcp_options(Writer& out, const Ends& ends, const Packet& packet) {
  const bool is_syn = (packet.flags & kSyn) != 0;
  if (is_syn) {
    const std::size_t overhead =
        ip_header(ends) + kTcp + (ends.link == Link::vxlan ? kVxlanOverhead : 0);
    out.u16(0x0204).u16(static_cast<unsigned>(kMaximumPacket - overhead));
    if (!ends.has_timestamps) {
      if (ends.has_tcp_options) {
        out.u32(0x01030308).u32(0x01010402);  // window scale 8; selective acknowledgements
      }
      return;
    }
    out.u16(0x0402);
  } else if (ends.has_timestamps) {
    out.u16(0x0101);
  } else {
    return;
  }
  const std::uint32_t mine = packet.from_client ? ends.client_clock : ends.server_clock;
  const std::uint32_t theirs = packet.from_client ? ends.server_clock : ends.client_clock;
  const bool is_first = is_syn && packet.acknowledgment == 0;
  out.u16(0x080a).u32(mine).u32(is_first ? 0 : theirs);
  if (is_syn) {
    out.u32(0x01030307);  // window scale 7
  }
}

void write_transport(Writer& out, const Ends& ends, const Packet& packet, std::size_t payload) {
  const unsigned source = packet.from_client ? ends.client_port : ends.server_port;
  const unsigned destination = packet.from_client ? ends.server_port : ends.client_port;
  out.u16(source).u16(destination);
  if (!ends.is_tcp) {
    out.u16(static_cast<unsigned>(kUdp + payload)).u16(0);
    return;
  }
  const auto words = static_cast<unsigned>((kTcp + tcp_options(ends, packet)) / 4);
  out.u32(packet.sequence).u32(packet.acknowledgment).u16(words << 12 | packet.flags);
  out.u16(packet.window).u16(0).u16(0);
  write_tcp_options(out, ends, packet);
}

// Of TCP or UDP, whose header and payload are at `transport`.
unsigned transport_checksum(const Ends& ends, const Packet& packet, const std::uint8_t* transport,
                            std::size_t header, const Noise& noise) {
  Checksum sum;
  sum.bytes(ends.client.bytes.data(), ends.client.size());
  sum.bytes(ends.server.bytes.data(), ends.server.size());
  sum.word((ends.is_tcp ? 6u : 17u) + header + packet.text_size + packet.noise_size);
  sum.bytes(transport, header + packet.text_size);
  const std::uint64_t rest = noise.sum(packet.noise_at, packet.noise_size);
  packet.text_size % 2 == 0 ? sum.word(rest) : sum.swapped(rest);
  const unsigned checksum = sum.get();
  return checksum == 0 && !ends.is_tcp ? 0xffff : checksum;
}

}  // namespace

std::size_t segment_room(const Ends& ends) {
  const std::size_t tunnel = ends.link == Link::vxlan ? kVxlanOverhead : 0;
  return kMaximumPacket - tunnel - ip_header(ends) - transport_header(ends, Packet{});
}

std::size_t frame_size(const Ends& ends, const Packet& packet) {
  return std::max(kLeastFrame, link_header(ends) + ip_header(ends) +
                                   transport_header(ends, packet) + packet.text_size +
                                   packet.noise_size);
}

void write_frame(const Ends& ends, const Packet& packet, std::string_view text, const Noise& noise,
                 support::Bytes& out) {
  const std::size_t payload = std::size_t{packet.text_size} + packet.noise_size;
  const std::size_t header = transport_header(ends, packet);
  const std::size_t used = link_header(ends) + ip_header(ends) + header + payload;
  out.resize(std::max(kLeastFrame, used));
  Writer writer(out.data());
  write_link(writer, ends, packet, ip_header(ends) + header + payload);
  write_ip(writer, ends, packet, header + payload);
  std::uint8_t* const transport = writer.at();
  write_transport(writer, ends, packet, payload);
  writer.bytes(text.data() + packet.text_at, packet.text_size);
  const auto rest = noise.bytes(packet.noise_at, packet.noise_size);
  writer.bytes(rest.data(), rest.size());
  std::memset(writer.at(), 0, out.size() - used);
  put16(transport + (ends.is_tcp ? 16 : 6),
        transport_checksum(ends, packet, transport, header, noise));
}

}  // namespace imds::traces
