#include "http/preamble.h"

#include <algorithm>

#include "text.h"

namespace imds::http {

namespace {

constexpr Preamble kNeedMore{Probe::need_more, PreambleKind::none, 0, {}, {}};
constexpr std::uint8_t kConnect = 1;
constexpr std::uint8_t kBind = 2;
constexpr std::size_t kLongestText = 255;

Preamble message(PreambleKind kind, std::size_t size) {
  return {Probe::yes, kind, size, {}, {}};
}

// A text up to its NUL, from `at`. With yes, `at` is behind the NUL.
Probe take_text(std::string_view bytes, std::size_t& at, std::string_view& text) {
  const std::size_t end = bytes.find('\0', at);
  const std::size_t size = std::min(end, bytes.size()) - at;
  if (size > kLongestText) {
    return Probe::no;
  }
  if (end == std::string_view::npos) {
    return Probe::need_more;
  }
  text = bytes.substr(at, size);
  at = end + 1;
  return Probe::yes;
}

// 4, command, port, address, user NUL [name NUL if the address is 0.0.0.x].
Preamble read_socks4(ByteSpan bytes) {
  constexpr std::size_t kFixed = 8;
  if (bytes.size() > 1 && bytes[1] != kConnect && bytes[1] != kBind) {
    return {};
  }
  if (bytes.size() < kFixed) {
    return kNeedMore;
  }
  Preamble out = message(PreambleKind::socks4, kFixed);
  const std::string_view text = as_text(bytes);
  std::string_view user;
  out.verdict = take_text(text, out.size, user);
  const bool by_name = bytes[4] == 0 && bytes[5] == 0 && bytes[6] == 0 && bytes[7] != 0;
  if (!by_name) {
    out.address = IpAddress::v4_wire(&bytes[4]);
  } else if (out.verdict == Probe::yes) {
    out.verdict = take_text(text, out.size, out.name);
  }
  return out;
}

// 5, count, methods: 0 to 9 are assigned, 0x80 and above private.
Preamble read_socks5_methods(ByteSpan bytes) {
  if (bytes.size() > 1 && bytes[1] == 0) {
    return {};
  }
  const std::size_t size = bytes.size() > 1 ? 2 + std::size_t{bytes[1]} : 3;
  const auto is_method = [](std::uint8_t m) { return m <= 9 || m >= 0x80; };
  const auto first =
      bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(2, bytes.size()));
  const auto last = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(size, bytes.size()));
  if (!std::all_of(first, last, is_method)) {
    return {};
  }
  return bytes.size() < size ? kNeedMore : message(PreambleKind::socks5_methods, size);
}

// 1, user name, password, each with its length in front.
Preamble read_socks5_login(ByteSpan bytes) {
  if (bytes.size() < 2 || bytes.size() < 3u + bytes[1]) {
    return kNeedMore;
  }
  const std::size_t password = 2u + bytes[1];
  const std::size_t size = password + 1 + bytes[password];
  return bytes.size() < size ? kNeedMore : message(PreambleKind::socks5_login, size);
}

// 5, command, 0, address type, address, port.
Preamble read_socks5_request(ByteSpan bytes) {
  constexpr std::size_t kAddress = 4;
  constexpr std::uint8_t kV4 = 1, kName = 3, kV6 = 4;
  if ((bytes.size() > 1 && bytes[1] != kConnect && bytes[1] != kBind) ||
      (bytes.size() > 2 && bytes[2] != 0)) {
    return {};
  }
  if (bytes.size() <= kAddress) {
    return kNeedMore;
  }
  const std::uint8_t type = bytes[3];
  if (type != kV4 && type != kName && type != kV6) {
    return {};
  }
  const std::size_t length = type == kV4 ? 4 : type == kV6 ? 16 : std::size_t{1} + bytes[kAddress];
  Preamble out = message(PreambleKind::socks5_request, kAddress + length + 2);
  if (bytes.size() < out.size) {
    return kNeedMore;
  }
  if (type == kName) {
    out.name = as_text(bytes.subspan(kAddress + 1, length - 1));
  } else {
    out.address =
        type == kV4 ? IpAddress::v4_wire(&bytes[kAddress]) : IpAddress::v6_wire(&bytes[kAddress]);
  }
  return out;
}

// As far as there are bytes.
bool agrees(std::string_view text, std::string_view expected) {
  const std::size_t common = std::min(text.size(), expected.size());
  return text.substr(0, common) == expected.substr(0, common);
}

Preamble read_proxy_v1(std::string_view text) {
  constexpr std::size_t kLongest = 107;
  constexpr std::string_view kName = "PROXY ";
  if (text.size() < kName.size()) {
    return kNeedMore;
  }
  const std::string_view family = text.substr(kName.size());
  if (!agrees(family, "TCP4 ") && !agrees(family, "TCP6 ") && !agrees(family, "UNKNOWN")) {
    return {};
  }
  const std::size_t feed = text.find('\n');
  if (feed == std::string_view::npos) {
    return text.size() < kLongest ? kNeedMore : Preamble{};
  }
  return feed < kLongest ? message(PreambleKind::proxy, feed + 1) : Preamble{};
}

constexpr std::string_view kProxyV2("\r\n\r\n\0\r\nQUIT\n", 12);

Preamble read_proxy_v2(ByteSpan bytes) {
  constexpr std::size_t kFixed = 16;
  if (bytes.size() < kFixed) {
    return kNeedMore;
  }
  const std::size_t size = kFixed + (std::size_t{bytes[14]} << 8 | bytes[15]);
  if (bytes[12] >> 4 != 2 || size > kLongestPreamble) {
    return {};
  }
  return bytes.size() < size ? kNeedMore : message(PreambleKind::proxy, size);
}

}  // namespace

Preamble read_preamble(ByteSpan bytes, PreambleKind before) {
  if (bytes.empty()) {
    return kNeedMore;
  }
  const bool greeted =
      before == PreambleKind::socks5_methods || before == PreambleKind::socks5_login;
  switch (bytes[0]) {
    case 0x01:
      return before == PreambleKind::socks5_methods ? read_socks5_login(bytes) : Preamble{};
    case 0x04:
      return greeted ? Preamble{} : read_socks4(bytes);
    case 0x05:
      return greeted ? read_socks5_request(bytes) : read_socks5_methods(bytes);
    case 'P':
      return agrees(as_text(bytes), "PROXY ") ? read_proxy_v1(as_text(bytes)) : Preamble{};
    case '\r':
      return agrees(as_text(bytes), kProxyV2) ? read_proxy_v2(bytes) : Preamble{};
    default:
      return {};
  }
}

}  // namespace imds::http
