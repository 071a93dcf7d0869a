#include "transform.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/text.h"

namespace imds::sigma {
namespace {

using Kind = PatternToken::Kind;

constexpr std::array<std::string_view, 5> kDashes{"-", "/", "\xe2\x80\x93", "\xe2\x80\x94",
                                                  "\xe2\x80\x95"};

bool is_word(char c) {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

bool is_placeholder_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_word(c) || c == '-' || c == '.'; });
}

void append_code_unit(std::string& out, std::uint32_t unit, bool big_endian) {
  const char high = static_cast<char>(unit >> 8);
  const char low = static_cast<char>(unit & 0xff);
  out += big_endian ? high : low;
  out += big_endian ? low : high;
}

// `text` is well-formed: the file was checked.
std::string to_utf16(std::string_view text, bool big_endian) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t code = size == 1 ? lead : lead & (0x7fu >> size);
    for (std::size_t i = 1; i < size && at + i < text.size(); ++i) {
      code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fu);
    }
    at += size;
    if (code < 0x10000) {
      append_code_unit(out, code, big_endian);
    } else {
      append_code_unit(out, 0xd800 + ((code - 0x10000) >> 10), big_endian);
      append_code_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff), big_endian);
    }
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 |
              (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : std::uint8_t{0});
    }
    const std::size_t digits = std::min<std::size_t>(bytes.size() - at, 3) + 1;
    for (std::size_t i = 0; i < 4; ++i) {
      out += i < digits ? kAlphabet[(group >> (18 - 6 * i)) & 0x3f] : '=';
    }
  }
  return out;
}

// The digits that depend on `bytes` alone, if they begin `offset` bytes into a group of three.
std::string base64_at_offset(std::string_view bytes, std::size_t offset) {
  constexpr std::array<std::size_t, 3> kForeignFirst{0, 2, 3};
  constexpr std::array<std::size_t, 3> kForeignLast{0, 3, 2};
  const std::string whole = to_base64(std::string(offset, ' ') + std::string(bytes));
  const std::size_t first = kForeignFirst[offset];
  const std::size_t last = whole.size() - kForeignLast[(bytes.size() + offset) % 3];
  return first < last ? whole.substr(first, last - first) : std::string();
}

Pattern literal_pattern(std::string text) {
  Pattern pattern;
  if (!text.empty()) {
    pattern.tokens.push_back({Kind::literal, std::move(text)});
  }
  return pattern;
}

tl::unexpected<Error> too_many(const Context& context, const Node& node) {
  return context.error(node.position, in_quotes(node.text) + " stands for more than " +
                                          std::to_string(kMaxVariants) +
                                          " values; write several shorter ones");
}

// Every dash that begins a word, replaced by each dash there is.
Result<std::vector<Pattern>> dashes(const Context& context, const Node& node,
                                    const Pattern& pattern) {
  std::vector<Pattern> out(1);
  const auto append = [](Pattern& to, Kind kind, std::string_view text) {
    if (kind == Kind::literal && !to.tokens.empty() && to.tokens.back().kind == Kind::literal) {
      to.tokens.back().text += text;
    } else {
      to.tokens.push_back({kind, std::string(text)});
    }
  };
  for (const PatternToken& token : pattern.tokens) {
    if (token.kind != Kind::literal) {
      std::for_each(out.begin(), out.end(), [&](Pattern& p) { append(p, token.kind, {}); });
      continue;
    }
    const std::string_view text = token.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool is_dash = (text[i] == '-' || text[i] == '/') &&
                           (i == 0 || !is_word(text[i - 1])) && i + 1 < text.size() &&
                           is_word(text[i + 1]);
      if (!is_dash) {
        std::for_each(out.begin(), out.end(),
                      [&](Pattern& p) { append(p, Kind::literal, text.substr(i, 1)); });
        continue;
      }
      if (out.size() * kDashes.size() > kMaxVariants) {
        return too_many(context, node);
      }
      std::vector<Pattern> more;
      for (const Pattern& pattern_so_far : out) {
        for (const std::string_view dash : kDashes) {
          more.push_back(pattern_so_far);
          append(more.back(), Kind::literal, dash);
        }
      }
      out = std::move(more);
    }
  }
  return out;
}

