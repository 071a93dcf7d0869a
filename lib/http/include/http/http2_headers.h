// Header blocks of HTTP/2 (HPACK, RFC 7541) as the request fields that rules compare.
//
// An inflater holds one direction's compression state: it must be given every header block of that
// direction, in order and whole. Its memory comes from an Http2Memory (see there) and from nowhere
// else. Not shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <span>
#include <string_view>

#include "base/cursor.h"
#include "http/http2_memory.h"

namespace imds::http {

// Header lines that are written out; further ones are decompressed and only counted.
inline constexpr std::uint32_t kMaxHttp2Headers = 2048;
// Dynamic tables up to this size are followed, whatever the server has announced: its SETTINGS may
// not have been seen. The most a hostile client can fill is about 540 KiB of Http2Memory; with the
// default table of 4 KiB, about 40 KiB.
inline constexpr std::size_t kMaxHttp2TableSize = 65536;

// Where the text of one block is written; both must outlive the views of Http2HeaderBlock.
struct Http2Buffers {
  std::span<char> pseudo;   // values of pseudo-header fields
  std::span<char> headers;  // header text
};

// Views into the buffers; data() == nullptr: absent. First occurrences count; repeated and unknown
// pseudo-header fields stand in the header text under their names.
struct Http2HeaderBlock {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
  std::string_view protocol;  // extended CONNECT (RFC 8441)
  std::string_view host;      // the host field, else the authority
  std::string_view user_agent;
  // "name: value\n" for every field in order. :authority stands as "host: …", and a host field
  // that says the same does not stand twice; :protocol stands as itself.
  std::string_view headers;
  std::uint32_t count = 0;  // fields, pseudo-header fields included
  bool truncated = false;   // beyond the buffers or kMaxHttp2Headers: ends are missing

  // Trailers have no pseudo-header field (RFC 9113, 8.1).
  [[nodiscard]] bool is_request() const {
    return method.data() != nullptr || path.data() != nullptr || authority.data() != nullptr ||
           scheme.data() != nullptr;
  }
  // What HTTP/1.1 would have as request-target: with CONNECT and no path, the authority.
  [[nodiscard]] std::string_view target() const {
    return path.data() == nullptr && method == "CONNECT" ? authority : path;
  }
};

enum class Http2Inflated : std::uint8_t {
  ok,
  malformed,        // not HPACK, or a string longer than 64 KiB
  table_too_large,  // a dynamic table beyond kMaxHttp2TableSize
  no_memory,
};

class Http2Inflater {
 public:
  Http2Inflater() = default;  // holds nothing
  // False: no memory; then it holds nothing. `memory` must outlive the inflater.
  [[nodiscard]] bool open(nghttp2_mem& memory);
  void close() { state_.reset(); }
  [[nodiscard]] bool is_open() const { return state_ != nullptr; }

  // Only while open. `whole`: the block ends with these bytes; otherwise they are all there is of
  // it, and the inflater is of no more use. Unless ok, too, `out` has what stands before the
  // fault, and the inflater is of no more use. Takes time in proportion to block.size() (at most
  // 64 KiB are sensible), however much it expands to.
  [[nodiscard]] Http2Inflated inflate(ByteSpan block, bool whole, const Http2Buffers& buffers,
                                      Http2HeaderBlock& out);

 private:
  struct Delete {
    void operator()(nghttp2_hd_inflater* state) const { nghttp2_hd_inflate_del(state); }
  };
  std::unique_ptr<nghttp2_hd_inflater, Delete> state_;
};

// nghttp2's allocator interface over `memory`; keep it as long as any inflater that uses it.
[[nodiscard]] nghttp2_mem http2_allocator(Http2Memory& memory);

}  // namespace imds::http
