// Builds packets layer by layer for tests and capture-making tools, with right lengths, next-layer
// numbers and checksums, and knobs to make any of them wrong:
//
//   PacketBuilder().ethernet().vlan(100).ipv4("10.0.0.1", "169.254.169.254")
//       .tcp(40000, 80).seq(1).flags(kAck | kPsh).payload("GET / HTTP/1.1\r\n\r\n").build()
//
// Layers are given outermost first and may repeat (IP in IP, Ethernet in UDP). A knob applies to
// the latest layer it fits; a knob without such a layer throws std::logic_error. Addresses and
// MACs are text. Reusable: build() does not change the builder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "support/packet_builder_tunnels.h"
#include "support/wire_bytes.h"

namespace imds::support {

inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;

inline constexpr std::string_view kClientMac = "02:00:00:00:00:01";
inline constexpr std::string_view kServerMac = "02:00:00:00:00:02";

class PacketBuilder {
 public:
  // --- Link layers ---
  PacketBuilder& ethernet(std::string_view source = kClientMac,
                          std::string_view destination = kServerMac) {
    Layer& l = add(Kind::ethernet);
    wire::append_mac(l.header, destination);
    wire::append_mac(l.header, source);
    wire::append16(l.header, 0);
    return *this;
  }
  // 802.2 LLC and SNAP after ethernet(); the EtherType field becomes the frame's length.
  PacketBuilder& snap() {
    add(Kind::snap).header = {0xaa, 0xaa, 0x03, 0, 0, 0, 0, 0};
    return *this;
  }
  PacketBuilder& vlan(unsigned id, unsigned tpid = 0x8100, unsigned priority = 0) {
    Layer& l = add(Kind::vlan);
    l.tpid = static_cast<std::uint16_t>(tpid);
    wire::append16(l.header, (priority << 13) | (id & 0xfff));
    wire::append16(l.header, 0);
    return *this;
  }
  // LINKTYPE_LINUX_SLL.
  PacketBuilder& cooked(std::string_view source = kClientMac) {
    Layer& l = add(Kind::cooked);
    for (unsigned v : {0u, 1u, 6u}) {
      wire::append16(l.header, v);
    }
    wire::append_mac(l.header, source);
    wire::append16(l.header, 0);  // address padding
    wire::append16(l.header, 0);  // protocol
    return *this;
  }
  // LINKTYPE_LINUX_SLL2.
  PacketBuilder& cooked_v2(std::string_view source = kClientMac) {
    Layer& l = add(Kind::cooked_v2);
    wire::append16(l.header, 0);  // protocol
    wire::append16(l.header, 0);
    wire::append32(l.header, 2);  // interface index
    wire::append16(l.header, 1);  // ARPHRD_ETHER
    l.header.push_back(0);
    l.header.push_back(6);
    wire::append_mac(l.header, source);
    wire::append16(l.header, 0);
    return *this;
  }
  // Overrides the next-layer number of the latest layer (EtherType, IP protocol, next header).
  PacketBuilder& next(unsigned number) {
    last().next = number;
    return *this;
  }

  // --- ARP (IPv4 over Ethernet) ---
  PacketBuilder& arp(unsigned operation, std::string_view sender_mac, std::string_view sender_ip,
                     std::string_view target_mac, std::string_view target_ip) {
    Layer& l = add(Kind::arp);
    wire::append16(l.header, 1);
    wire::append16(l.header, 0x0800);
    l.header.push_back(6);
    l.header.push_back(4);
    wire::append16(l.header, operation);
    wire::append_mac(l.header, sender_mac);
    wire::append_ip(l.header, wire::address(sender_ip, AddressFamily::ipv4));
    wire::append_mac(l.header, target_mac);
    wire::append_ip(l.header, wire::address(target_ip, AddressFamily::ipv4));
    return *this;
  }