Pattern to_utf16(const Pattern& pattern, Transform encoding) {
  Pattern out = pattern;
  for (PatternToken& token : out.tokens) {
    token.text = to_utf16(token.text, encoding == Transform::utf16be);
  }
  if (encoding == Transform::utf16) {
    const std::string mark = "\xff\xfe";
    if (!out.tokens.empty() && out.tokens.front().kind == Kind::literal) {
      out.tokens.front().text.insert(0, mark);
    } else {
      out.tokens.insert(out.tokens.begin(), {Kind::literal, mark});
    }
  }
  return out;
}

Result<std::vector<Pattern>> base64(const Context& context, const Node& node,
                                    const Pattern& pattern, Transform encoding) {
  const std::optional<std::string_view> bytes = pattern.literal();
  if (!bytes) {
    return context.error(node.position, "wildcards in " + in_quotes(node.text) +
                                            " have no base64 form; write '\\*' or '\\?' for the "
                                            "characters themselves");
  }
  std::vector<Pattern> out;
  if (encoding == Transform::base64) {
    out.push_back(literal_pattern(to_base64(*bytes)));
    return out;
  }
  for (std::size_t offset = 0; offset < 3; ++offset) {
    out.push_back(literal_pattern(base64_at_offset(*bytes, offset)));
    if (out.back().tokens.empty()) {
      return context.error(node.position, in_quotes(node.text) +
                                              " is too short for 'base64offset', which would find "
                                              "it everywhere");
    }
  }
  return out;
}

}  // namespace

std::string_view name(Transform transform) {
  switch (transform) {
    case Transform::expand:
      return "expand";
    case Transform::windash:
      return "windash";
    case Transform::utf16le:
      return "utf16le";
    case Transform::utf16be:
      return "utf16be";
    case Transform::utf16:
      return "utf16";
    case Transform::base64:
      return "base64";
    case Transform::base64offset:
      return "base64offset";
  }
  return "";
}

bool is_encoding(Transform transform) {
  return transform != Transform::expand && transform != Transform::windash;
}

Result<std::vector<std::string>> expand_placeholders(const Context& context, const Node& node) {
  std::vector<std::string> out(1);
  const std::string_view text = node.text;
  const auto append = [&](std::string_view piece) {
    std::for_each(out.begin(), out.end(), [&](std::string& s) { s += piece; });
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("\\%")) {
      append("%");
      at += 2;
      continue;
    }
    const std::size_t end = text[at] == '%' ? text.find('%', at + 1) : std::string_view::npos;
    const std::string_view name =
        end == std::string_view::npos ? std::string_view() : text.substr(at + 1, end - at - 1);
    if (!is_placeholder_name(name)) {
      append(text.substr(at, 1));
      ++at;
      continue;
    }
    const auto found = context.options.placeholders.find(std::string(name));
    if (found == context.options.placeholders.end() || found->second.empty()) {
      std::vector<std::string_view> known;
      for (const auto& [key, values] : context.options.placeholders) {
        known.push_back(key);
      }
      return context.error(locate(context.source, node, at),
                           "no value for the placeholder " + in_quotes(name) +
                               did_you_mean(nearest(name, known)) +
                               "; give it a list of values under rules.placeholders in the "
                               "configuration");
    }
    if (out.size() * found->second.size() > kMaxVariants) {
      return too_many(context, node);
    }
    std::vector<std::string> more;
    for (const std::string& so_far : out) {
      for (const std::string& value : found->second) {
        more.push_back(so_far + value);
      }
    }
    out = std::move(more);
    at = end + 1;
  }
  return out;
}

Result<std::vector<Pattern>> transform(const Context& context, const Node& node, Pattern pattern,
                                       const std::vector<Transform>& transforms) {
  std::vector<Pattern> patterns;
  patterns.push_back(std::move(pattern));
  for (const Transform step : transforms) {
    if (step == Transform::expand) {
      continue;
    }
    std::vector<Pattern> next;
    for (const Pattern& one : patterns) {
      if (step == Transform::utf16le || step == Transform::utf16be || step == Transform::utf16) {
        next.push_back(to_utf16(one, step));
        continue;
      }
      Result<std::vector<Pattern>> made = step == Transform::windash
                                              ? dashes(context, node, one)
                                              : base64(context, node, one, step);
      if (!made) {
        return made;
      }
      next.insert(next.end(), made->begin(), made->end());
    }
    if (next.size() > kMaxVariants) {
      return too_many(context, node);
    }
    patterns = std::move(next);
  }
  return patterns;
}

}  // namespace imds::sigma
