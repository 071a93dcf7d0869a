#include "frame_addresses.h"

#include "port/packet_meta.h"

namespace imds::port {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;
constexpr std::uint16_t kEtherVlan = 0x8100;
constexpr std::uint16_t kEtherServiceVlan = 0x88a8;
constexpr unsigned kMostTags = 4;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr unsigned kMostExtensions = 8;

constexpr std::uint16_t kVxlanPort = 4789;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kVxlanHeader = 8;
constexpr std::size_t kMostHeaders = 1024;  // offsets beyond are not looked for

struct Network {
  std::size_t at = 0;
  std::uint16_t ether_type = 0;
};

struct Transport {
  std::size_t at = 0;
  bool is_fragment = false;
  bool is_here = true;  // false: in an earlier fragment
};

// The network header behind an Ethernet header at `at`, or at once if `link_type` has none.
std::optional<Network> network_header(ByteSpan frame, std::size_t at, std::uint16_t link_type) {
  if (link_type == kLinkRawIp) {
    if (frame.size() <= at) {
      return std::nullopt;
    }
    return Network{at, frame[at] >> 4 == 6 ? kEtherIpv6 : kEtherIpv4};
  }
  std::size_t type_at = at + 12;
  if (link_type == kLinkLinuxSll) {
    type_at = at + 14;
  } else if (link_type == kLinkLinuxSll2) {
    if (frame.size() < at + 20) {
      return std::nullopt;
    }
    return Network{at + 20, load_be16(&frame[at])};
  } else if (link_type != kLinkEthernet) {
    return std::nullopt;
  }
  for (unsigned tags = 0; tags <= kMostTags && frame.size() >= type_at + 2; ++tags) {
    const std::uint16_t type = load_be16(&frame[type_at]);
    if (type != kEtherVlan && type != kEtherServiceVlan) {
      return Network{type_at + 2, type};
    }
    type_at += 4;
  }
  return std::nullopt;
}

// Offset of a checksum that covers the addresses, in a header of `protocol` at `at`; or 0.
std::uint16_t checksum_at(ByteSpan frame, std::size_t at, std::uint8_t protocol) {
  const std::size_t offset = protocol == kTcp      ? 16
                             : protocol == kUdp    ? 6
                             : protocol == kIcmpV6 ? 2
                                                   : 0;
  if (offset == 0 || frame.size() < at + offset + 2 || at > kMostHeaders) {
    return 0;
  }
  return static_cast<std::uint16_t>(at + offset);
}

std::optional<FrameAddresses> read_ip(ByteSpan frame, const Network& network,
                                      Transport& transport) {
  const std::size_t at = network.at;
  FrameAddresses found;
  transport = {};
  if (at > kMostHeaders) {
    return std::nullopt;
  }
  if (network.ether_type == kEtherIpv4 && frame.size() >= at + 20 && frame[at] >> 4 == 4) {
    found.tuple.protocol = frame[at + 9];
    found.ip_checksum_at = static_cast<std::uint16_t>(at + 10);
    found.source_at = static_cast<std::uint16_t>(at + 12);
    found.destination_at = static_cast<std::uint16_t>(at + 16);
    found.tuple.source = IpAddress::v4_wire(&frame[found.source_at]);
    found.tuple.destination = IpAddress::v4_wire(&frame[found.destination_at]);
    transport.at = at + std::size_t{frame[at] & 0x0fu} * 4;
    transport.is_fragment = (load_be16(&frame[at + 6]) & 0x3fff) != 0;
    transport.is_here = (load_be16(&frame[at + 6]) & 0x1fff) == 0;
  } else if (network.ether_type == kEtherIpv6 && frame.size() >= at + 40 && frame[at] >> 4 == 6) {
    found.source_at = static_cast<std::uint16_t>(at + 8);
    found.destination_at = static_cast<std::uint16_t>(at + 24);
    found.tuple.source = IpAddress::v6_wire(&frame[found.source_at]);
    found.tuple.destination = IpAddress::v6_wire(&frame[found.destination_at]);
    std::uint8_t next = frame[at + 6];
    transport.at = at + 40;
    for (unsigned i = 0; i < kMostExtensions && frame.size() >= transport.at + 8; ++i) {
      if (next == kFragment) {
        // One with all of the datagram in it is none.
        transport.is_fragment = (load_be16(&frame[transport.at + 2]) & 0xfff9) != 0;
        transport.is_here = (load_be16(&frame[transport.at + 2]) & 0xfff8) == 0;
      } else if (next != kHopByHop && next != kRouting && next != kDestinationOptions) {
        break;
      }
      const std::size_t size =
          next == kFragment ? 8 : (std::size_t{frame[transport.at + 1]} + 1) * 8;
      next = frame[transport.at];
      transport.at += size;
    }
    found.tuple.protocol = next;
  } else {
    return std::nullopt;
  }
  if (transport.is_here) {
    found.l4_checksum_at = checksum_at(frame, transport.at, found.tuple.protocol);
  }
  return found;
}

}  // namespace

std::optional<FrameAddresses> find_addresses(ByteSpan frame, std::uint16_t link_type) {
  auto network = network_header(frame, 0, link_type);
  if (!network) {
    return std::nullopt;
  }
  Transport transport;
  auto outer = read_ip(frame, *network, transport);
  if (!outer || outer->tuple.protocol != kUdp || outer->l4_checksum_at == 0 ||
      load_be16(&frame[transport.at + 2]) != kVxlanPort ||
      load_be16(&frame[outer->l4_checksum_at]) != 0) {
    return outer;
  }
  network = network_header(frame, transport.at + kUdpHeader + kVxlanHeader, kLinkEthernet);
  if (!network) {
    return outer;
  }
  const auto inner = read_ip(frame, *network, transport);
  return inner ? inner : outer;
}

std::optional<FlowTuple> find_outer_flow(ByteSpan frame) {
  const auto network = network_header(frame, 0, kLinkEthernet);
  if (!network) {
    return std::nullopt;
  }
  Transport transport;
  const auto outer = read_ip(frame, *network, transport);
  if (!outer) {
    return std::nullopt;
  }
  FlowTuple flow = outer->tuple;
  const bool has_ports = (flow.protocol == kTcp || flow.protocol == kUdp) &&
                         !transport.is_fragment && frame.size() >= transport.at + 4;
  if (has_ports) {
    flow.source_port = load_be16(&frame[transport.at]);
    flow.destination_port = load_be16(&frame[transport.at + 2]);
  } else {
    flow.protocol = 0;
  }
  return flow;
}

}  // namespace imds::port
