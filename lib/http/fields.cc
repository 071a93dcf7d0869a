#include "fields.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace imds::http {

namespace {

constexpr std::uint64_t kMostLength = (std::uint64_t{1} << 63) - 1;

// Calls each(element) for the trimmed elements of a comma-separated list.
template <typename Each>
void for_each_element(std::string_view list, Each&& each) {
  while (true) {
    const std::size_t comma = list.find(',');
    each(trim(list.substr(0, comma)));
    if (comma == std::string_view::npos) {
      return;
    }
    list.remove_prefix(comma + 1);
  }
}

bool parse_length(std::string_view digits, std::uint64_t& length) {
  length = 0;
  for (const char c : digits) {
    if (!is_digit(c)) {
      return false;
    }
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (length > (kMostLength - digit) / 10) {
      return false;
    }
    length = length * 10 + digit;
  }
  return !digits.empty();
}

}  // namespace

// A list of equal numbers is one number (RFC 9110, 8.6).
void note_content_length(std::string_view value, Framing& framing) {
  for_each_element(value, [&framing](std::string_view element) {
    std::uint64_t length = 0;
    if (!parse_length(element, length) ||
        (framing.has_content_length && length != framing.content_length)) {
      framing.bad_content_length = true;
    } else {
      framing.content_length = length;
      framing.has_content_length = true;
    }
  });
}

namespace {

constexpr std::array<std::string_view, 5> kCompressions = {"gzip", "deflate", "compress", "x-gzip",
                                                           "x-compress"};

// A coding nobody registered, or chunked twice: some reader will take no notice of it.
void note_transfer_encoding(std::string_view value, Framing& framing) {
  framing.has_transfer_encoding = true;
  for_each_element(value, [&framing](std::string_view element) {
    const std::string_view coding = trim(element.substr(0, element.find(';')));
    const bool chunked = iequals(coding, "chunked");
    const bool known =
        chunked ? !framing.chunked
                : std::any_of(kCompressions.begin(), kCompressions.end(),
                              [coding](std::string_view name) { return iequals(coding, name); });
    framing.ambiguous = framing.ambiguous || !known;
    framing.chunked = chunked;
  });
}

void note_connection(std::string_view value, Framing& framing) {
  for_each_element(value, [&framing](std::string_view element) {
    framing.close = framing.close || iequals(element, "close");
    framing.keep_alive = framing.keep_alive || iequals(element, "keep-alive");
    framing.connection_upgrade = framing.connection_upgrade || iequals(element, "upgrade");
  });
}

}  // namespace

bool split_field(std::string_view line, std::string_view& name, std::string_view& value) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return false;
  }
  name = trim(line.substr(0, colon));
  value = trim(line.substr(colon + 1));
  return !name.empty();
}

void note_framing(std::string_view name, std::string_view value, bool odd_form, Framing& framing) {
  switch (name.size()) {
    case 7:
      framing.has_upgrade = framing.has_upgrade || iequals(name, "upgrade");
      break;
    case 10:
      if (iequals(name, "connection")) {
        note_connection(value, framing);
      }
      break;
    case 14:
      if (iequals(name, "content-length")) {
        framing.ambiguous = framing.ambiguous || odd_form;
        note_content_length(value, framing);
      }
      break;
    case 17:
      if (iequals(name, "transfer-encoding")) {
        framing.ambiguous = framing.ambiguous || odd_form;
        note_transfer_encoding(value, framing);
      }
      break;
    default:
      break;
  }
}

void note_known(const Header& header, bool odd_form, HeaderBlock& out) {
  const auto keep_first = [&header](std::string_view name, std::string_view& slot) {
    if (slot.data() == nullptr && iequals(header.name, name)) {
      slot = header.value;
    }
  };
  switch (header.name.size()) {
    case 4:
      if (iequals(header.name, "host")) {
        out.repeated_host =
            out.repeated_host || (out.host.data() != nullptr && out.host != header.value);
        keep_first("host", out.host);
      }
      return;
    case 6:
      keep_first("server", out.server);
      return;
    case 7:
      keep_first("upgrade", out.upgrade);
      break;
    case 10:
      keep_first("user-agent", out.user_agent);
      break;
    case 12:
      keep_first("content-type", out.content_type);
      return;
    default:
      break;
  }
  note_framing(header.name, header.value, odd_form, out.framing);
}

}  // namespace imds::http
