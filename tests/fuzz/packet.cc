// The packet decoder: whatever the bytes, every view lies within them and the fields agree.
//
// Input: link type selector, flags (a cut capture, stripped tags), then the frame.
#include <algorithm>
#include <array>

#include "flow/key.h"
#include "fuzz.h"
#include "packet/decode.h"
#include "packet/plain.h"

namespace {

using namespace imds;

constexpr std::array kLinks = {packet::LinkType::ethernet,        packet::LinkType::raw_ip,
                               packet::LinkType::linux_sll,       packet::LinkType::raw_ipv4,
                               packet::LinkType::raw_ipv6,        packet::LinkType::linux_sll2,
                               static_cast<packet::LinkType>(147)};

void check(const packet::PacketView& view, ByteSpan bytes, const packet::DecodeOptions& options) {
  using fuzz::require;
  require(fuzz::is_within(view.network, bytes), "network lies within the frame");
  require(fuzz::is_within(view.payload, bytes), "payload lies within the frame");
  require(view.payload_length >= view.payload.size(), "what was sent is at least what is here");
  require(view.truncated || view.payload_length == view.payload.size(),
          "only a truncated packet lacks payload");
  require(view.vlan.count <= packet::kMaxVlanTags, "VLAN tags are bounded");
  require(view.tunnel.path.count <= options.max_tunnels, "tunnels are bounded");
  require(view.is_fragment == (view.reason == DecodeReason::ip_fragment), "fragments say so");
  require(!describe(view.reason).name.empty(), "the reason has a name");
  if (view.is_fragment) {
    require(view.fragment.header_size <= view.network.size(), "a fragment's header is here");
  }
  if (view.is_ip()) {
    flow::Key key;
    const flow::Direction direction = flow::make_key(view, {}, key);
    const IpAddress source = direction == flow::Direction::from_lower ? key.lower() : key.higher();
    require(source == view.source, "the key keeps the addresses");
  }
}

// What the short way takes, the whole way takes the same.
void check_plain(ByteSpan frame, const packet::DecodeOptions& options) {
  using fuzz::require;
  packet::PlainPacket plain;
  packet::PlainPacket straight{};
  const bool is_straight =
      packet::read_tcp_in_ipv4(frame, straight) || packet::read_tcp_in_ipv6(frame, straight);
  if (!packet::read_plain(frame, options.ports, plain)) {
    require(!is_straight, "the straight lines take less than the short way");
    return;
  }
  packet::PacketView view;
  packet::decode(frame, {}, options, view);
  require(view.reason == DecodeReason::none && view.anomaly == DecodeReason::none &&
              !view.truncated && !view.is_fragment && view.tunnel.path.count == 0,
          "the short way takes only what is in order");
  const std::size_t size = plain.is_v6 ? 16 : 4;
  require(
      plain.is_v6 == view.source.is_v6() &&
          std::equal(plain.source, plain.source + size, view.source.bytes.begin()) &&
          std::equal(plain.destination, plain.destination + size, view.destination.bytes.begin()),
      "addresses agree");
  require(static_cast<std::uint8_t>(plain.protocol) == view.protocol &&
              plain.source_port() == view.source_port &&
              plain.destination_port() == view.destination_port,
          "protocol and ports agree");
  require(plain.payload == view.payload.data() && plain.payload_size == view.payload.size() &&
              plain.payload_size == view.payload_length,
          "the payload agrees");
  require(
      plain.protocol != packet::IpProtocol::tcp ||
          (plain.sequence == view.tcp.sequence && plain.acknowledgment == view.tcp.acknowledgment &&
           plain.tcp_flags == view.tcp.flags),
      "the same TCP header");
  require(plain.vlan() == view.vlan, "the same VLAN tags");
  packet::PacketView wide;
  packet::widen(plain, frame, view.time, wide);
  require(wide.ttl == view.ttl && wide.tcp.window == view.tcp.window &&
              wide.network.data() == view.network.data() &&
              wide.network.size() == view.network.size() && wide.ether_type == view.ether_type &&
              wide.source == view.source && wide.destination == view.destination,
          "widened, it is what the whole way makes of it");
  require(!is_straight ||
              (straight.payload == plain.payload && straight.payload_size == plain.payload_size),
          "the straight lines take the same payload");
  flow::Key short_key;
  flow::Key whole_key;
  require(flow::make_key(plain, {}, short_key) == flow::make_key(view, {}, whole_key) &&
              short_key == whole_key,
          "key and direction agree");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  packet::FrameInfo info;
  info.link = kLinks[input.byte() % kLinks.size()];
  const std::uint8_t flags = input.byte();
  const ByteSpan frame = input.rest();
  if ((flags & 1) != 0) {
    info.original_length = static_cast<std::uint32_t>(frame.size() + 700);
  }
  if ((flags & 2) != 0) {
    info.stripped_vlan = flags;
  }
  packet::DecodeOptions options;
  options.max_tunnels = static_cast<std::uint8_t>(flags >> 4) % (kMaxTunnels + 1);

  packet::PacketView view;
  packet::decode(frame, info, options, view);
  check(view, frame, options);
  check_plain(frame, options);
  if (view.is_fragment) {
    // As if this one fragment were the datagram: it may say anything.
    packet::PacketView inner;
    packet::decode_datagram(view.network, view, options, inner);
    check(inner, view.network, options);
  }
  packet::ArpView arp;
  (void)packet::parse_arp(frame, arp);
  return 0;
}
