// How long a message body is, and getting past it without reading it.
//
// Plain state of a few words that can live in a flow; lengths are 64 bit. One owner.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cursor.h"
#include "http/head.h"

namespace imds::http {

enum class BodyKind : std::uint8_t {
  none,         // the next byte begins another message
  length,       // `length` bytes follow
  chunked,      // RFC 9112, 7.1
  until_close,  // everything that follows
  tunnel,       // after a CONNECT: another protocol follows, perhaps HTTP again: probe anew
  upgrade,      // after Upgrade: the next bytes may be another protocol: probe anew
};

struct BodyPlan {
  BodyKind kind = BodyKind::none;
  // Content-Length and Transfer-Encoding disagree, differ among themselves, are invalid or written
  // oddly, or lines end in a bare CR: another reader may see another end. `kind` is RFC 9112's
  // choice; who must miss nothing looks for requests everywhere behind the head (find_request()).
  bool conflicting = false;
  std::uint64_t length = 0;
};

// RFC 9112, 6.3. A request that asks for an upgrade may still have a body and may be refused:
// `upgrade` is planned only when no body is announced. A transfer coding that does not end in
// chunked, and an invalid Content-Length, are conflicting with kind none.
[[nodiscard]] BodyPlan plan_request_body(const RequestHead& head);
[[nodiscard]] BodyPlan plan_body(std::string_view method, const Framing& framing);

// The answer to a request with `request_method` (empty if unknown: taken as GET). 1xx except 101,
// 204, 304 and answers to HEAD have none; 2xx to CONNECT is a tunnel; 101 is an upgrade.
[[nodiscard]] BodyPlan plan_response_body(const ResponseHead& head,
                                          std::string_view request_method);

enum class SkipStatus : std::uint8_t {
  more,       // the body goes on after these bytes
  complete,   // the body ended
  malformed,  // not a chunked body (any more): probe the rest
};

struct Skipped {
  // Bytes at the front that belong to the body. With complete and malformed the rest does not.
  std::size_t consumed = 0;
  SkipStatus status = SkipStatus::more;
};

// Reads the chunk framing of RFC 9112, 7.1: sizes of up to 16 hexadecimal digits below 2^63, chunk
// extensions, trailers; lines may end in a bare LF. Lines longer than kLongestLine and more
// than kMostTrailerBytes of trailers are malformed.
class ChunkSkipper {
 public:
  static constexpr std::uint32_t kLongestLine = 4096;
  static constexpr std::uint32_t kMostTrailerBytes = 65536;

  [[nodiscard]] Skipped consume(ByteSpan bytes);
  // So many of the next bytes are chunk data and may be passed by offset with skip().
  [[nodiscard]] std::uint64_t skippable() const { return state_ == State::data ? remaining_ : 0; }
  // Exactly as consume() of that many bytes, unseen. count ≤ skippable().
  void skip(std::uint64_t count);
  // Something was read that other readers may take otherwise: a line that ends in a bare LF, a bare
  // CR in an extension, a chunk of kUnlikelyChunk bytes or more.
  [[nodiscard]] bool ambiguous() const { return ambiguous_; }
  static constexpr std::uint64_t kUnlikelyChunk = std::uint64_t{1} << 24;

 private:
  friend class BodySkipper;
  enum class State : std::uint8_t {
    size_first,
    size,
    size_blank,
    extension,
    size_lf,
    data,
    data_end,
    data_lf,
    trailer_first,
    trailer,
    end_lf,
    complete,
    malformed,
  };
  State step(std::uint8_t byte);
  State after_size();

  std::uint64_t remaining_ = 0;  // chunk size so far, then data bytes left (or of the whole body)
  std::uint32_t line_ = 0;       // bytes of this line, then of all trailers
  State state_ = State::size_first;
  bool ambiguous_ = false;
  bool after_cr_ = false;  // in an extension
};

// Any body: built from a plan, fed the stream's bytes until it is complete.
class BodySkipper {
 public:
  BodySkipper() = default;  // complete at once
  explicit BodySkipper(const BodyPlan& plan);

  // until_close never completes. none, tunnel and upgrade are complete at once, consuming nothing.
  [[nodiscard]] Skipped consume(ByteSpan bytes);
  [[nodiscard]] std::uint64_t skippable() const;  // as ChunkSkipper; 2^64 - 1 for until_close
  void skip(std::uint64_t count);
  // As ChunkSkipper; a length is never ambiguous.
  [[nodiscard]] bool ambiguous() const { return kind_ == BodyKind::chunked && chunks_.ambiguous(); }
  // Bytes of the stream were lost (a gap of `count`): passes it by offset if all of it is
  // skippable, else the body's end is not known any more: false, and probe what follows.
  [[nodiscard]] bool pass_gap(std::uint64_t count);

 private:
  // Part of every flow's state: the kind lies in the padding, a length in chunks_.remaining_.
  [[no_unique_address]] ChunkSkipper chunks_;
  BodyKind kind_ = BodyKind::none;
};
static_assert(sizeof(BodySkipper) == 16);

}  // namespace imds::http
