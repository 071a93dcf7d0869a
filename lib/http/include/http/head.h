// Message heads of HTTP/1.x parsed tolerantly: whatever some implementation would accept is read,
// and what is odd about it is noted.
//
// Results are views into the head's bytes and, where a header is folded, into the caller's scratch;
// they live as long as both. No allocation. The structs are about 4 KiB: keep one per worker and
// reuse it. Not shared.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cursor.h"

namespace imds::http {

// Headers kept as views; further ones are only counted, but those the engine needs (see
// HeaderBlock) are recognised wherever they stand.
inline constexpr std::size_t kMaxHeaders = 128;

struct Header {
  std::string_view name;   // as sent, blanks before the colon removed
  std::string_view value;  // without surrounding blanks; unfolded
};

// What the message says about its body and connection (RFC 9112, 6 and 9).
struct Framing {
  std::uint64_t content_length = 0;  // with has_content_length
  bool has_content_length = false;   // a valid one was seen
  bool bad_content_length = false;   // not a number below 2^63, or two that differ
  bool has_transfer_encoding = false;
  bool chunked = false;  // chunked is the last transfer coding
  // One of the two is written so that another reader may not see it: folded, with blanks before
  // the colon, or naming a coding that is none.
  bool ambiguous = false;
  bool has_upgrade = false;         // an Upgrade header
  bool connection_upgrade = false;  // Connection: upgrade
  bool close = false;               // Connection: close
  bool keep_alive = false;          // Connection: keep-alive

  [[nodiscard]] bool upgrade() const { return has_upgrade && connection_upgrade; }
};

struct HeaderBlock {
  ByteSpan bytes;  // all header lines as they stand in the head, empty line included
  std::array<Header, kMaxHeaders> kept;
  std::uint16_t kept_count = 0;
  std::uint32_t count = 0;  // header lines seen, kept or not

  // First occurrences; data() == nullptr when absent.
  std::string_view host;
  std::string_view user_agent;
  std::string_view server;
  std::string_view upgrade;
  std::string_view content_type;
  Framing framing;

  // Oddities.
  bool folded = false;  // a value continued on the next line (obs-fold, RFC 9112, 5.2)
  bool blank_before_colon = false;
  bool bare_lf = false;           // a line ended without CR
  bool bare_cr = false;           // a line ended without LF
  bool repeated_host = false;     // another Host header that differs
  bool unfold_truncated = false;  // scratch was too small: a folded value lost its end
  std::uint32_t malformed = 0;    // lines without a colon or with an empty name; not in `kept`

  [[nodiscard]] std::span<const Header> headers() const { return {kept.data(), kept_count}; }
  // First kept header of this name, regardless of case; nullptr if none.
  [[nodiscard]] const Header* find(std::string_view name) const;
};

enum class Version : std::uint8_t { http09, http10, http11, other };

struct RequestHead {
  std::string_view method;        // as sent
  std::string_view target;        // as sent; may contain blanks
  std::string_view version_text;  // "1.1", "1.0", …; "0.9" for a simple request
  Version version = Version::other;
  HeaderBlock fields;
};

struct ResponseHead {
  std::string_view version_text;
  Version version = Version::other;
  std::uint16_t status = 0;  // 100 to 999
  std::string_view reason;
  HeaderBlock fields;
};

// How sure it is that a request begins here, and so what its first line has to show.
enum class LineTrust : std::uint8_t {
  any,        // the stream's beginning, or where another message ended: anything parseable
  guessed,    // the beginning was not seen: an HTTP version, or one word for target (no prose)
  versioned,  // found somewhere in other bytes: an HTTP version
};
[[nodiscard]] bool is_trusted(const RequestHead& head, LineTrust trust);

enum class HeadStatus : std::uint8_t {
  ok,
  not_http,  // the first line is not a request line or status line; `out` is unspecified
};

// `head` runs from the first byte to the empty line; a head cut short (lost bytes, snap length) is
// parsed as far as it goes. `scratch` backs unfolded values; head.size() bytes always suffice.
// Blank lines in front, bare LF, bare CR, blanks before the colon, several blanks or tabs in the
// request line, blanks inside the target and any method token are accepted. Every field of `out` is
// set.
[[nodiscard]] HeadStatus parse_request_head(ByteSpan head, std::span<char> scratch,
                                            RequestHead& out);
[[nodiscard]] HeadStatus parse_response_head(ByteSpan head, std::span<char> scratch,
                                             ResponseHead& out);

struct HeaderText {
  std::string_view text;
  bool truncated = false;
};
// "Name: value\n" for every header in order, kept or not: unfolded (one blank for each fold),
// without blanks around name and value. A malformed line stands as it is. Written into `buffer`;
// what does not fit is left out and truncated is set. bytes.size() + count + 1 bytes suffice (the
// last line of a head cut short lacks its line feed).
[[nodiscard]] HeaderText write_header_text(const HeaderBlock& fields, std::span<char> buffer);

}  // namespace imds::http
