#include "exhibit/redaction.h"

#include <algorithm>
#include <array>
#include <optional>

#include "exhibit/lane.h"
#include "exhibit/message.h"
#include "packet/checksum.h"

namespace imds::exhibit {

namespace {

using packet::IpProtocol;
using packet::PacketView;

constexpr std::size_t kIpv4 = 20;
constexpr std::size_t kIpv6 = 40;
constexpr std::size_t kUdp = 8;
constexpr std::size_t kTcp = 20;
constexpr std::size_t kIcmp = 4;  // type, code, checksum
constexpr std::size_t kUdpChecksum = 6;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kIcmpChecksum = 2;
constexpr std::size_t kEthernet = 14;

// The frame's bytes, which may be written, and where parts of a view into them lie.
class Room {
 public:
  explicit Room(std::span<std::uint8_t> frame) : frame_(frame) {}
  [[nodiscard]] std::size_t at(const std::uint8_t* place) const {
    return static_cast<std::size_t>(place - frame_.data());
  }
  [[nodiscard]] std::span<std::uint8_t> part(ByteSpan view) const {
    return view.empty() ? std::span<std::uint8_t>{} : frame_.subspan(at(view.data()), view.size());
  }
  [[nodiscard]] std::span<std::uint8_t> all() const { return frame_; }

 private:
  std::span<std::uint8_t> frame_;
};

bool is_extension(std::uint8_t protocol) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::hop_by_hop:
    case IpProtocol::routing:
    case IpProtocol::fragment:
    case IpProtocol::destination_options:
    case IpProtocol::authentication:
    case IpProtocol::mobility:
    case IpProtocol::host_identity:
    case IpProtocol::shim6:
      return true;
    default:
      return false;
  }
}

std::size_t extension_size(std::uint8_t protocol, const std::uint8_t* header) {
  if (protocol == static_cast<std::uint8_t>(IpProtocol::authentication)) {
    return (std::size_t{header[1]} + 2) * 4;
  }
  return protocol == static_cast<std::uint8_t>(IpProtocol::fragment)
             ? 8
             : (std::size_t{header[1]} + 1) * 8;
}

std::size_t ip_header_size(ByteSpan network) {
  const bool is_v6 = !network.empty() && network[0] >> 4 == 6;
  const std::size_t size = is_v6             ? kIpv6
                           : network.empty() ? 0
                                             : std::size_t{network[0] & 0x0fu} * 4;
  return std::min(size, network.size());
}

// Where the transport header begins in the innermost packet; nullopt: that cannot be told.
std::optional<std::size_t> transport_in(const PacketView& view) {
  const ByteSpan network = view.network;
  const bool is_v6 = view.source.is_v6();
  if (network.size() < (is_v6 ? kIpv6 : kIpv4)) {
    return std::nullopt;
  }
  std::size_t at = ip_header_size(network);
  std::uint8_t next = is_v6 ? network[6] : network[9];
  for (unsigned i = 0; i <= packet::kMaxIpv6Extensions && is_extension(next); ++i) {
    if (next == view.protocol || at + 8 > network.size()) {
      break;
    }
    const std::size_t size = extension_size(next, &network[at]);
    next = network[at];
    at += size;
  }
  return next == view.protocol && at <= network.size() ? std::optional(at) : std::nullopt;
}

Redacted cut_at(std::span<std::uint8_t> frame, std::size_t size) {
  Redacted out;
  out.size = std::min(size, frame.size());
  out.is_cut = out.size < frame.size();
  return out;
}

