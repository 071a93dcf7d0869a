// Decodes one packet from its link layer to its transport payload.
//
// Threads: pure functions, any thread. Never allocates, never throws, never reads beyond `frame`.
// Everything from the wire is untrusted: each length is checked, each loop bounded.
//
// What it follows: Ethernet II and 802.2 SNAP, 802.1Q/802.1ad tags (TPIDs 0x8100, 0x88a8, 0x9100),
// Linux cooked v1 and v2, bare IP, and the link layers of other captures that may carry IP
// (base/link_type.h), 802.11 among them; ARP; IPv4 (RFC 791), IPv6 with extension headers (RFC
// 8200), AH (RFC 4302); TCP (RFC 9293), UDP, ICMP, ICMPv6; the tunnels of base/tunnel.h, to the
// innermost packet. Anything else ends with a DecodeReason. Packets quoted by ICMP errors are not
// followed.
//
// A tunnel over UDP is a guess from a port number. Where the payload does not look like that tunnel
// (version or flags that cannot be, a length beyond the datagram with no packet behind it), it is
// plain UDP. Reserved bits and redundant lengths that receivers ignore do not hide a packet that is
// plainly there.
//
// Where lengths disagree, it inspects what is there:
// - an IP length beyond the frame: the packet was sliced; `truncated`, and unless the capture said
//   so itself, anomaly `ipv4_beyond_frame` or `ipv6_beyond_frame`;
// - IPv4 total length 0 and IPv6 payload length 0 (segmentation offload, jumbograms of RFC 2675):
//   the rest of the frame;
// - malformed TCP options: anomaly `tcp_options`; hosts accept the segment, so does the decoder;
// - a UDP length beyond its IP packet: `udp_length`; every host drops it;
// - an inner IP length beyond the tunnel's: as beyond the frame.
#pragma once

#include <array>
#include <cstdint>
#include <emmintrin.h>

#include "base/address.h"
#include "base/cursor.h"
#include "base/time.h"
#include "packet/view.h"

namespace imds::packet {

// What is known of a frame besides its bytes.
struct FrameInfo {
  LinkType link = LinkType::ethernet;
  Timestamp time;
  // Length on the wire where a capture kept less; 0 or anything up to the bytes present: all of it.
  std::uint32_t original_length = 0;
  // Id of a VLAN tag the NIC took off (outermost), or -1.
  std::int32_t stripped_vlan = -1;
  // Of a second one that stood in front of it (QinQ), or -1.
  std::int32_t stripped_outer_vlan = -1;
};

// A frame may carry this many tags, priority tags and the stripped one included; more stops with
// `vlan_too_deep`. A frame in a tunnel is counted anew.
inline constexpr unsigned kMaxVlanDepth = kMaxVlanTags;
// Hosts follow any number of IPv6 extension headers; the decoder this many, then stops with
// `ipv6_extension_too_deep`.
inline constexpr unsigned kMaxIpv6Extensions = 64;

// An MPLS label stack may be this deep; more stops with `mpls_too_deep`.
inline constexpr unsigned kMaxMplsLabels = 16;

// UDP ports that announce a tunnel, on either end of a datagram. 0: an unused place. A port belongs
// to one tunnel; of a port named twice the first counts.
inline constexpr std::size_t kMaxTunnelPorts = 4;
struct TunnelPorts {
  std::array<std::uint16_t, kMaxTunnelPorts> vxlan = {4789, 8472};
  std::array<std::uint16_t, kMaxTunnelPorts> vxlan_gpe = {4790};
  std::array<std::uint16_t, kMaxTunnelPorts> geneve = {6081};
  std::array<std::uint16_t, kMaxTunnelPorts> teredo = {3544};
  std::array<std::uint16_t, kMaxTunnelPorts> gtp_u = {2152};
  std::array<std::uint16_t, kMaxTunnelPorts> l2tp = {1701};
  std::array<std::uint16_t, kMaxTunnelPorts> mpls = {6635};
};

// The same ports, laid out so that both ports of a datagram are compared with all of them at once.
class TunnelPortTable {
 public:
  constexpr TunnelPortTable() : TunnelPortTable(TunnelPorts{}) {}
  // Not explicit: a TunnelPorts may stand wherever decode options are written down.
  constexpr TunnelPortTable(const TunnelPorts& ports) {
    add(ports.vxlan, TunnelKind::vxlan);
    add(ports.vxlan_gpe, TunnelKind::vxlan_gpe);
    add(ports.geneve, TunnelKind::geneve);
    add(ports.teredo, TunnelKind::teredo);
    add(ports.gtp_u, TunnelKind::gtp_u);
    add(ports.l2tp, TunnelKind::l2tp_v2);
    add(ports.mpls, TunnelKind::mpls);
    groups_ = static_cast<std::uint8_t>((count_ + kGroup - 1) / kGroup);
    for (std::size_t i = count_; i < groups_ * kGroup; ++i) {
      ports_[i] = ports_[0];  // an unused place must not match port 0
    }
  }

