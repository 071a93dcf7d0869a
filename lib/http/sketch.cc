#include "http/sketch.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <emmintrin.h>

#include "fields.h"
#include "host.h"
#include "plain_target.h"
#include "text.h"

namespace imds::http {

namespace {

constexpr std::size_t kBlock = 16;

// 16 bytes of text from `at`, zeros beyond its end.
__m128i block_at(std::string_view text, std::size_t at) {
  if (text.size() - at >= kBlock) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
  }
  alignas(kBlock) char padded[kBlock] = {};
  std::memcpy(padded, text.data() + at, text.size() - at);
  return _mm_load_si128(reinterpret_cast<const __m128i*>(padded));
}

// Bytes beyond ASCII.
std::uint32_t high_mask(__m128i block) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(block));
}

__m128i equal(__m128i block, char c) {
  return _mm_cmpeq_epi8(block, _mm_set1_epi8(c));
}
std::uint32_t equal_mask(__m128i block, char c) {
  return high_mask(equal(block, c));
}

std::uint16_t authority_disguise(std::string_view authority) {
  return is_plain_authority(authority) ? 0 : kHostForm;
}

std::uint16_t target_disguise(std::string_view method, std::string_view target) {
  if (target.front() == '/') {
    return path_and_query_disguise(target);
  }
  if (target == "*") {
    return 0;
  }
  std::size_t scheme = 0;
  if (starts_with_nocase(target, "http://")) {
    scheme = 7;
  } else if (starts_with_nocase(target, "https://")) {
    scheme = 8;
  } else if (iequals(method, "CONNECT") && target.find('/') == std::string_view::npos) {
    return authority_disguise(target);
  } else {
    return static_cast<std::uint16_t>(kTargetForm | path_and_query_disguise(target));
  }
  target.remove_prefix(scheme);
  const std::size_t end = std::min(target.find_first_of("/\\?#"), target.size());
  const std::string_view authority = target.substr(0, end);
  return static_cast<std::uint16_t>((authority.empty() ? kTargetForm : 0) |
                                    authority_disguise(authority) |
                                    path_and_query_disguise(target.substr(end)));
}

// The usual request line without looking at every byte; anything else is left to the parser.
RequestLine quick_request_line(std::string_view line) {
  constexpr std::string_view kVersion = " HTTP/1.";
  constexpr std::size_t kVersionSize = kVersion.size() + 1;
  RequestLine out;
  const std::size_t blank = line.substr(0, 8).find(' ');
  if (blank == std::string_view::npos || line.size() < blank + 2 + kVersionSize ||
      is_blank(line[blank + 1]) || is_blank(line[line.size() - kVersionSize - 1]) ||
      line.substr(line.size() - kVersionSize, kVersion.size()) != kVersion ||
      !is_known_method(line.substr(0, blank))) {
    return split_request_line(line);
  }
  out.method = line.substr(0, blank);
  out.target = line.substr(blank + 1, line.size() - kVersionSize - blank - 1);
  out.version = line.substr(line.size() - 3);
  out.valid = true;
  return out;
}

// What the header lines tell, gathered colon by colon.
class HeaderSketch {
 public:
  explicit HeaderSketch(std::string_view head) : head_(head) {}

  // The first colon of the line that begins at `line`.
  void colon(std::size_t line, std::size_t at) {
    const bool blank_before = at > line && is_blank(head_[at - 1]);
    if (blank_before || (at + 1 < head_.size() && head_[at + 1] != ' ') ||
        (at + 2 < head_.size() && (is_blank(head_[at + 2]) || is_line_end(head_[at + 2])))) {
      disguise_ |= kHeaderSpacing;
    }
    const std::string_view name = trim(head_.substr(line, at - line));
    switch (name.size()) {
      case 4:
        if (iequals(name, "host")) {
          disguise_ |= authority_disguise(value(at));
        }
        break;
      case 10:  // Connection; not User-Agent
        if (ascii_lower(name.front()) != 'c' || iequals(value(at), "keep-alive")) {
          break;
        }
        [[fallthrough]];
      case 7:   // Upgrade
      case 14:  // Content-Length
      case 17:  // Transfer-Encoding
        note_framing(name, value(at), blank_before, framing_);
        break;
      default:
        break;
    }
  }
  void fold() { disguise_ |= kFolded; }
  void bare_cr() { disguise_ |= kBareCr; }
  [[nodiscard]] std::uint16_t disguise() const { return static_cast<std::uint16_t>(disguise_); }
  [[nodiscard]] const Framing& framing() const { return framing_; }

 private:
  [[nodiscard]] std::string_view value(std::size_t colon) const {
    return trim(line_at(head_, colon + 1).text);
  }

  std::string_view head_;
  Framing framing_;
  unsigned disguise_ = 0;
};

// 64 bytes of the head as bit masks, bit i for byte i.
struct Masks {
  std::uint64_t feeds = 0;  // LF
  std::uint64_t colons = 0;
};

