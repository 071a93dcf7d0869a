#include "http/ordinary_head.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/simd.h"
#include "fields.h"
#include "host.h"
#include "http/sketch.h"
#include "plain_target.h"
#include "text.h"

namespace imds::http {

namespace {

constexpr std::size_t kBlock = 64;
constexpr std::string_view kVersion = " HTTP/1.1";
constexpr std::string_view kAnswer = "HTTP/1.";

template <typename Word>
Word word_at(const char* at) {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Length of the method in front of " /"; 0 if it is none of the usual ones. Reads 9 bytes.
std::size_t usual_method(const char* at) {
  constexpr std::array<std::string_view, 6> kOthers = {"POST",   "HEAD",  "PUT",
                                                       "DELETE", "PATCH", "OPTIONS"};
  constexpr std::uint64_t kFive = 0xffffffffff;
  constexpr std::uint64_t kGet = 0x2f20544547;  // "GET /"
  if ((word_at<std::uint64_t>(at) & kFive) == kGet) {
    return 3;
  }
  for (const std::string_view method : kOthers) {
    if (std::memcmp(at, method.data(), method.size()) == 0 && at[method.size()] == ' ' &&
        at[method.size() + 1] == '/') {
      return method.size();
    }
  }
  return 0;
}

// A header's name in lower case, to be compared without regard to the case of ASCII letters.
template <std::size_t N>
struct Name {
  static constexpr std::size_t kSize = N - 1;
  using Word = std::conditional_t<(kSize >= 8), std::uint64_t, std::uint32_t>;
  static_assert(kSize >= sizeof(Word));

  std::array<char, kSize> text{};
  std::array<char, kSize> letters{};  // 0x20 where case does not count

  consteval explicit Name(const char (&name)[N]) {
    for (std::size_t i = 0; i < kSize; ++i) {
      text[i] = name[i];
      letters[i] = is_alpha(name[i]) ? 0x20 : 0;
    }
  }
  // The kSize bytes from `at`.
  [[nodiscard]] bool is_at(const char* at) const {
    const auto differs = [&](std::size_t i) {
      return (word_at<Word>(at + i) | word_at<Word>(&letters[i])) ^ word_at<Word>(&text[i]);
    };
    Word difference = differs(kSize - sizeof(Word));
    for (std::size_t i = 0; i + sizeof(Word) < kSize; i += sizeof(Word)) {
      difference |= differs(i);
    }
    return difference == 0;
  }
};
constexpr Name kHost("host");
constexpr Name kConnection("connection");
constexpr Name kUserAgent("user-agent");
constexpr Name kContentLength("content-length");

// Headers that have a place of their own in a HeaderBlock, by their names' first letters and sizes:
// bit n of kKnownSizes['x' & 31] if one that begins with x has n bytes.
constexpr std::array<std::uint32_t, 32> kKnownSizes = [] {
  std::array<std::uint32_t, 32> sizes{};
  for (const std::string_view name : {"host", "server", "upgrade", "user-agent", "connection",
                                      "content-type", "content-length", "transfer-encoding"}) {
    sizes[name.front() & 31] |= 1u << name.size();
  }
  return sizes;
}();

// Bits of 64 bytes, bit i for byte i.
struct LineEnds {
  std::uint64_t feeds = 0;
  std::uint64_t returns = 0;
};
LineEnds line_ends_at(const char* at) {
  const Block32 low = Block32::load(at);
  const Block32 high = Block32::load(at + Block32::kSize);
  const auto join = [](Block32 a, Block32 b) { return a.mask() | std::uint64_t{b.mask()} << 32; };
  return {join(low.equal('\n'), high.equal('\n')), join(low.equal('\r'), high.equal('\r'))};
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// What requests and answers have in common: lines, and the headers in them. FirstLine says what the
// first is: `bool operator()(begin, line_end, end)`, false if it is not ordinary; what else there
// is to note of a host: `void note_host(value, end)`.
template <typename FirstLine>
class OrdinaryReader {
 public:
  // `text` has kBlock bytes or more.
  OrdinaryReader(std::string_view text, HeaderBlock& fields, FirstLine& first)
      : begin_(text.data()), end_(text.data() + text.size()), fields_(fields), first_(first) {}

  // The head's size, or 0.
  std::size_t read() {
    clear(fields_);
    std::uint64_t return_before = 0;
    const char* line = nullptr;  // the header line under way
    for (const char* at = begin_; at < end_; at += kBlock) {
      const auto left = static_cast<std::size_t>(end_ - at);
      LineEnds ends = line_ends_at(left < kBlock ? end_ - kBlock : at);
      if (left < kBlock) {
        ends = {ends.feeds >> (kBlock - left), ends.returns >> (kBlock - left)};
      }
      // Behind each CR an LF, before each LF a CR: up to the first place where that does not hold.
      const std::uint64_t odd = ends.feeds ^ (ends.returns << 1 | return_before);
      const std::uint64_t in_order = odd == 0 ? ~std::uint64_t{0} : (odd & -odd) - 1;
      return_before = ends.returns >> (kBlock - 1);
      for (std::uint64_t feeds = ends.feeds & in_order; feeds != 0; feeds &= feeds - 1) {
        const char* const line_end = at + std::countr_zero(feeds) - 1;  // its CR
        if (line == nullptr) {
          if (!first_(begin_, line_end, end_)) {
            return 0;
          }
          first_header_ = line_end + 2;
        } else if (line_end == line) {
          return finish(line_end + 2);
        } else if (!header(line, line_end)) {
          return 0;
        }
        line = line_end + 2;
      }
      if (odd != 0) {
        return 0;
      }
    }
    return 0;
  }

 private:
  // The first colon from where a line begins, perhaps behind the line's end; end_ if there is none.
  [[nodiscard]] const char* colon(const char* line) const {
    const auto left = static_cast<std::size_t>(end_ - line);
    const std::uint32_t colons =
        left >= Block32::kSize
            ? Block32::load(line).equal(':').mask()
            : Block32::load(end_ - Block32::kSize).equal(':').mask() >> (Block32::kSize - left);
    if (colons != 0) [[likely]] {
      return line + std::countr_zero(colons);
    }
    return left > Block32::kSize ? std::find(line + Block32::kSize, end_, ':') : end_;
  }

  bool header(const char* line, const char* line_end) {
    const char* const at = colon(line);
    if (at >= line_end || at == line || fields_.kept_count == kMaxHeaders) {
      return false;
    }
    // The line's end has two bytes.
    const auto around = word_at<std::uint32_t>(at - 1);
    const bool plain = (around & 0xffff00) == 0x203a00 && (around & 0xff) > ' ' &&
                       around >> 24 > ' ' && static_cast<std::uint8_t>(*line) > ' ';
    if (!plain) {
      return false;
    }
    const char* value_end = line_end;
    while (is_blank(value_end[-1])) {
      --value_end;
    }
    Header& header = fields_.kept[fields_.kept_count++];
    header.name = between(line, at);
    header.value = between(at + 2, value_end);
    const auto size = static_cast<std::size_t>(at - line);
    const bool may_be_known = size < 32 && (kKnownSizes[*line & 31] >> size & 1) != 0;
    if (may_be_known) {
      note(header);
    }
    return true;
  }

  // As note_known().
  void note(const Header& header) {
    const char* const name = header.name.data();
    const std::size_t size = header.name.size();
    if (size == kUserAgent.kSize && kUserAgent.is_at(name)) {
      fields_.user_agent = fields_.user_agent.data() == nullptr ? header.value : fields_.user_agent;
      return;
    }
    if (size == kConnection.kSize && header.value == "keep-alive" && kConnection.is_at(name)) {
      fields_.framing.keep_alive = true;
      return;
    }
    if (size == kContentLength.kSize && kContentLength.is_at(name)) {
      note_content_length(header.value, fields_.framing);
      return;
    }
    if (size != kHost.kSize) {
      note_known(header, false, fields_);
      return;
    }
    if (!kHost.is_at(name)) {
      return;
    }
    if (fields_.host.data() == nullptr) {
      fields_.host = header.value;
    } else {
      fields_.repeated_host = fields_.repeated_host || fields_.host != header.value;
    }
    first_.note_host(header.value, end_);
  }

  std::size_t finish(const char* head_end) {
    const std::string_view lines = between(first_header_, head_end);
    fields_.bytes = {reinterpret_cast<const std::uint8_t*>(lines.data()), lines.size()};
    fields_.count = fields_.kept_count;
    return static_cast<std::size_t>(head_end - begin_);
  }

  const char* begin_;
  const char* end_;
  HeaderBlock& fields_;
  FirstLine& first_;
  const char* first_header_ = nullptr;
};

// The first line of a request; `method` as usual_method() has it.
struct RequestFirstLine {
  RequestHead& out;
  std::size_t method;
  unsigned disguise = 0;

  bool operator()(const char* begin, const char* line_end, const char* end) {
    if (line_end - begin < static_cast<std::ptrdiff_t>(method + 2 + kVersion.size())) {
      return false;
    }
    const char* const target = begin + method + 1;
    const char* const target_end = line_end - kVersion.size();
    const char minor = line_end[-1];
    if (std::memcmp(target_end, kVersion.data(), kVersion.size() - 1) != 0 ||
        (minor != '1' && minor != '0') || is_blank(target_end[-1])) {
      return false;
    }
    out.method = {begin, method};
    out.target = between(target, target_end);
    out.version_text = {line_end - 3, 3};
    out.version = minor == '1' ? Version::http11 : Version::http10;
    if (!is_plain_target(out.target, static_cast<std::size_t>(end - target))) {
      disguise |= path_and_query_disguise(out.target);
    }
    return true;
  }
  void note_host(std::string_view value, const char* end) {
    if (!is_plain_authority(value, static_cast<std::size_t>(end - value.data()))) {
      disguise |= kHostForm;
    }
  }
};

// The first line of an answer, which begins with kAnswer.
struct AnswerFirstLine {
  ResponseHead& out;

  bool operator()(const char* begin, const char* line_end, const char*) const {
    constexpr std::size_t kDigits = 3;
    const char* const status = begin + kAnswer.size() + 2;
    const char* const after = status + kDigits;
    if (line_end < after || !is_digit(status[0]) || status[0] == '0' || !is_digit(status[1]) ||
        !is_digit(status[2]) || (after < line_end && !is_blank(*after))) {
      return false;
    }
    out.version_text = {begin + kAnswer.size() - 2, 3};
    out.version = begin[kAnswer.size()] == '1' ? Version::http11 : Version::http10;
    out.status = static_cast<std::uint16_t>((status[0] - '0') * 100 + (status[1] - '0') * 10 +
                                            (status[2] - '0'));
    out.reason = trim(between(after, line_end));
    return true;
  }
  static void note_host(std::string_view, const char*) {}
};

}  // namespace

OrdinaryHead read_ordinary_head(ByteSpan bytes, std::uint32_t limit, RequestHead& out) {
  const std::string_view text = as_text(bytes).substr(0, limit);
  OrdinaryHead head;
  if (text.size() < kBlock) {
    return head;
  }
  const std::size_t method = usual_method(text.data());
  if (method == 0) {
    return head;
  }
  RequestFirstLine first{out, method};
  head.size = OrdinaryReader(text, out.fields, first).read();
  if (head.size != 0) {
    head.body = plan_request_body(out);
    head.disguise = static_cast<std::uint16_t>(first.disguise);
  }
  return head;
}

std::size_t read_ordinary_answer(ByteSpan bytes, std::uint32_t limit, ResponseHead& out) {
  const std::string_view text = as_text(bytes).substr(0, limit);
  if (text.size() < kBlock || std::memcmp(text.data(), kAnswer.data(), kAnswer.size()) != 0) {
    return 0;
  }
  const char minor = text[kAnswer.size()];
  if ((minor != '1' && minor != '0') || text[kAnswer.size() + 1] != ' ') {
    return 0;
  }
  AnswerFirstLine first{out};
  return OrdinaryReader(text, out.fields, first).read();
}

}  // namespace imds::http