  // --- IP ---
  PacketBuilder& ipv4(std::string_view source, std::string_view destination) {
    Layer& l = add(Kind::ipv4);
    l.source = wire::address(source, AddressFamily::ipv4);
    l.destination = wire::address(destination, AddressFamily::ipv4);
    return *this;
  }
  PacketBuilder& ipv6(std::string_view source, std::string_view destination) {
    Layer& l = add(Kind::ipv6);
    l.source = wire::address(source, AddressFamily::ipv6);
    l.destination = wire::address(destination, AddressFamily::ipv6);
    return *this;
  }
  // IPv4 or IPv6, as the addresses are.
  PacketBuilder& ip(std::string_view source, std::string_view destination) {
    return source.find(':') == std::string_view::npos ? ipv4(source, destination)
                                                      : ipv6(source, destination);
  }
  PacketBuilder& ttl(unsigned v) {
    ip_layer().ttl = static_cast<std::uint8_t>(v);
    return *this;
  }
  PacketBuilder& ip_id(unsigned v) {
    ip_layer().id = v;
    return *this;
  }
  PacketBuilder& ip_version(unsigned v) {
    ip_layer().version = v;
    return *this;
  }
  // Padded to a multiple of 4 with end-of-options.
  PacketBuilder& ipv4_options(Bytes options) {
    options.resize((options.size() + 3) / 4 * 4);
    latest({Kind::ipv4}).options = std::move(options);
    return *this;
  }
  PacketBuilder& ipv4_header_words(unsigned words) {
    latest({Kind::ipv4}).header_words = words;
    return *this;
  }
  PacketBuilder& ipv4_total_length(unsigned v) {
    latest({Kind::ipv4}).length = v;
    return *this;
  }
  // Offset in bytes, a multiple of 8.
  PacketBuilder& ipv4_fragment(unsigned offset, bool more) {
    latest({Kind::ipv4}).fragment = (offset / 8) | (more ? 0x2000u : 0u);
    return *this;
  }
  PacketBuilder& ipv6_payload_length(unsigned v) {
    latest({Kind::ipv6}).length = v;
    return *this;
  }
  // An extension header of the common form (RFC 6564): next header, length, `body`, padded to a
  // multiple of 8. AH (51) counts its length in words of 4. `claimed_length` overrides that byte.
  PacketBuilder& ipv6_extension(unsigned type, Bytes body = {},
                                std::optional<unsigned> claimed_length = {}) {
    Layer& l = add(Kind::extension);
    l.protocol = static_cast<std::uint8_t>(type);
    l.header = {0, 0};
    l.header.insert(l.header.end(), body.begin(), body.end());
    l.header.resize((l.header.size() + 7) / 8 * 8);
    const std::size_t units = type == 51 ? l.header.size() / 4 - 2 : l.header.size() / 8 - 1;
    l.header[1] = static_cast<std::uint8_t>(claimed_length.value_or(units));
    return *this;
  }
  PacketBuilder& ipv6_fragment(unsigned offset, bool more, std::uint32_t id = 1) {
    Layer& l = add(Kind::extension);
    l.protocol = 44;
    l.header = {0, 0};
    wire::append16(l.header, (offset & 0xfff8u) | (more ? 1u : 0u));
    wire::append32(l.header, id);
    return *this;
  }