// Behind the last header that is known to be one.
Redacted cut_unread(const Room& room, const PacketView& view) {
  if (view.network.empty()) {
    return cut_at(room.all(), kEthernet);
  }
  const std::size_t network = room.at(view.network.data());
  if (!view.is_ip()) {
    return cut_at(room.all(), network);
  }
  std::size_t kept = ip_header_size(view.network);
  if (view.is_fragment && view.payload.data() != nullptr) {
    kept = room.at(view.payload.data()) - network;
    // The ports of the first one.
    const bool has_ports = view.is(IpProtocol::tcp) || view.is(IpProtocol::udp);
    kept += view.fragment.offset == 0 && has_ports ? std::min(kUdp, view.payload.size()) : 0;
  }
  return cut_at(room.all(), network + kept);
}

bool is_claiming_port(std::uint16_t port) {
  constexpr std::array<std::uint16_t, 7> kPorts = {53, 67, 68, 546, 547, 5353, 5355};
  return std::find(kPorts.begin(), kPorts.end(), port) != kPorts.end();
}

std::size_t overwrite_udp(std::span<std::uint8_t> payload, const PacketView& view,
                          std::uint8_t flags) {
  const bool is_claim = (flags & kIsClaim) != 0 && (is_claiming_port(view.source_port) ||
                                                    is_claiming_port(view.destination_port));
  return is_claim ? 0 : overwrite_message(payload);
}

std::size_t overwrite_behind(std::span<std::uint8_t> bytes, std::size_t kept) {
  return bytes.size() > kept ? overwrite(bytes.subspan(kept)) : 0;
}

// Options of neighbour discovery (RFC 4861, 4.6): the redirected header quotes a packet.
std::size_t overwrite_redirected(std::span<std::uint8_t> options) {
  constexpr std::uint8_t kRedirectedHeader = 4;
  std::size_t count = 0;
  while (options.size() >= 2) {
    const std::size_t size = std::size_t{options[1]} * 8;
    if (size == 0 || size > options.size()) {
      break;
    }
    if (options[0] == kRedirectedHeader) {
      count += overwrite_behind(options.first(size), 8);
    }
    options = options.subspan(size);
  }
  return count + overwrite(options);
}

// `message` begins behind type, code and checksum. Errors quote a packet: its addresses and ports
// stay.
std::size_t overwrite_icmp(std::span<std::uint8_t> message, const PacketView& view) {
  constexpr std::size_t kRest = 4;
  constexpr std::size_t kPorts = 8;
  const std::uint8_t type = view.icmp_type;
  if (view.is(IpProtocol::icmp)) {
    const bool quotes = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    const std::size_t header =
        quotes && message.size() > kRest ? std::size_t{message[kRest] & 0x0fu} * 4 : 0;
    return overwrite_behind(message, quotes ? kRest + header + kPorts : kRest);
  }
  constexpr std::uint8_t kFirstNeighbour = 133;
  constexpr std::uint8_t kRedirect = 137;
  if (type >= 1 && type <= 4) {
    return overwrite_behind(message, kRest + kIpv6 + kPorts);
  }
  if (type == kRedirect) {
    constexpr std::size_t kFixed = kRest + 32;
    return message.size() > kFixed ? overwrite_redirected(message.subspan(kFixed)) : 0;
  }
  return type >= kFirstNeighbour && type < kRedirect ? 0 : overwrite_behind(message, kRest);
}

// Changes the checksum by what the sum of `segment` has changed since `before` (RFC 1624).
void correct(std::span<std::uint8_t> segment, std::size_t place, std::uint16_t before,
             bool zero_means_none) {
  const std::uint16_t now = packet::checksum_fold(packet::checksum_add(0, segment));
  if (now == before || place + 2 > segment.size()) {
    return;
  }
  const std::uint64_t sum =
      std::uint64_t{load_be16(&segment[place])} + before + static_cast<std::uint16_t>(~now);
  std::uint16_t right = packet::checksum_fold(sum);
  if (zero_means_none && right == 0) {
    right = 0xffff;
  }
  store_be16(&segment[place], right);
}

