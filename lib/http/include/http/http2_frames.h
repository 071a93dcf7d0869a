// HTTP/2 frames (RFC 9113) of one direction of a connection, walked without reading their bodies:
// header blocks are handed out piece by piece, everything else is passed by length.
//
// Plain state of 28 bytes, resumable at any byte; nothing is copied or allocated. One owner.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/cursor.h"

namespace imds::http {

// The client's connection preface (RFC 9113, 3.4).
inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t kHttp2FrameHeaderSize = 9;

// What the walker found in the bytes it was given.
struct Http2Piece {
  enum class Kind : std::uint8_t {
    more,       // all bytes were passed; nothing to hand out
    fragment,   // a piece of a header block, perhaps empty
    malformed,  // no HTTP/2 server would go on: the connection cannot be followed any further
  };
  Kind kind = Kind::more;
  bool begins_block = false;  // the first piece of its block
  bool ends_block = false;    // the last one
  bool promise = false;       // of a PUSH_PROMISE: no request, but its compression counts
  std::size_t consumed = 0;   // bytes at the front that are done with, `fragment` included
  std::uint32_t stream = 0;   // of the block
  ByteSpan fragment;          // a view into the bytes given
};

class Http2FrameWalker {
 public:
  // The next bytes of the direction, in order, each once: the first are those behind the preface.
  // Call again with what is not consumed. Padding and priority are left out of fragments. Frames
  // of other types, known or not, are passed, also where they may not stand (between HEADERS and
  // CONTINUATION). Malformed are padding longer than its frame, a block that begins inside another
  // and a CONTINUATION without its block.
  [[nodiscard]] Http2Piece next(ByteSpan bytes);

  // So many of the next bytes have no meaning here: they may be missing.
  [[nodiscard]] std::uint32_t skippable() const { return state_ == State::skip ? remaining_ : 0; }
  // `count` bytes of the direction were lost: true if all of them were skippable, and the walker
  // goes on behind them. Otherwise it cannot go on.
  [[nodiscard]] bool pass_gap(std::uint64_t count);
  // A header block has begun and not ended.
  [[nodiscard]] bool in_block() const { return block_open_; }
  // The block begun last is a PUSH_PROMISE's.
  [[nodiscard]] bool is_promise() const { return promise_; }

 private:
  enum class State : std::uint8_t { header, pad_length, prefix, fragment, skip };
  [[nodiscard]] bool begin_frame();
  [[nodiscard]] bool begin_block(bool promise, std::uint32_t stream);
  [[nodiscard]] bool take_pad_length(std::uint8_t length);
  [[nodiscard]] Http2Piece take_fragment(ByteSpan bytes);

  std::uint32_t remaining_ = 0;     // of the frame, without padding while that follows
  std::uint32_t block_stream_ = 0;  // whose header block is open, or was
  std::array<std::uint8_t, kHttp2FrameHeaderSize> header_{};
  std::uint8_t have_ = 0;         // bytes of header_
  std::uint8_t padding_ = 0;      // after the fragment
  std::uint8_t prefix_left_ = 0;  // bytes of priority or promised stream
  State state_ = State::header;
  bool block_open_ = false;
  bool block_begins_ = false;  // no piece of it was handed out yet
  bool promise_ = false;
  bool ends_headers_ = false;
};
static_assert(sizeof(Http2FrameWalker) == 28);

// The first look of looks_like_http2_frames(): a few instructions.
[[nodiscard]] inline bool may_be_http2_frame(ByteSpan bytes) {
  return bytes.size() >= kHttp2FrameHeaderSize && bytes[0] == 0 && bytes[3] <= 9 && bytes[5] < 0x80;
}

// Do these bytes, from the middle of an unknown stream, begin with HTTP/2 frames? Strict: a frame
// of a type RFC 9113 knows whose length, flags and stream go with that type and with the default
// SETTINGS_MAX_FRAME_SIZE, and behind it either another such frame or the very end of the bytes.
// Chance finds it in fewer than one of 10^9 segments of random bytes.
[[nodiscard]] bool looks_like_http2_frames(ByteSpan bytes);

}  // namespace imds::http