  // --- Transport ---
  PacketBuilder& tcp(unsigned source_port, unsigned destination_port) {
    Layer& l = add(Kind::tcp);
    l.source_port = source_port;
    l.destination_port = destination_port;
    return *this;
  }
  PacketBuilder& seq(std::uint32_t v) {
    latest({Kind::tcp}).sequence = v;
    return *this;
  }
  PacketBuilder& ack(std::uint32_t v) {
    latest({Kind::tcp}).acknowledgment = v;
    return *this;
  }
  PacketBuilder& flags(unsigned v) {
    latest({Kind::tcp}).flags = static_cast<std::uint8_t>(v);
    return *this;
  }
  PacketBuilder& window(unsigned v) {
    latest({Kind::tcp}).window = v;
    return *this;
  }
  // Padded to a multiple of 4 with end-of-options.
  PacketBuilder& tcp_options(Bytes options) {
    options.resize((options.size() + 3) / 4 * 4);
    latest({Kind::tcp}).options = std::move(options);
    return *this;
  }
  PacketBuilder& tcp_data_offset(unsigned words) {
    latest({Kind::tcp}).header_words = words;
    return *this;
  }
  PacketBuilder& udp(unsigned source_port, unsigned destination_port) {
    Layer& l = add(Kind::udp);
    l.source_port = source_port;
    l.destination_port = destination_port;
    return *this;
  }
  PacketBuilder& udp_length(unsigned v) {
    latest({Kind::udp}).length = v;
    return *this;
  }
  // `rest` is the second word of the header: identifier and sequence, unused, MTU, flags…
  PacketBuilder& icmp(unsigned type, unsigned code, std::uint32_t rest = 0) {
    return icmp_layer(Kind::icmp, type, code, rest);
  }
  PacketBuilder& icmpv6(unsigned type, unsigned code, std::uint32_t rest = 0) {
    return icmp_layer(Kind::icmpv6, type, code, rest);
  }
  // Inverts the checksum of the latest IPv4, TCP, UDP or ICMP layer.
  PacketBuilder& bad_checksum() {
    latest({Kind::ipv4, Kind::tcp, Kind::udp, Kind::icmp, Kind::icmpv6}).bad_checksum = true;
    return *this;
  }

  // --- Tunnels ---
  PacketBuilder& tunnel(Encapsulation encapsulation) {
    add(Kind::tunnel).tunnel = std::move(encapsulation);
    return *this;
  }

  // --- Bytes ---
  PacketBuilder& payload(std::string_view text) { return bytes(to_bytes(text)); }
  PacketBuilder& bytes(Bytes raw) {
    add(Kind::bytes).header = std::move(raw);
    return *this;
  }
  // Zeros after the packet up to `size`, as Ethernet pads short frames (not counted by IP).
  PacketBuilder& pad_to(std::size_t size) {
    pad_to_ = size;
    return *this;
  }
  // Keeps the first `size` bytes, as a snap length does.
  PacketBuilder& truncate(std::size_t size) {
    truncate_ = size;
    return *this;
  }

  [[nodiscard]] Bytes build() const {
    Bytes packet;
    for (std::size_t i = layers_.size(); i-- > 0;) {
      Bytes header = finish(i, packet);
      header.insert(header.end(), packet.begin(), packet.end());
      packet = std::move(header);
    }
    packet.resize(std::max(packet.size(), pad_to_));
    packet.resize(std::min(packet.size(), truncate_));
    return packet;
  }

 private:
  enum class Kind {
    ethernet,
    snap,
    vlan,
    cooked,
    cooked_v2,
    arp,
    ipv4,
    ipv6,
    extension,
    tcp,
    udp,
    icmp,
    icmpv6,
    tunnel,
    bytes
  };

  struct Layer {
    Kind kind;
    Bytes header;   // what is known when the layer is added
    Bytes options;  // IPv4, TCP
    Encapsulation tunnel;
    std::optional<unsigned> next;
    std::optional<unsigned> length;
    std::optional<unsigned> header_words;
    std::optional<unsigned> version;
    IpAddress source;
    IpAddress destination;
    unsigned source_port = 0;
    unsigned destination_port = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgment = 0;
    unsigned window = 65535;
    unsigned id = 0;
    unsigned fragment = 0x4000;  // don't fragment
    std::uint16_t tpid = 0;
    std::uint8_t protocol = 0;  // extension: its own number
    std::uint8_t flags = kAck;
    std::uint8_t ttl = 64;
    bool bad_checksum = false;
  };

