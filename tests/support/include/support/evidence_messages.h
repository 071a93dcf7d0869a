// Payloads of the messages by which addresses are claimed: DNS, DHCP in both versions, and the
// bodies of neighbour discovery. Every count, length and offset can be made wrong by hand, as all
// return plain bytes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "support/packet_builder.h"

namespace imds::support {

// Not inlined: of short constants, g++ 12 at -O3 warns of reads beyond their end that are none.
[[gnu::noinline]] inline void append(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}
inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) {
    append(out, part);
  }
  return out;
}
inline Bytes address_bytes(std::string_view text) {
  Bytes out;
  wire::append_ip(out, *IpAddress::parse(text));
  return out;
}

// --- DNS (RFC 1035) ---

inline constexpr unsigned kDnsA = 1;
inline constexpr unsigned kDnsNs = 2;
inline constexpr unsigned kDnsCname = 5;
inline constexpr unsigned kDnsAaaa = 28;

// "a.b" as labels with the root's; "" is the root.
inline Bytes dns_name(std::string_view name) {
  Bytes out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out.push_back(static_cast<std::uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  out.push_back(0);
  return out;
}
inline Bytes dns_pointer(unsigned offset) {
  Bytes out;
  wire::append16(out, 0xc000u | offset);
  return out;
}
inline Bytes dns_record(const Bytes& owner, unsigned type, const Bytes& data,
                        unsigned record_class = 1) {
  Bytes out = owner;
  wire::append16(out, type);
  wire::append16(out, record_class);
  wire::append32(out, 60);
  wire::append16(out, static_cast<unsigned>(data.size()));
  append(out, data);
  return out;
}
// A or AAAA, as the address is.
inline Bytes dns_address(const Bytes& owner, std::string_view address) {
  const bool is_v6 = address.find(':') != std::string_view::npos;
  return dns_record(owner, is_v6 ? kDnsAaaa : kDnsA, address_bytes(address));
}

struct DnsMessage {
  std::string_view question = "www.example.com";  // "": none
  std::vector<Bytes> answers{};
  std::vector<Bytes> authorities{};
  std::vector<Bytes> additional{};
  bool is_response = true;
};
// Where the question's name begins: the place to point at.
inline constexpr unsigned kDnsQuestion = 12;

inline Bytes dns_message(const DnsMessage& message) {
  Bytes out;
  wire::append16(out, 0x4242);
  wire::append16(out, message.is_response ? 0x8180 : 0x0100);
  wire::append16(out, message.question.empty() ? 0 : 1);
  for (const auto* section : {&message.answers, &message.authorities, &message.additional}) {
    wire::append16(out, static_cast<unsigned>(section->size()));
  }
  if (!message.question.empty()) {
    append(out, dns_name(message.question));
    wire::append16(out, kDnsA);
    wire::append16(out, 1);
  }
  for (const auto* section : {&message.answers, &message.authorities, &message.additional}) {
    for (const Bytes& record : *section) {
      append(out, record);
    }
  }
  return out;
}
// As over TCP: the length in front.
inline Bytes with_length(const Bytes& message) {
  Bytes out;
  wire::append16(out, static_cast<unsigned>(message.size()));
  append(out, message);
  return out;
}

// --- DHCP (RFC 2131) ---

inline Bytes dhcp_option(unsigned code, const Bytes& body) {
  Bytes out{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(body.size())};
  append(out, body);
  return out;
}
// RFC 3442: the prefix's length, its significant bytes, the router.
inline Bytes classless_route(std::string_view network, unsigned length, std::string_view router) {
  Bytes out{static_cast<std::uint8_t>(length)};
  const Bytes address = address_bytes(network);
  out.insert(out.end(), address.begin(), address.begin() + (length + 7) / 8);
  append(out, address_bytes(router));
  return out;
}

struct DhcpMessage {
  unsigned operation = 2;  // reply
  unsigned type = 5;       // acknowledgment; 0: BOOTP
  std::string_view your_address = "10.0.0.50";
  std::string_view relay = "0.0.0.0";
  std::string_view client_mac = kClientMac;
  Bytes options{};  // behind the type
  Bytes server_name{};
  Bytes file{};
  bool has_magic = true;
};
inline Bytes dhcp_message(const DhcpMessage& message) {
  Bytes out{static_cast<std::uint8_t>(message.operation), 1, 6, 0};
  wire::append32(out, 0x12345678);
  wire::append32(out, 0);  // seconds, flags
  append(out, address_bytes("0.0.0.0"));
  append(out, address_bytes(message.your_address));
  append(out, address_bytes("0.0.0.0"));
  append(out, address_bytes(message.relay));
  wire::append_mac(out, message.client_mac);
  out.resize(44);
  append(out, message.server_name);
  out.resize(108);
  append(out, message.file);
  out.resize(236);
  if (message.has_magic) {
    wire::append32(out, 0x63825363);
    if (message.type != 0) {
      append(out, dhcp_option(53, {static_cast<std::uint8_t>(message.type)}));
    }
    append(out, message.options);
    out.push_back(255);
  }
  return out;
}

// --- DHCPv6 (RFC 8415) ---

inline Bytes dhcpv6_option(unsigned code, const Bytes& body) {
  Bytes out;
  wire::append16(out, code);
  wire::append16(out, static_cast<unsigned>(body.size()));
  append(out, body);
  return out;
}
inline Bytes dhcpv6_address(std::string_view address, std::uint32_t lifetime = 3600) {
  Bytes body = address_bytes(address);
  wire::append32(body, lifetime);
  wire::append32(body, lifetime);
  return dhcpv6_option(5, body);
}
inline Bytes dhcpv6_prefix(std::string_view network, unsigned length,
                           std::uint32_t lifetime = 3600) {
  Bytes body;
  wire::append32(body, lifetime);
  wire::append32(body, lifetime);
  body.push_back(static_cast<std::uint8_t>(length));
  append(body, address_bytes(network));
  return dhcpv6_option(26, body);
}
// IA_NA (3) or IA_PD (25).
inline Bytes dhcpv6_association(unsigned code, const Bytes& options) {
  return dhcpv6_option(code, joined({Bytes(12, 0), options}));
}
inline Bytes dhcpv6_message(unsigned type, const Bytes& options) {
  return joined({{static_cast<std::uint8_t>(type), 1, 2, 3}, options});
}
inline Bytes dhcpv6_relayed(unsigned type, const Bytes& message) {
  return joined({{static_cast<std::uint8_t>(type), 0}, Bytes(32, 0), dhcpv6_option(9, message)});
}

// --- Neighbour discovery (RFC 4861): what follows type, code and checksum ---

inline Bytes link_layer_option(unsigned type, std::string_view mac) {
  Bytes out{static_cast<std::uint8_t>(type), 1};
  wire::append_mac(out, mac);
  return out;
}
inline Bytes neighbour_body(std::string_view target, const Bytes& options = {}) {
  return joined({address_bytes(target), options});
}
// L 0x80, A 0x40.
inline Bytes prefix_option(std::string_view network, unsigned length, unsigned flags = 0xc0,
                           std::uint32_t lifetime = 86400) {
  Bytes out{3, 4, static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(flags)};
  wire::append32(out, lifetime);
  wire::append32(out, lifetime);
  wire::append32(out, 0);
  append(out, address_bytes(network));
  return out;
}
// RFC 4191, with as many bytes of the network as `units` of 8 bytes leave room for.
inline Bytes route_option(std::string_view network, unsigned length, unsigned units = 3,
                          std::uint32_t lifetime = 86400) {
  Bytes out{24, static_cast<std::uint8_t>(units), static_cast<std::uint8_t>(length), 0};
  wire::append32(out, lifetime);
  const Bytes address = address_bytes(network);
  out.insert(out.end(), address.begin(), address.begin() + 8 * (units - 1));
  return out;
}
// Behind the four bytes that PacketBuilder::icmpv6() writes as `rest`: hop limit, flags, lifetime.
inline Bytes router_advertisement_body(const Bytes& options) {
  return joined({Bytes(8, 0), options});
}

}  // namespace imds::support