// A whole packet of TCP, UDP or ICMP. `begin`: of its transport header, in the frame.
std::optional<Redacted> redact_transport(const Room& room, const PacketView& view,
                                         std::size_t begin, std::uint8_t flags) {
  const bool is_tcp = view.is(IpProtocol::tcp);
  const bool is_udp = view.is(IpProtocol::udp);
  const std::size_t least = is_tcp ? kTcp : is_udp ? kUdp : kIcmp;
  const std::size_t payload = room.at(view.payload.data());
  const std::size_t end = payload + view.payload.size();
  if (payload < begin + least || end > room.all().size()) {
    return std::nullopt;
  }
  const std::span<std::uint8_t> segment = room.all().subspan(begin, end - begin);
  const std::span<std::uint8_t> bytes = room.part(view.payload);
  const bool has_none = is_udp && load_be16(&segment[kUdpChecksum]) == 0;
  if (has_none && view.tunnel.is_set()) {
    return cut_at(room.all(), payload);
  }
  const std::uint16_t before = packet::checksum_fold(packet::checksum_add(0, segment));
  Redacted out;
  out.size = room.all().size();
  if (is_tcp) {
    out.overwritten = (flags & kMayBeginMessage) != 0 ? overwrite_message(bytes) : overwrite(bytes);
  } else {
    out.overwritten = is_udp ? overwrite_udp(bytes, view, flags) : overwrite_icmp(bytes, view);
  }
  if (out.overwritten > 0 && !has_none) {
    correct(segment, is_tcp ? kTcpChecksum : is_udp ? kUdpChecksum : kIcmpChecksum, before, is_udp);
  }
  return out;
}

// What lies behind the packet, from `end` on: no checksum but a tunnel's is over it.
void clear_trailer(const Room& room, std::size_t end, bool in_tunnel, Redacted& out) {
  const std::span<std::uint8_t> trailer = room.all().subspan(std::min(end, room.all().size()));
  if (std::all_of(trailer.begin(), trailer.end(), [](std::uint8_t byte) { return byte == 0; })) {
    return;
  }
  if (in_tunnel) {
    out.size = end;
    out.is_cut = true;
    return;
  }
  std::fill(trailer.begin(), trailer.end(), std::uint8_t{0});
  out.overwritten += trailer.size();
}

bool is_arp(const PacketView& view) {
  return view.ether_type == static_cast<std::uint16_t>(packet::EtherType::arp) && !view.is_ip() &&
         !view.network.empty();
}

}  // namespace

Redacted redact(std::span<std::uint8_t> frame, std::uint16_t link, std::uint32_t original_length,
                std::uint8_t flags, const packet::DecodeOptions& options) {
  packet::FrameInfo info;
  info.link = static_cast<packet::LinkType>(link);
  info.original_length = original_length;
  PacketView view;
  packet::decode(frame, info, options, view);
  const Room room(frame);
  if (is_arp(view)) {
    constexpr std::size_t kArp = 28;  // for IPv4 over Ethernet
    const std::size_t size = std::min(view.network.size(), kArp);
    Redacted out{frame.size(), 0, false};
    clear_trailer(room, room.at(view.network.data()) + size, view.tunnel.is_set(), out);
    return out;
  }
  const bool is_read = view.reason == DecodeReason::none && view.payload.data() != nullptr &&
                       (view.is(IpProtocol::tcp) || view.is(IpProtocol::udp) ||
                        view.is(IpProtocol::icmp) || view.is(IpProtocol::icmpv6));
  const std::optional<std::size_t> transport = is_read ? transport_in(view) : std::nullopt;
  if (!transport) {
    return cut_unread(room, view);
  }
  std::optional<Redacted> out =
      redact_transport(room, view, room.at(view.network.data()) + *transport, flags);
  if (!out) {
    return cut_unread(room, view);
  }
  if (!out->is_cut) {
    clear_trailer(room, room.at(view.payload.data()) + view.payload.size(), view.tunnel.is_set(),
                  *out);
  }
  return *out;
}

}  // namespace imds::exhibit
