// The packet decoder: whatever the bytes, every view lies within them and the fields agree.
//
// Input: link type selector, flags (a cut capture, stripped tags), then the frame.
#include <array>

#include "flow/key.h"
#include "fuzz.h"
#include "packet/decode.h"

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