  [[nodiscard]] bool names(std::uint16_t a, std::uint16_t b) const {
    const __m128i first = _mm_set1_epi16(static_cast<short>(a));
    const __m128i second = _mm_set1_epi16(static_cast<short>(b));
    __m128i found = _mm_setzero_si128();
    for (std::size_t group = 0; group < groups_; ++group) {
      const __m128i ports =
          _mm_load_si128(reinterpret_cast<const __m128i*>(&ports_[group * kGroup]));
      found = _mm_or_si128(
          found, _mm_or_si128(_mm_cmpeq_epi16(ports, first), _mm_cmpeq_epi16(ports, second)));
    }
    return _mm_movemask_epi8(found) != 0;
  }
  // none: announces nothing. l2tp_v2 stands for both versions of L2TP.
  [[nodiscard]] TunnelKind kind_of(std::uint16_t port) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (ports_[i] == port) {
        return kinds_[i];
      }
    }
    return TunnelKind::none;
  }

 private:
  static constexpr std::size_t kGroup = 8;  // ports in a vector register
  static constexpr std::size_t kCapacity = 32;
  static_assert(7 * kMaxTunnelPorts <= kCapacity);

  constexpr void add(const std::array<std::uint16_t, kMaxTunnelPorts>& ports, TunnelKind kind) {
    for (const std::uint16_t port : ports) {
      if (port != 0) {
        ports_[count_] = port;
        kinds_[count_] = kind;
        ++count_;
      }
    }
  }

  alignas(16) std::array<std::uint16_t, kCapacity> ports_{};
  std::array<TunnelKind, kCapacity> kinds_{};
  std::uint8_t count_ = 0;
  std::uint8_t groups_ = 0;
};

struct DecodeOptions {
  TunnelPortTable ports;
  // Encapsulations peeled from one packet before it stops with `tunnel_too_deep`; ≤ kMaxTunnels.
  std::uint8_t max_tunnels = 4;
};

// Overwrites every field of `out`. `out` views into `frame`.
void decode(ByteSpan frame, const FrameInfo& info, const DecodeOptions& options, PacketView& out);
void decode(ByteSpan frame, const FrameInfo& info, PacketView& out);

// An IP datagram put together from fragments, as if it had come in place of `fragment`: link
// layer, tags and tunnel of `out` are the fragment's. `out` views into `datagram`; it must not be
// `fragment` itself. A fragment inside is decoded like any other.
void decode_datagram(ByteSpan datagram, const PacketView& fragment, const DecodeOptions& options,
                     PacketView& out);

// An ARP message for IPv4 over Ethernet (RFC 826, RFC 5227).
struct ArpView {
  std::uint16_t operation = 0;  // 1 request, 2 reply
  MacAddress sender_mac;
  IpAddress sender_ip;
  MacAddress target_mac;
  IpAddress target_ip;

  [[nodiscard]] bool is_reply() const { return operation == 2; }
  // Sender announces its own address.
  [[nodiscard]] bool is_gratuitous() const { return sender_ip == target_ip; }
  // Asks whether an address is free, sender address 0.0.0.0 (RFC 5227).
  [[nodiscard]] bool is_probe() const { return operation == 1 && sender_ip == IpAddress::v4(0); }
};

// `message` is PacketView::network of an ARP packet. Returns none, arp_truncated or arp_malformed
// (hardware not Ethernet, protocol not IPv4, or address sizes not 6 and 4); `out` is set only on
// none.
[[nodiscard]] DecodeReason parse_arp(ByteSpan message, ArpView& out);

}  // namespace imds::packet
