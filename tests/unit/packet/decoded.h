// Decodes for tests: keeps the bytes a view points into, in a buffer of exactly their size so that
// the sanitizer sees any read beyond.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "packet/decode.h"
#include "support/packet_builder.h"

namespace imds {

inline void PrintTo(DecodeReason reason, std::ostream* out) {
  *out << describe(reason).name;
}

}  // namespace imds

namespace imds::packet {

struct Decoded {
  std::unique_ptr<std::uint8_t[]> frame;
  std::size_t size = 0;
  PacketView view;

  [[nodiscard]] std::string_view payload() const {
    return {reinterpret_cast<const char*>(view.payload.data()), view.payload.size()};
  }
};

inline Decoded decoded(const support::Bytes& bytes, FrameInfo info = {},
                       const DecodeOptions& options = {}) {
  Decoded d;
  d.size = bytes.size();
  d.frame = std::make_unique<std::uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), d.frame.get());
  decode({d.frame.get(), d.size}, info, options, d.view);
  return d;
}

inline Decoded decoded(const support::PacketBuilder& builder, FrameInfo info = {},
                       const DecodeOptions& options = {}) {
  return decoded(builder.build(), info, options);
}

inline FrameInfo link(LinkType type) {
  FrameInfo info;
  info.link = type;
  return info;
}

// As a capture that kept the bytes given of a packet this long.
inline FrameInfo cut_from(std::size_t original_length) {
  FrameInfo info;
  info.original_length = static_cast<std::uint32_t>(original_length);
  return info;
}

}  // namespace imds::packet
