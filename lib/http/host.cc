#include "host.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/simd.h"
#include "http/target.h"
#include "percent.h"
#include "text.h"

namespace imds::http {

namespace {

// Longer than any address in any form, encoded or not, that a reader would take for one.
constexpr std::size_t kLongestHost = 512;

// One number as inet_aton(3) reads it. Digits 8 and 9 after a leading 0 make it decimal after all,
// as readers without octal have it. False if it is not a number or exceeds 64 bits.
bool parse_number(std::string_view text, std::uint64_t& value) {
  unsigned base = 10;
  if (starts_with_nocase(text, "0x")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0' &&
             text.find_first_of("89") == std::string_view::npos) {
    base = 8;
  }
  if (text.empty() && base == 10) {
    return false;
  }
  value = 0;
  for (const char c : text) {
    const int digit = base == 16 ? hex_value(c) : is_digit(c) ? c - '0' : -1;
    if (digit < 0 || value >> 60 != 0) {
      return false;
    }
    value = value * base + static_cast<std::uint64_t>(digit);
  }
  return true;
}

// One to four numbers between dots; the last one fills the bytes that are left.
std::optional<IpAddress> parse_numbers(std::string_view host) {
  std::uint32_t address = 0;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = host.find('.');
    std::uint64_t value = 0;
    if (!parse_number(host.substr(0, dot), value)) {
      return std::nullopt;
    }
    if (dot == std::string_view::npos) {
      const int bits_left = 8 * (4 - part);
      return IpAddress::v4(
          address | static_cast<std::uint32_t>(value & ((std::uint64_t{1} << bits_left) - 1)));
    }
    address |= static_cast<std::uint32_t>(value & 0xff) << (8 * (3 - part));
    host.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

// IPv6 addresses that stand for the IPv4 address at `offset` within them.
struct Embedding {
  std::array<std::uint8_t, 12> prefix;
  std::size_t size;  // bytes of the prefix
  std::size_t offset;
};
constexpr std::array<Embedding, 5> kEmbeddings = {{
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 12},     // mapped (RFC 4291, 2.5.5.2)
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 12, 12},     // translated (RFC 2765, 2.1)
    {{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 12},  // NAT64 (RFC 6052, 2.1)
    {{0x20, 0x02}, 2, 2},                                     // 6to4 (RFC 3056, 2)
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 12},           // compatible (RFC 4291, 2.5.5.1)
}};

IpAddress embedded_v4(const IpAddress& address) {
  for (const Embedding& embedding : kEmbeddings) {
    if (!std::equal(embedding.prefix.begin(),
                    embedding.prefix.begin() + static_cast<std::ptrdiff_t>(embedding.size),
                    address.bytes.begin())) {
      continue;
    }
    const IpAddress v4 = IpAddress::v4_wire(address.bytes.data() + embedding.offset);
    // ::, ::1 and their neighbours are themselves.
    return v4.bytes[0] == 0 ? address : v4;
  }
  return address;
}

std::optional<IpAddress> parse_v6(std::string_view host) {
  host = host.substr(0, host.find('%'));  // zone (RFC 6874)
  const auto address = IpAddress::parse(host);
  if (!address || !address->is_v6()) {
    return std::nullopt;
  }
  return embedded_v4(*address);
}

// Services that answer a name with the address written in it, in whatever place:
// app.169.254.169.254.nip.io, 169-254-169-254.sslip.io, a9fea9fe.nip.io.
constexpr std::array<std::string_view, 4> kAddressNames = {".nip.io", ".sslip.io", ".xip.io",
                                                           ".traefik.me"};

// What stands before such a service's name; empty for other names.
std::string_view before_address_service(std::string_view host) {
  for (const std::string_view service : kAddressNames) {
    if (host.size() > service.size() &&
        iequals(host.substr(host.size() - service.size()), service)) {
      return host.substr(0, host.size() - service.size());
    }
  }
  return {};
}

// A decimal octet; -1 for anything else.
int octet(std::string_view text) {
  if (text.empty() || text.size() > 3) {
    return -1;
  }
  int value = 0;
  for (const char c : text) {
    if (!is_digit(c)) {
      return -1;
    }
    value = value * 10 + (c - '0');
  }
  return value > 255 ? -1 : value;
}

// Eight hexadecimal digits.
std::optional<IpAddress> hex_quad(std::string_view text) {
  std::uint32_t value = 0;
  for (const char c : text) {
    if (hex_value(c) < 0) {
      return std::nullopt;
    }
    value = value << 4 | static_cast<std::uint32_t>(hex_value(c));
  }
  return text.size() == 8 ? std::optional(IpAddress::v4(value)) : std::nullopt;
}

// fd00-ec2--254: a label that is an IPv6 address with dashes for colons.
std::optional<IpAddress> dashed_v6(std::string_view label) {
  std::array<char, 40> text;
  if (label.size() >= text.size() || label.find('-') == std::string_view::npos) {
    return std::nullopt;
  }
  std::replace_copy(label.begin(), label.end(), text.begin(), '-', ':');
  const auto address = IpAddress::parse({text.data(), label.size()});
  return address && address->is_v6() ? std::optional(embedded_v4(*address)) : std::nullopt;
}

// The address in the labels before the service's name: four octets in a row, between dots or
// dashes; else eight hexadecimal digits; else a dashed IPv6 address.
std::optional<IpAddress> address_in_labels(std::string_view labels) {
  std::optional<IpAddress> hex;
  std::uint32_t quad = 0;
  int octets = 0;
  for (std::size_t at = 0; at <= labels.size();) {
    const std::size_t end = std::min(labels.find_first_of(".-", at), labels.size());
    const std::string_view part = labels.substr(at, end - at);
    const int value = octet(part);
    octets = value < 0 ? 0 : octets + 1;
    quad = quad << 8 | static_cast<std::uint32_t>(std::max(value, 0));
    if (octets == 4) {
      return IpAddress::v4(quad);
    }
    hex = hex ? hex : hex_quad(part);
    at = end + 1;
  }
  for (std::size_t at = 0; !hex && at <= labels.size();) {
    const std::size_t end = std::min(labels.find('.', at), labels.size());
    hex = dashed_v6(labels.substr(at, end - at));
    at = end + 1;
  }
  return hex;
}

// Digits and dots that IDNA (UTS 46) maps to ASCII, beyond the fullwidth forms, which decoding has
// folded already. Returns the bytes taken and writes one or two characters; 0 for anything else.
std::size_t fold_idna(std::string_view text, char* out, std::size_t& written) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto put = [&](unsigned number) {
    written = 0;
    if (number >= 10) {
      out[written++] = static_cast<char>('0' + number / 10);
    }
    out[written++] = static_cast<char>('0' + number % 10);
  };
  written = 1;
  if (text.size() >= 2 && byte(0) == 0xc2) {
    if (byte(1) == 0xb9 || byte(1) == 0xb2 || byte(1) == 0xb3) {  // superscript 1, 2, 3
      put(byte(1) == 0xb9 ? 1 : byte(1) - 0xb0u);
      return 2;
    }
    return 0;
  }
  if (text.size() >= 4 && byte(0) == 0xf0 && byte(1) == 0x9d && byte(2) == 0x9f &&
      byte(3) >= 0x8e && byte(3) <= 0xbf) {  // mathematical digits
    put((byte(3) - 0x8eu) % 10);
    return 4;
  }
  if (text.size() < 3) {
    return 0;
  }
  const unsigned code = (byte(0) & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
  if ((byte(0) & 0xf0) != 0xe0) {
    return 0;
  }
  if (code == 0x3002 || code == 0xff61) {  // ideographic full stops
    out[0] = '.';
  } else if (code >= 0x2460 && code <= 0x2473) {  // circled 1 to 20
    put(code - 0x2460 + 1);
  } else if (code == 0x24ea) {  // circled 0
    put(0);
  } else if (code == 0x2070 || (code >= 0x2074 && code <= 0x2079)) {  // superscripts
    put(code - 0x2070);
  } else if (code >= 0x2080 && code <= 0x2089) {  // subscripts
    put(code - 0x2080);
  } else {
    return 0;
  }
  return 3;
}

// Letters, digits, `-` and `_`: what names are made of besides dots.
constexpr std::array<bool, 256> kNameChars = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c) {
    const char letter = static_cast<char>(c);
    table[c] = is_alpha(letter) || is_digit(letter) || letter == '-' || letter == '_';
  }
  return table;
}();

