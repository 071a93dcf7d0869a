#include "http/http2_frames.h"

#include <algorithm>
#include <cstring>

namespace imds::http {

namespace {

// RFC 9113, 6.
enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
enum Flag : std::uint8_t {
  kEndStream = 0x01,
  kAck = 0x01,
  kEndHeaders = 0x04,
  kPadded = 0x08,
  kPriorityGiven = 0x20,
};
constexpr std::uint8_t kPrioritySize = 5;  // exclusive bit and dependency, weight
constexpr std::uint8_t kPromisedSize = 4;
constexpr std::uint32_t kStreamMask = 0x7fffffff;
constexpr std::uint32_t kDefaultMaxFrameSize = 16384;

struct FrameHeader {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  bool reserved = false;
};

FrameHeader read_header(const std::uint8_t* p) {
  FrameHeader header;
  header.length = std::uint32_t{p[0]} << 16 | load_be16(p + 1);
  header.type = p[3];
  header.flags = p[4];
  const std::uint32_t stream = load_be32(p + 5);
  header.stream = stream & kStreamMask;
  header.reserved = (stream & ~kStreamMask) != 0;
  return header;
}

}  // namespace

bool Http2FrameWalker::begin_block(bool promise, std::uint32_t stream) {
  if (block_open_) {
    return false;
  }
  block_open_ = true;
  block_begins_ = true;
  promise_ = promise;
  block_stream_ = stream;
  return true;
}

// The nine bytes are there. False: malformed.
bool Http2FrameWalker::begin_frame() {
  const FrameHeader frame = read_header(header_.data());
  have_ = 0;
  remaining_ = frame.length;
  padding_ = 0;
  prefix_left_ = 0;
  const bool headers = frame.type == kHeaders;
  if (headers || frame.type == kPushPromise) {
    if (!begin_block(!headers, frame.stream)) {
      return false;
    }
    prefix_left_ = !headers ? kPromisedSize : (frame.flags & kPriorityGiven) ? kPrioritySize : 0;
    const bool padded = (frame.flags & kPadded) != 0;
    state_ = padded ? State::pad_length : State::prefix;
    ends_headers_ = (frame.flags & kEndHeaders) != 0;
    return prefix_left_ + (padded ? 1u : 0u) <= remaining_;
  }
  if (frame.type == kContinuation) {
    state_ = State::fragment;
    ends_headers_ = (frame.flags & kEndHeaders) != 0;
    return block_open_ && frame.stream == block_stream_;
  }
  state_ = State::skip;
  return true;
}

bool Http2FrameWalker::take_pad_length(std::uint8_t length) {
  --remaining_;
  if (remaining_ < std::uint32_t{prefix_left_} + length) {
    return false;
  }
  padding_ = length;
  remaining_ -= length;
  state_ = State::prefix;
  return true;
}

Http2Piece Http2FrameWalker::take_fragment(ByteSpan bytes) {
  Http2Piece piece;
  piece.kind = Http2Piece::Kind::fragment;
  piece.fragment = bytes.first(std::min<std::size_t>(remaining_, bytes.size()));
  piece.begins_block = block_begins_;
  piece.promise = promise_;
  piece.stream = block_stream_;
  block_begins_ = false;
  remaining_ -= static_cast<std::uint32_t>(piece.fragment.size());
  if (remaining_ == 0) {
    piece.ends_block = ends_headers_;
    block_open_ = !ends_headers_;
    state_ = State::skip;
    remaining_ = padding_;
  }
  return piece;
}

Http2Piece Http2FrameWalker::next(ByteSpan bytes) {
  std::size_t at = 0;
  const auto take = [&](std::size_t wanted) {
    const std::size_t count = std::min(wanted, bytes.size() - at);
    at += count;
    return count;
  };
  const auto stopped = [&at](Http2Piece::Kind kind) {
    Http2Piece piece;
    piece.kind = kind;
    piece.consumed = at;
    return piece;
  };
  while (true) {
    switch (state_) {
      case State::header: {
        const std::uint8_t* from = bytes.data() + at;
        const std::size_t count = take(kHttp2FrameHeaderSize - have_);
        if (count > 0) {
          std::memcpy(header_.data() + have_, from, count);
        }
        have_ = static_cast<std::uint8_t>(have_ + count);
        if (have_ < kHttp2FrameHeaderSize) {
          return stopped(Http2Piece::Kind::more);
        }
        if (!begin_frame()) {
          return stopped(Http2Piece::Kind::malformed);
        }
        break;
      }
      case State::pad_length:
        if (at == bytes.size()) {
          return stopped(Http2Piece::Kind::more);
        }
        if (!take_pad_length(bytes[at++])) {
          return stopped(Http2Piece::Kind::malformed);
        }
        break;
      case State::prefix: {
        const std::size_t count = take(prefix_left_);
        prefix_left_ = static_cast<std::uint8_t>(prefix_left_ - count);
        remaining_ -= static_cast<std::uint32_t>(count);
        if (prefix_left_ > 0) {
          return stopped(Http2Piece::Kind::more);
        }
        state_ = State::fragment;
        break;
      }
      case State::fragment: {
        if (remaining_ > 0 && at == bytes.size()) {
          return stopped(Http2Piece::Kind::more);
        }
        Http2Piece piece = take_fragment(bytes.subspan(at));
        piece.consumed = at + piece.fragment.size();
        return piece;
      }
      case State::skip:
        remaining_ -= static_cast<std::uint32_t>(take(remaining_));
        if (remaining_ > 0) {
          return stopped(Http2Piece::Kind::more);
        }
        state_ = State::header;
        break;
    }
  }
}

bool Http2FrameWalker::pass_gap(std::uint64_t count) {
  if (count > skippable()) {
    return false;
  }
  remaining_ -= static_cast<std::uint32_t>(count);
  return true;
}

namespace {

bool only_flags(const FrameHeader& frame, unsigned allowed) {
  return (frame.flags & ~allowed) == 0;
}

// A stream that carries requests: opened by the client (RFC 9113, 5.1.1).
bool on_request_stream(const FrameHeader& frame) {
  return frame.stream % 2 == 1;
}

// Setting identifiers in use are small; reserved ones of RFC 8701's kind are 0x?a?a.
bool plausible_settings(ByteSpan payload) {
  for (; payload.size() >= 6; payload = payload.subspan(6)) {
    const std::uint16_t id = load_be16(payload.data());
    if (id > 0xff && (id & 0x0f0f) != 0x0a0a) {
      return false;
    }
  }
  return true;
}

// Does the header describe a frame RFC 9113, 6 allows? `payload`: as much of it as is there.
bool plausible(const FrameHeader& frame, ByteSpan payload) {
  if (frame.length > kDefaultMaxFrameSize || frame.reserved) {
    return false;
  }
  switch (frame.type) {
    case kData:
      return on_request_stream(frame) && only_flags(frame, kEndStream | kPadded) &&
             (frame.length > 0 || (frame.flags & kEndStream) != 0);
    case kHeaders:
      return on_request_stream(frame) && frame.length > 0 &&
             only_flags(frame, kEndStream | kEndHeaders | kPadded | kPriorityGiven);
    case kPriority:
      return frame.stream != 0 && frame.length == kPrioritySize && only_flags(frame, 0);
    case kRstStream:
      return frame.stream != 0 && frame.length == 4 && only_flags(frame, 0);
    case kSettings:
      return frame.stream == 0 && frame.length % 6 == 0 && only_flags(frame, kAck) &&
             (frame.flags == 0 || frame.length == 0) && plausible_settings(payload);
    case kPushPromise:
      return on_request_stream(frame) && frame.length > kPromisedSize &&
             only_flags(frame, kEndHeaders | kPadded);
    case kPing:
      return frame.stream == 0 && frame.length == 8 && only_flags(frame, kAck);
    case kGoaway:
      return frame.stream == 0 && frame.length >= 8 && only_flags(frame, 0);
    case kWindowUpdate:
      return frame.length == 4 && only_flags(frame, 0) &&
             (payload.size() < 4 || (load_be32(payload.data()) - 1) < kStreamMask);
    case kContinuation:
      return on_request_stream(frame) && frame.length > 0 && only_flags(frame, kEndHeaders);
    default:
      return false;
  }
}

// A header block without its end goes on in the very next frame (RFC 9113, 6.10).
bool may_follow(const FrameHeader& first, const FrameHeader& next) {
  const bool in_block =
      (first.type == kHeaders || first.type == kContinuation) && (first.flags & kEndHeaders) == 0;
  return in_block == (next.type == kContinuation) && (!in_block || next.stream == first.stream);
}

}  // namespace

bool looks_like_http2_frames(ByteSpan bytes) {
  if (!may_be_http2_frame(bytes)) {
    return false;
  }
  const FrameHeader first = read_header(bytes.data());
  const ByteSpan rest = bytes.subspan(kHttp2FrameHeaderSize);
  if (rest.size() < first.length) {
    return false;
  }
  const ByteSpan behind = rest.subspan(first.length);
  if (!plausible(first, rest.first(first.length))) {
    return false;
  }
  if (behind.empty()) {
    // Nine zeros but for the type are too little to tell: empty frames that stand alone.
    return first.length > 0;
  }
  if (behind.size() < kHttp2FrameHeaderSize) {
    return false;
  }
  const FrameHeader next = read_header(behind.data());
  const ByteSpan next_payload = behind.subspan(kHttp2FrameHeaderSize);
  return plausible(next,
                   next_payload.first(std::min<std::size_t>(next.length, next_payload.size()))) &&
         may_follow(first, next);
}

}  // namespace imds::http
