// Redirects, and the neighbour discovery messages that claim addresses or announce routes:
// RFC 792 (redirect), RFC 4861 (solicitation, advertisement, router advertisement, redirect),
// RFC 4191 (route information).
//
// Input is PacketView::payload of an ICMP packet: what follows type, code and checksum. Everything
// in it is untrusted: lengths are checked, loops bounded by the message.
//
// Threads: pure functions, any thread. Never allocates, never throws.
#pragma once

#include <cstdint>

#include "base/address.h"
#include "base/cursor.h"

namespace imds::evidence {

// ICMPv6 types (RFC 4861), and the ICMP one (RFC 792).
inline constexpr std::uint8_t kRouterSolicitation = 133;
inline constexpr std::uint8_t kRouterAdvertisement = 134;
inline constexpr std::uint8_t kNeighbourSolicitation = 135;
inline constexpr std::uint8_t kNeighbourAdvertisement = 136;
inline constexpr std::uint8_t kIcmpv6Redirect = 137;
inline constexpr std::uint8_t kIcmpRedirect = 5;
// Receivers drop such a message with any other hop limit: it crossed a router (RFC 4861, 6.1, 7.1).
inline constexpr std::uint8_t kNeighbourHopLimit = 255;

// A message of any of these types. `ok` false: a length lies, or it is cut; fields up to there are
// set.
struct NeighbourMessage {
  bool ok = false;
  std::uint8_t flags = 0;  // advertisement: see below
  IpAddress target;        // advertisement, solicitation: the address; redirect: the next hop
  IpAddress destination;   // redirect: the address that is redirected
  MacAddress link_layer;  // target's (advertisement, redirect) or source's (solicitation); zero: no
                          // such option
};
inline constexpr std::uint8_t kAdvertisedByRouter = 0x80;   // R
inline constexpr std::uint8_t kAnswersSolicitation = 0x40;  // S
inline constexpr std::uint8_t kOverridesCache = 0x20;       // O

[[nodiscard]] NeighbourMessage read_neighbour(std::uint8_t type, ByteSpan message);

// RFC 792: the route to `destination` leads over `gateway`, for one host whatever the code says
// (RFC 1812, 5.2.7.2). `ok` false: the quoted header is cut or is no IPv4.
struct IcmpRedirect {
  bool ok = false;
  IpAddress gateway;
  IpAddress destination;
};
[[nodiscard]] IcmpRedirect read_icmp_redirect(ByteSpan message);

// What one option of a router advertisement says about a prefix.
struct AdvertisedPrefix {
  IpPrefix prefix;
  bool is_route = false;       // RFC 4191; else prefix information
  bool on_link = false;        // L
  bool autonomous = false;     // A
  std::uint32_t lifetime = 0;  // seconds; 0: withdrawn
};

// Goes through a router advertisement, option by option.
class RouterAdvertisement {
 public:
  explicit RouterAdvertisement(ByteSpan message);

  // Whether the sender is a default router, for this many seconds (0: it is none).
  [[nodiscard]] std::uint16_t router_lifetime() const { return router_lifetime_; }
  // The next prefix or route. False: there is none; ok() tells whether the message ended well.
  [[nodiscard]] bool next(AdvertisedPrefix& out);
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  [[nodiscard]] bool read_option(std::uint8_t type, ByteSpan option, AdvertisedPrefix& out);

  ByteCursor rest_;
  std::uint16_t router_lifetime_ = 0;
  bool ok_ = true;
};

}  // namespace imds::evidence