// `bare_crs` gets bits set where a byte other than LF stands behind a CR. at > 0.
Masks masks_at(std::string_view head, std::size_t at, __m128i& bare_crs) {
  Masks masks;
  const auto add = [&](std::size_t i, __m128i block, __m128i before) {
    const __m128i feeds = equal(block, '\n');
    bare_crs = _mm_or_si128(bare_crs, _mm_andnot_si128(feeds, equal(before, '\r')));
    masks.feeds |= std::uint64_t{high_mask(feeds)} << i;
    masks.colons |= std::uint64_t{equal_mask(block, ':')} << i;
  };
  if (head.size() - at >= 64) {
    const auto load = [bytes = head.data() + at](std::ptrdiff_t i) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + i));
    };
    add(0, load(0), load(-1));
    add(16, load(16), load(15));
    add(32, load(32), load(31));
    add(48, load(48), load(47));
    return masks;
  }
  for (std::size_t i = 0; at + i < head.size(); i += kBlock) {
    add(i, block_at(head, at + i), block_at(head, at + i - 1));
  }
  return masks;
}

// Walks the header lines from `start`, > 0, to the empty line, 64 bytes at a time. Of each line
// only the first colon is looked at; adding the bits where lines begin to the bits that are neither
// colon nor line feed carries each beginning to the first of either.
void walk_headers(std::string_view head, std::size_t start, HeaderSketch& out, __m128i& bare_crs) {
  std::size_t line = start;  // where the line under way begins
  std::uint64_t begins = 1;  // bit 0: a line begins with this block
  bool carried = false;      // a line that began earlier is still without stop
  for (std::size_t at = start; at < head.size(); at += 64) {
    const Masks masks = masks_at(head, at, bare_crs);
    const std::uint64_t stops = masks.feeds | masks.colons;
    const std::uint64_t starts = (masks.feeds << 1) | begins;
    std::uint64_t sum = 0;
    const bool overflow = __builtin_add_overflow(~stops, starts, &sum);
    const bool carry = __builtin_add_overflow(sum, std::uint64_t{carried}, &sum) || overflow;
    std::uint64_t lines = starts;
    for (std::uint64_t firsts = sum & stops; firsts != 0; firsts &= firsts - 1) {
      if (carried) {
        carried = false;
      } else {
        line = at + static_cast<std::size_t>(std::countr_zero(lines));
        lines &= lines - 1;
      }
      const auto bit = static_cast<std::size_t>(std::countr_zero(firsts));
      const std::size_t stop = at + bit;
      if ((masks.colons >> bit & 1) != 0) {
        out.colon(line, stop);
      } else if (stop == line || (stop == line + 1 && head[line] == '\r')) {
        return;
      }
      if (is_blank(head[line])) {
        out.fold();
      }
    }
    if (lines != 0) {
      line = at + static_cast<std::size_t>(std::countr_zero(lines));
    }
    carried = carry;
    begins = masks.feeds >> 63;
  }
  // A last line without line end.
  if (carried && line < head.size() && is_blank(head[line])) {
    out.fold();
  }
}

void sketch_headers(std::string_view head, std::size_t start, HeaderSketch& out) {
  __m128i bare_crs = _mm_setzero_si128();
  walk_headers(head, start, out, bare_crs);
  if (high_mask(bare_crs) != 0) {
    out.bare_cr();
  }
}

// The same as the parser finds: with a bare CR lines end where the walk does not see it.
Framing read_framing(std::string_view lines) {
  Framing framing;
  FieldReader reader(lines);
  FieldLine field;
  while (reader.next(field)) {
    std::string_view name;
    std::string_view value;
    if (split_field(field.first, name, value)) {
      note_framing(name, value, is_blank(name.data()[name.size()]), framing);
    }
  }
  return framing;
}

}  // namespace

RequestSketch sketch_request(ByteSpan raw_head) {
  RequestSketch sketch;
  const std::string_view head = as_text(raw_head);
  const Line line = line_at(head, leading_blank_lines(head));
  const RequestLine request = quick_request_line(line.text);
  if (!request.valid) {
    return sketch;
  }
  HeaderSketch headers(head);
  if (line.bare_cr) {
    headers.bare_cr();
  }
  sketch_headers(head, line.next, headers);
  sketch.valid = true;
  sketch.disguise = static_cast<std::uint16_t>(headers.disguise() |
                                               target_disguise(request.method, request.target));
  const bool bare_cr = (headers.disguise() & kBareCr) != 0;
  const Framing framing = bare_cr ? read_framing(head.substr(line.next)) : headers.framing();
  sketch.body = plan_body(request.method, framing);
  sketch.body.conflicting = sketch.body.conflicting || bare_cr ||
                            (request.version != "1.1" && framing.has_transfer_encoding);
  return sketch;
}

bool has_disguise(ByteSpan raw_head) {
  return sketch_request(raw_head).disguise != 0;
}

}  // namespace imds::http
