// Fragments made from a payload, and a Defragmenter that takes them as decoded packets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "flow/defragmenter.h"
#include "packet/decode.h"
#include "support/packet_builder.h"

namespace imds::flow {

using support::Bytes;
using support::PacketBuilder;

enum class Family { v4, v6 };

// One fragment as it is on the wire, without a link layer.
struct Wire {
  Family family = Family::v4;
  std::uint32_t id = 7;
  std::string source = "";  // of the family, unless given
  std::string destination = "";
  unsigned protocol = 17;
  Bytes ipv4_options = {};
  bool hop_by_hop = false;  // IPv6: in the unfragmentable part
  unsigned vlan = 0;

  [[nodiscard]] Bytes operator()(unsigned offset, bool more, const Bytes& bytes) const {
    PacketBuilder builder;
    if (vlan != 0) {
      builder.ethernet().vlan(vlan);
    }
    if (family == Family::v4) {
      builder.ipv4(source.empty() ? "10.0.0.1" : source, or_else(destination, "10.0.0.2"))
          .ip_id(id)
          .ipv4_fragment(offset, more)
          .next(protocol);
      if (!ipv4_options.empty()) {
        builder.ipv4_options(ipv4_options);
      }
    } else {
      builder.ipv6(or_else(source, "2001:db8::1"), or_else(destination, "2001:db8::2"));
      if (hop_by_hop) {
        builder.ipv6_extension(0);
      }
      builder.ipv6_fragment(offset, more, id).next(protocol);
    }
    return builder.bytes(bytes).build();
  }

 private:
  static std::string_view or_else(const std::string& text, std::string_view other) {
    return text.empty() ? other : std::string_view(text);
  }
};

struct Piece {
  unsigned offset;
  bool more;
  Bytes bytes;
};

// `size` bytes at most each; a multiple of 8.
inline std::vector<Piece> cut(const Bytes& payload, std::size_t size) {
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < payload.size(); at += size) {
    const std::size_t end = std::min(at + size, payload.size());
    pieces.push_back({static_cast<unsigned>(at), end < payload.size(),
                      Bytes(payload.begin() + static_cast<std::ptrdiff_t>(at),
                            payload.begin() + static_cast<std::ptrdiff_t>(end))});
  }
  return pieces;
}

inline Bytes text(std::string_view s) {
  return support::to_bytes(s);
}
inline std::string text(ByteSpan bytes) {
  return {bytes.begin(), bytes.end()};
}

struct Step {
  FragmentOutcome outcome;
  bool overlap;
  Bytes first;
  Bytes second;
};

class Bench {
 public:
  struct Lost {
    packet::PacketView view;
    std::string bytes;
  };

  explicit Bench(DefragmenterOptions options = {}) : defragmenter_(with_listener(options)) {}

  Step add(const Bytes& wire, bool of_interest = false, Seconds now = 0, unsigned depth = 0,
           packet::LinkType link = packet::LinkType::raw_ip) {
    packet::FrameInfo info;
    info.link = link;
    packet::PacketView view;
    packet::decode(wire, info, view);
    EXPECT_TRUE(view.is_fragment);
    const Added added =
        defragmenter_.add(view, {now, of_interest, static_cast<std::uint8_t>(depth), 3}, buffers_);
    return {added.outcome, added.overlap, Bytes(added.first.begin(), added.first.end()),
            Bytes(added.second.begin(), added.second.end())};
  }
  [[nodiscard]] Defragmenter& defragmenter() { return defragmenter_; }
  [[nodiscard]] const DefragmenterCounters& counters() const { return defragmenter_.counters(); }
  [[nodiscard]] std::uint64_t count(FragmentOutcome outcome) const {
    return counters().fragments[static_cast<std::size_t>(outcome)].get();
  }
  [[nodiscard]] const std::vector<Lost>& lost() const { return lost_; }

 private:
  DefragmenterOptions with_listener(DefragmenterOptions options) {
    options.secret = HashSecret::from_seed(1);
    options.on_lost = [](void* context, const packet::PacketView& view, ByteSpan bytes,
                         std::uint16_t label) {
      EXPECT_EQ(label, 3);
      static_cast<Bench*>(context)->lost_.push_back({view, text(bytes)});
    };
    options.on_lost_context = this;
    return options;
  }

  Defragmenter defragmenter_;
  ReadingBuffers buffers_;
  std::vector<Lost> lost_;
};

// The payload of a datagram with a header of `header_size`.
inline std::string payload(const Bytes& datagram, std::size_t header_size = 20) {
  if (datagram.size() < header_size) {
    return "";
  }
  return text(ByteSpan(datagram).subspan(header_size));
}

}  // namespace imds::flow
