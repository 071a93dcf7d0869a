// Finds where a message head ends, over any number of segments, reading each byte once.
//
// 8 bytes of plain state that can live in a flow. One owner.
#pragma once

#include <cstdint>

#include "base/cursor.h"

namespace imds::http {

class HeadEndFinder {
 public:
  enum class Status : std::uint8_t {
    need_more,
    complete,
    too_long,  // `limit` bytes without an end
  };
  struct Found {
    Status status = Status::need_more;
    // complete: bytes of this chunk that belong to the head, its last line feed included.
    // Otherwise the chunk's size.
    std::size_t consumed = 0;
  };

  // Feed the stream's bytes in order from the first byte of the head, each once. A head ends with
  // an empty line: CRLF CRLF, or with either CR missing. Blank lines before the first line
  // (RFC 9112, 2.2) belong to the head and do not end it. After complete or too_long: reset().
  [[nodiscard]] Found feed(ByteSpan chunk, std::uint32_t limit = 65536);

  // Bytes fed so far.
  [[nodiscard]] std::uint32_t size() const { return size_; }
  void reset() { *this = HeadEndFinder(); }

 private:
  enum class State : std::uint8_t { leading, in_line, after_lf, after_lf_cr };
  std::uint32_t size_ = 0;
  State state_ = State::leading;
};
static_assert(sizeof(HeadEndFinder) == 8);

// An HTTP/0.9 simple request: a known method, a blank and a target without version, ended by a
// line feed: "GET /latest/meta-data/\r\n". It has no headers and never an empty line, so
// HeadEndFinder would wait for ever: check this when it needs more. Returns the bytes of
// the request, its line feed included; 0 if `bytes` is not (or not yet) one.
[[nodiscard]] std::size_t simple_request_size(ByteSpan bytes);

// A head whose lines all end in a bare CR: bytes up to and with the second of the two CRs that end
// it. 0 if there is a line feed, or no end yet.
[[nodiscard]] std::size_t bare_cr_head_size(ByteSpan bytes);

}  // namespace imds::http
