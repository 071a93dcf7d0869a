// Encapsulations an inspected packet may be wrapped in, and the way they nest. Shared vocabulary
// of decoder, events and alerts.
//
// Plain values, no allocation. Names are part of alerts: lower snake case, never renamed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/address.h"

namespace imds {

enum class TunnelKind : std::uint8_t {
  none = 0,
  mpls,                 // label stack (RFC 3032)
  ethernet_pseudowire,  // Ethernet over MPLS (RFC 4448)
  pppoe,                // RFC 2516
  gre,                  // RFC 2784, 2890
  nvgre,                // RFC 7637
  erspan,               // types I to III
  ip_in_ip,             // any IP version in IPv4 or IPv6 (RFC 2003, 2473, 4213, 5969)
  vxlan,                // RFC 7348
  vxlan_gpe,
  geneve,    // RFC 8926
  teredo,    // RFC 4380
  gtp_u,     // 3GPP TS 29.281
  l2tp_v2,   // RFC 2661
  l2tp_v3,   // RFC 3931
  nsh,       // RFC 8300
  ether_ip,  // RFC 3378
};
inline constexpr std::size_t kTunnelKindCount = 17;

// "vxlan", "ip_in_ip", …; empty for none.
[[nodiscard]] std::string_view name(TunnelKind kind);

inline constexpr std::size_t kMaxTunnels = 8;

// From the outermost inwards. More than kMaxTunnels are never decoded.
struct TunnelPath {
  std::array<TunnelKind, kMaxTunnels> kinds{};
  std::uint8_t count = 0;

  friend bool operator==(const TunnelPath&, const TunnelPath&) = default;
};

// Room for the longest text of a path.
inline constexpr std::size_t kMaxTunnelPathText = 160;

// "gre/vxlan": the names of the path, outermost first. Written into `room`, which must outlive the
// result; empty without a tunnel.
[[nodiscard]] std::string_view path_text(const TunnelPath& path,
                                         std::array<char, kMaxTunnelPathText>& room);

// How the innermost packet travelled.
struct Tunnel {
  TunnelPath path;
  bool has_id = false;
  // Of the innermost encapsulation that has one: VNI, VSID, GRE key, TEID, session id, innermost
  // MPLS label, ERSPAN session.
  std::uint32_t id = 0;
  // Of the outermost IP header; unset where only link-layer encapsulations were peeled.
  IpAddress source;
  IpAddress destination;

  [[nodiscard]] bool is_set() const { return path.count > 0; }

  friend bool operator==(const Tunnel&, const Tunnel&) = default;
};

}  // namespace imds