// What stands before the port of an authority.
struct NameShape {
  bool plain = false;          // made of labels and dots only
  bool upper = false;          // has upper-case letters
  std::size_t end = 0;         // of the colon, or of the text
  std::size_t last_label = 0;  // where it begins
};

NameShape long_name_shape(std::string_view text) {
  NameShape shape;
  for (; shape.end < text.size() && text[shape.end] != ':'; ++shape.end) {
    const char c = text[shape.end];
    shape.upper = shape.upper || (c >= 'A' && c <= 'Z');
    if (c == '.') {
      shape.last_label = shape.end + 1;
    } else if (!kNameChars[static_cast<std::uint8_t>(c)]) {
      return shape;
    }
  }
  shape.plain = true;
  return shape;
}

// The same for at most 32 bytes at once.
NameShape short_name_shape(std::string_view text, std::size_t readable) {
  const Block32 block = readable >= Block32::kSize ? Block32::load(text.data())
                                                   : Block32::load_part(text.data(), text.size());
  const std::uint64_t all = (std::uint64_t{1} << text.size()) - 1;
  const std::uint64_t colons = block.equal(':').mask() & all;
  const std::uint64_t host = colons == 0 ? all : (colons & -colons) - 1;
  const std::uint64_t dots = block.equal('.').mask() & host;
  const Block32 letters = (block | Block32::all(0x20)).within('a', 'z');
  const Block32 name = letters | block.within('0', '9') | block.equal('-') | block.equal('_');
  NameShape shape;
  shape.plain = ((name.mask() | dots) & host) == host;
  shape.upper = (block.within('A', 'Z').mask() & host) != 0;
  shape.end = static_cast<std::size_t>(std::popcount(host));
  shape.last_label = static_cast<std::size_t>(std::bit_width(dots));
  return shape;
}