  Layer& add(Kind kind) {
    layers_.emplace_back();
    layers_.back().kind = kind;
    return layers_.back();
  }
  Layer& last() {
    if (layers_.empty()) {
      throw std::logic_error("no layer yet");
    }
    return layers_.back();
  }
  Layer& latest(std::initializer_list<Kind> kinds) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      if (std::find(kinds.begin(), kinds.end(), layers_[i].kind) != kinds.end()) {
        return layers_[i];
      }
    }
    throw std::logic_error("no layer this knob fits");
  }
  Layer& ip_layer() { return latest({Kind::ipv4, Kind::ipv6}); }
  PacketBuilder& icmp_layer(Kind kind, unsigned type, unsigned code, std::uint32_t rest) {
    Layer& l = add(kind);
    l.header = {static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), 0, 0};
    wire::append32(l.header, rest);
    return *this;
  }

  // What the layer outside of layer i writes as its next-layer number.
  [[nodiscard]] unsigned ether_type_of(std::size_t i) const {
    if (i >= layers_.size()) {
      return 0;
    }
    switch (layers_[i].kind) {
      case Kind::ipv4:
        return 0x0800;
      case Kind::ipv6:
        return 0x86dd;
      case Kind::arp:
        return 0x0806;
      case Kind::vlan:
        return layers_[i].tpid;
      case Kind::ethernet:
        return 0x6558;  // in a tunnel
      case Kind::tunnel:
        return layers_[i].tunnel.ether_type;
      default:
        return 0x88b5;  // IEEE local experimental
    }
  }
  [[nodiscard]] unsigned protocol_of(std::size_t i) const {
    if (i >= layers_.size()) {
      return 59;  // no next header
    }
    switch (layers_[i].kind) {
      case Kind::tcp:
        return 6;
      case Kind::udp:
        return 17;
      case Kind::icmp:
        return 1;
      case Kind::icmpv6:
        return 58;
      case Kind::ipv4:
        return 4;
      case Kind::ipv6:
        return 41;
      case Kind::extension:
        return layers_[i].protocol;
      case Kind::tunnel:
        return layers_[i].tunnel.protocol;
      default:
        return 253;  // experimentation
    }
  }

  // Sum over the pseudo header of the IP layer around layer i (RFC 9293 3.1, RFC 8200 8.1).
  [[nodiscard]] std::uint32_t pseudo_sum(std::size_t i, unsigned protocol,
                                         std::size_t length) const {
    for (std::size_t k = i; k-- > 0;) {
      if (layers_[k].source.is_set()) {
        Bytes pseudo;
        wire::append_ip(pseudo, layers_[k].source);
        wire::append_ip(pseudo, layers_[k].destination);
        wire::append32(pseudo, static_cast<std::uint32_t>(length));
        wire::append32(pseudo, protocol);
        return wire::sum16(pseudo, 0);
      }
    }
    return 0;
  }
  void put_checksum(Bytes& header, std::size_t at, const Bytes& inner, std::uint32_t sum,
                    const Layer& l) const {
    Bytes whole = header;
    whole.insert(whole.end(), inner.begin(), inner.end());
    unsigned checksum = wire::fold(wire::sum16(whole, sum));
    if (l.kind == Kind::udp && checksum == 0) {
      checksum = 0xffff;
    }
    wire::put16(header, at, l.bad_checksum ? ~checksum & 0xffff : checksum);
  }

  // Header of layer i in front of `inner`.
  [[nodiscard]] Bytes finish(std::size_t i, const Bytes& inner) const {
    const Layer& l = layers_[i];
    Bytes h = l.header;
    switch (l.kind) {
      case Kind::ethernet: {
        const bool is_snap = i + 1 < layers_.size() && layers_[i + 1].kind == Kind::snap;
        wire::put16(
            h, 12,
            l.next.value_or(is_snap ? static_cast<unsigned>(inner.size()) : ether_type_of(i + 1)));
        return h;
      }
      case Kind::snap:
        wire::put16(h, 6, l.next.value_or(ether_type_of(i + 1)));
        return h;
      case Kind::vlan:
        wire::put16(h, 2, l.next.value_or(ether_type_of(i + 1)));
        return h;
      case Kind::cooked:
        wire::put16(h, 14, l.next.value_or(ether_type_of(i + 1)));
        return h;
      case Kind::cooked_v2:
        wire::put16(h, 0, l.next.value_or(ether_type_of(i + 1)));
        return h;
      case Kind::extension:
        h[0] = static_cast<std::uint8_t>(l.next.value_or(protocol_of(i + 1)));
        return h;
      case Kind::ipv4:
        return finish_ipv4(i, inner);
      case Kind::ipv6:
        return finish_ipv6(i, inner);
      case Kind::tcp:
        return finish_tcp(i, inner);
      case Kind::udp:
        return finish_udp(i, inner);
      case Kind::icmp:
        put_checksum(h, 2, inner, 0, l);
        return h;
      case Kind::icmpv6:
        put_checksum(h, 2, inner, pseudo_sum(i, 58, h.size() + inner.size()), l);
        return h;
      case Kind::tunnel:
        return l.tunnel.header({l.next.value_or(ether_type_of(i + 1)), inner});
      case Kind::arp:
      case Kind::bytes:
        return h;
    }
    return h;
  }
  [[nodiscard]] Bytes finish_ipv4(std::size_t i, const Bytes& inner) const {
    const Layer& l = layers_[i];
    const std::size_t size = 20 + l.options.size();
    Bytes h;
    h.push_back(static_cast<std::uint8_t>(
        (l.version.value_or(4) << 4) |
        (l.header_words.value_or(static_cast<unsigned>(size / 4)) & 0xf)));
    h.push_back(0);
    wire::append16(h, l.length.value_or(static_cast<unsigned>(size + inner.size())));
    wire::append16(h, l.id);
    wire::append16(h, l.fragment);
    h.push_back(l.ttl);
    h.push_back(static_cast<std::uint8_t>(l.next.value_or(protocol_of(i + 1))));
    wire::append16(h, 0);
    wire::append_ip(h, l.source);
    wire::append_ip(h, l.destination);
    h.insert(h.end(), l.options.begin(), l.options.end());
    put_checksum(h, 10, {}, 0, l);
    return h;
  }
  [[nodiscard]] Bytes finish_ipv6(std::size_t i, const Bytes& inner) const {
    const Layer& l = layers_[i];
    Bytes h;
    wire::append32(h, l.version.value_or(6) << 28);
    wire::append16(h, l.length.value_or(static_cast<unsigned>(inner.size())));
    h.push_back(static_cast<std::uint8_t>(l.next.value_or(protocol_of(i + 1))));
    h.push_back(l.ttl);
    wire::append_ip(h, l.source);
    wire::append_ip(h, l.destination);
    return h;
  }
  [[nodiscard]] Bytes finish_tcp(std::size_t i, const Bytes& inner) const {
    const Layer& l = layers_[i];
    const std::size_t size = 20 + l.options.size();
    Bytes h;
    wire::append16(h, l.source_port);
    wire::append16(h, l.destination_port);
    wire::append32(h, l.sequence);
    wire::append32(h, l.acknowledgment);
    h.push_back(
        static_cast<std::uint8_t>(l.header_words.value_or(static_cast<unsigned>(size / 4)) << 4));
    h.push_back(l.flags);
    wire::append16(h, l.window);
    wire::append32(h, 0);  // checksum, urgent pointer
    h.insert(h.end(), l.options.begin(), l.options.end());
    put_checksum(h, 16, inner, pseudo_sum(i, 6, h.size() + inner.size()), l);
    return h;
  }
  [[nodiscard]] Bytes finish_udp(std::size_t i, const Bytes& inner) const {
    const Layer& l = layers_[i];
    Bytes h;
    wire::append16(h, l.source_port);
    wire::append16(h, l.destination_port);
    wire::append16(h, l.length.value_or(static_cast<unsigned>(8 + inner.size())));
    wire::append16(h, 0);
    put_checksum(h, 6, inner, pseudo_sum(i, 17, h.size() + inner.size()), l);
    return h;
  }

  std::vector<Layer> layers_;
  std::size_t pad_to_ = 0;
  std::size_t truncate_ = SIZE_MAX;
};

}  // namespace imds::support
