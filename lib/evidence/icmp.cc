#include "evidence/icmp.h"

#include "prefix.h"

namespace imds::evidence {
namespace {

// Option types (RFC 4861, 4.6; RFC 4191).
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kTargetLinkLayer = 2;
constexpr std::uint8_t kPrefixInformation = 3;
constexpr std::uint8_t kRouteInformation = 24;
constexpr std::size_t kOptionUnit = 8;

IpAddress take_v6(ByteCursor& in) {
  const ByteSpan bytes = in.take(16);
  return bytes.empty() ? IpAddress{} : IpAddress::v6_wire(bytes.data());
}

// The body of the next option, behind type and length. False: the options are over, or malformed
// (`ok`): an option of length 0 makes receivers drop the message.
bool next_option(ByteCursor& rest, std::uint8_t& type, ByteSpan& body, bool& ok) {
  if (rest.remaining() == 0) {
    return false;
  }
  type = rest.u8();
  const std::size_t size = rest.u8() * kOptionUnit;
  if (!rest.ok() || size == 0) {
    ok = false;
    return false;
  }
  body = rest.take(size - 2);
  ok = rest.ok();
  return ok;
}

// Of Ethernet; other link layers have longer ones.
void read_link_layer(ByteCursor& rest, std::uint8_t wanted, NeighbourMessage& out) {
  std::uint8_t type = 0;
  ByteSpan body;
  while (next_option(rest, type, body, out.ok)) {
    if (type == wanted && body.size() == 6 && out.link_layer.is_zero()) {
      out.link_layer = MacAddress::wire(body.data());
    }
  }
}

}  // namespace

NeighbourMessage read_neighbour(std::uint8_t type, ByteSpan message) {
  NeighbourMessage out;
  ByteCursor in(message);
  const std::uint8_t flags = in.u8();
  in.skip(3);
  out.target = take_v6(in);
  if (type == kNeighbourAdvertisement) {
    out.flags = flags;
  } else if (type == kIcmpv6Redirect) {
    out.destination = take_v6(in);
  }
  out.ok = in.ok();
  if (out.ok) {
    read_link_layer(in, type == kNeighbourSolicitation ? kSourceLinkLayer : kTargetLinkLayer, out);
  }
  return out;
}

IcmpRedirect read_icmp_redirect(ByteSpan message) {
  constexpr std::size_t kToDestination = 16;
  IcmpRedirect out;
  ByteCursor in(message);
  const ByteSpan gateway = in.take(4);
  const ByteSpan quoted = in.take(kToDestination + 4);
  if (!in.ok() || quoted[0] >> 4 != 4) {
    return out;
  }
  out.gateway = IpAddress::v4_wire(gateway.data());
  out.destination = IpAddress::v4_wire(&quoted[kToDestination]);
  out.ok = true;
  return out;
}

RouterAdvertisement::RouterAdvertisement(ByteSpan message) : rest_(message) {
  rest_.skip(2);  // hop limit, flags
  router_lifetime_ = rest_.be16();
  rest_.skip(8);  // reachable time, retransmission timer
  ok_ = rest_.ok();
}

bool RouterAdvertisement::next(AdvertisedPrefix& out) {
  std::uint8_t type = 0;
  ByteSpan body;
  while (ok_ && next_option(rest_, type, body, ok_)) {
    if (read_option(type, body, out)) {
      return true;
    }
  }
  return false;
}

// False: it says nothing about a prefix.
bool RouterAdvertisement::read_option(std::uint8_t type, ByteSpan option, AdvertisedPrefix& out) {
  ByteCursor in(option);
  out = {};
  const unsigned length = in.u8();
  const std::uint8_t flags = in.u8();
  out.lifetime = in.be32();
  if (type == kPrefixInformation) {
    in.skip(8);  // preferred lifetime, reserved
  } else if (type != kRouteInformation) {
    return false;
  }
  const ByteSpan address = in.rest();
  // Of a route, the bytes that its prefix does not need may be left out.
  const std::size_t needed = type == kPrefixInformation ? 16 : (length + 63) / 64 * 8;
  if (!in.ok() || length > 128 || address.size() < needed) {
    ok_ = false;
    return false;
  }
  out.is_route = type == kRouteInformation;
  out.on_link = !out.is_route && (flags & 0x80) != 0;
  out.autonomous = !out.is_route && (flags & 0x40) != 0;
  out.prefix = make_prefix(AddressFamily::ipv6, address, length);
  return true;
}

}  // namespace imds::evidence