bool is_canonical_quad(std::string_view host) {
  for (int part = 0; part < 4; ++part) {
    std::size_t digits = 0;
    unsigned value = 0;
    while (digits < host.size() && digits < 4 && is_digit(host[digits])) {
      value = value * 10 + static_cast<unsigned>(host[digits++] - '0');
    }
    if (digits == 0 || value > 255 || (digits > 1 && host.front() == '0')) {
      return false;
    }
    host.remove_prefix(digits);
    if (part < 3) {
      if (host.empty() || host.front() != '.') {
        return false;
      }
      host.remove_prefix(1);
    }
  }
  return host.empty();
}

NameShape name_shape(std::string_view text, std::size_t readable) {
  return text.size() <= Block32::kSize ? short_name_shape(text, readable) : long_name_shape(text);
}

bool is_plain(std::string_view text, const NameShape& shape) {
  if (!shape.plain) {
    return false;
  }
  if (shape.end < text.size()) {
    const std::string_view port = text.substr(shape.end + 1);
    if (port.empty() || port.front() == '0' || parse_port(port) == 0) {
      return false;
    }
  }
  const std::string_view host = text.substr(0, shape.end);
  if (host.empty()) {
    return false;
  }
  // No name ends in a label that begins with a digit; a number does, and a trailing dot hides it.
  if (shape.last_label == host.size()) {
    return false;
  }
  // Of the services that put an address into a name all end so.
  const char last = ascii_lower(host.back());
  if ((last == 'o' || last == 'e') && !before_address_service(host).empty()) {
    return false;
  }
  return !is_digit(host[shape.last_label]) || is_canonical_quad(host);
}

}  // namespace

Authority split_authority(std::string_view text) {
  Authority out;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    out.userinfo = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  std::size_t host_end = text.size();
  if (!text.empty() && text.front() == '[') {
    const std::size_t bracket = text.find(']');
    host_end = bracket == std::string_view::npos ? text.size() : bracket + 1;
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    // Several colons without brackets are an IPv6 address.
    host_end = colon;
  }
  out.host = text.substr(0, host_end);
  if (host_end < text.size() && text[host_end] == ':') {
    out.port = text.substr(host_end + 1);
  }
  return out;
}

std::uint16_t parse_port(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
    if (!is_digit(c) || value > 0xffff) {
      return 0;
    }
  }
  return static_cast<std::uint16_t>(value);
}

bool is_plain_authority(std::string_view text, std::size_t readable) {
  return text.empty() || is_plain(text, name_shape(text, readable));
}

bool is_normal_host(std::string_view host) {
  if (host.empty()) {
    return false;
  }
  const NameShape shape = name_shape(host, 0);
  return !shape.upper && shape.end == host.size() && is_plain(host, shape);
}

std::size_t decode_host(char* text, std::size_t size) {
  size = percent_decode(text, size);
  std::size_t to = 0;
  for (std::size_t from = 0; from < size;) {
    std::size_t written = 0;
    const bool wide = static_cast<std::uint8_t>(text[from]) >= 0xc2;
    const std::size_t taken = wide ? fold_idna({text + from, size - from}, text + to, written) : 0;
    if (taken == 0) {
      text[to++] = ascii_lower(text[from++]);
    } else {
      to += written;
      from += taken;
    }
  }
  while (to > 1 && text[to - 1] == '.') {
    --to;
  }
  return to;
}

std::optional<IpAddress> host_address(std::string_view host) {
  std::array<char, kLongestHost> decoded;
  if (host.empty() || host.size() > decoded.size()) {
    return std::nullopt;
  }
  std::memcpy(decoded.data(), host.data(), host.size());
  std::string_view text(decoded.data(), decode_host(decoded.data(), host.size()));
  // Readers in C see no further than a NUL.
  text = text.substr(0, text.find('\0'));
  if (!text.empty() && text.front() == '[') {
    text.remove_prefix(1);
    if (!text.empty() && text.back() == ']') {
      text.remove_suffix(1);
    }
    return parse_v6(text);
  }
  if (text.find(':') != std::string_view::npos) {
    return parse_v6(text);
  }
  if (const std::string_view labels = before_address_service(text); !labels.empty()) {
    return address_in_labels(labels);
  }
  return parse_numbers(text);
}

}  // namespace imds::http
