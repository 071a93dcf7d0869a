#include "disguises.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace imds::rules {

namespace {

template <typename Items>
std::string pick(Generator& generator, const Items& items) {
  return std::string(items[generator.below(items.size())]);
}

std::string hex(Generator& generator, unsigned value, int digits) {
  char out[9];
  std::snprintf(out, sizeof out, generator.chance(50) ? "%0*x" : "%0*X", digits, value);
  return out;
}

std::string percent(Generator& generator, std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out += '%' + hex(generator, static_cast<std::uint8_t>(c), 2);
  }
  return out;
}

std::string overlong(unsigned c, bool long_form) {
  const char last = static_cast<char>(0x80 | (c & 0x3f));
  const char first = static_cast<char>(c >> 6);
  return long_form ? std::string{'\xe0', static_cast<char>(0x80 | first), last}
                   : std::string{static_cast<char>(0xc0 | first), last};
}

std::string fullwidth(unsigned c) {
  const unsigned code = 0xff01 + c - '!';
  return {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
          static_cast<char>(0x80 | (code & 0x3f))};
}

std::string encoded_char(Generator& generator, char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  const bool wide = byte > ' ' && byte < 0x7f;
  switch (generator.below(9)) {
    case 0:
    case 1:
      return percent(generator, {&c, 1});
    case 2:
      return "%25" + hex(generator, byte, 2);
    case 3:
      return "%2525" + hex(generator, byte, 2);
    case 4:
      return (generator.chance(50) ? "%u" : "%U") + hex(generator, byte, 4);
    case 5:
      return overlong(byte & 0x7f, generator.chance(50));
    case 6:
      return percent(generator, overlong(byte & 0x7f, generator.chance(50)));
    case 7:
      return wide ? fullwidth(byte) : std::string(1, c);
    default:
      return wide ? "%u" + hex(generator, 0xff01u + byte - '!', 4) : std::string(1, c);
  }
}

std::string any_case(Generator& generator, std::string text) {
  for (char& c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    c = letter && generator.chance(30) ? static_cast<char>(c ^ 0x20) : c;
  }
  return text;
}

std::string v4_number(Generator& generator, unsigned value) {
  char out[24];
  constexpr std::array<const char*, 5> kForms{"%u", "0x%x", "0X%08X", "0%o", "%u"};
  std::snprintf(out, sizeof out, kForms[generator.below(kForms.size())], value);
  return out;
}

std::string v4_form(Generator& generator) {
  constexpr std::array<unsigned, 4> kOctets{169, 254, 169, 254};
  const std::size_t parts = 1 + generator.below(4);
  std::string out;
  for (std::size_t i = 0; i + 1 < parts; ++i) {
    const unsigned overflow = generator.chance(15) ? 256u : 0u;
    out += v4_number(generator, kOctets[i] + overflow) + ".";
  }
  unsigned rest = 0;
  for (std::size_t i = parts - 1; i < kOctets.size(); ++i) {
    rest = rest << 8 | kOctets[i];
  }
  return out + v4_number(generator, rest);
}

}  // namespace

std::string encoded(Generator& generator, std::string_view text) {
  const unsigned share = generator.chance(50) ? 0 : generator.chance(80) ? 15 : 100;
  std::string out;
  for (const char c : text) {
    out += generator.chance(share) ? encoded_char(generator, c) : std::string(1, c);
  }
  return out;
}

std::string disguised_path(Generator& generator, std::string_view path) {
  constexpr std::array<std::string_view, 10> kSlashes{"//",      "/./", "\\",   "/x/../", ";p=1/",
                                                      "/..;/x/", "///", "/.//", "\\.\\",  "/;/"};
  const unsigned share = generator.chance(60) ? 0 : 40;
  std::string out;
  for (const char c : path) {
    out += c == '/' && generator.chance(share) ? pick(generator, kSlashes) : std::string(1, c);
  }
  return encoded(generator, out);
}

std::string disguised_host(Generator& generator) {
  constexpr std::array<std::string_view, 24> kForms{"169.254.169.254",
                                                    "169.254.169.254",
                                                    "169.254.169.254.",
                                                    "host.example",
                                                    "Host.Example.",
                                                    "[::ffff:169.254.169.254]",
                                                    "[::FFFF:a9fe:a9fe]",
                                                    "[0:0:0:0:0:ffff:a9fe:a9fe]",
                                                    "[::169.254.169.254]",
                                                    "[64:ff9b::a9fe:a9fe]",
                                                    "[2002:a9fe:a9fe::]",
                                                    "[fd00:ec2::254]",
                                                    "[FD00:0EC2:0:0::0254]",
                                                    "[fd00:ec2::254%25eth0]",
                                                    "fd00:ec2::254",
                                                    "169.254.169.254.nip.io",
                                                    "app.169-254-169-254.sslip.io",
                                                    "A9FEA9FE.nip.io",
                                                    "x.169.254.169.254.XIP.io",
                                                    "169.254.169.254.traefik.me",
                                                    "fd00-ec2--254.sslip.io",
                                                    "169\xe3\x80\x82"
                                                    "254.169.254",
                                                    "\xe2\x91\xa0"
                                                    "69.254.169.254",
                                                    "meta-data.token"};
  std::string host = generator.chance(30) ? v4_form(generator) : pick(generator, kForms);
  host = any_case(generator, generator.chance(20) ? encoded(generator, host) : host);
  return host + (generator.chance(10) ? "." : "") + (generator.chance(20) ? ":80" : "");
}

std::string disguised_header(Generator& generator, std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 9> kColons{": ",  ": ",   ": ",     ":",  " : ",
                                                    ":\t", "\t: ", ":\r\n ", ":  "};
  constexpr std::array<std::string_view, 7> kEnds{"\r\n", "\r\n",  "\r\n",  "\n",
                                                  "\r",   " \r\n", "\r\r\n"};
  std::string text(value);
  if (generator.chance(10) && !text.empty()) {
    text.insert(generator.below(text.size()), generator.chance(50) ? "\r\n " : "\n\t");
  }
  return any_case(generator, std::string(name)) + pick(generator, kColons) + text +
         pick(generator, kEnds);
}

std::string disguised_head(Generator& generator, std::string_view path, std::string_view text) {
  constexpr std::array<std::string_view, 8> kSchemes{"http://", "http://",   "HTTP://", "http:\\\\",
                                                     "http:/",  "https:///", "http:",   "ftp://"};
  constexpr std::array<std::string_view, 3> kUsers{"", "user:pass@", "a@b%40"};
  constexpr std::array<std::string_view, 5> kMethods{"GET", "PUT", "OPTIONS", "CONNECT", "fetch"};
  constexpr std::array<std::string_view, 3> kBlanks{" ", "  ", "\t"};
  constexpr std::array<std::string_view, 4> kNames{"X-Forwarded-Uri", "Referer", "x-token",
                                                   "Cookie"};
  constexpr std::array<std::string_view, 3> kHosts{"169.254.169.254", "Host.example:8080",
                                                   "meta-data.token"};
  // In every other head most parts are plain.
  const unsigned share = generator.chance(50) ? 6 : 100;
  const auto odd = [&generator, share] { return generator.chance(share); };
  const auto host = [&] { return odd() ? disguised_host(generator) : pick(generator, kHosts); };
  const auto blank = [&] { return odd() ? pick(generator, kBlanks) : " "; };
  const auto header = [&](const std::string& name, const std::string& value) {
    return odd() ? disguised_header(generator, name, value) : name + ": " + value + "\r\n";
  };
  const auto other = [&] {
    std::string value = generator.text(3);
    std::erase(value, '\n');
    return header(pick(generator, kNames), value);
  };

  std::string target = odd() ? disguised_path(generator, path) : std::string(path);
  if (generator.chance(20)) {
    target = "/x?u=" + (odd() ? encoded(generator, path) : std::string(path));
  }
  if (generator.chance(30)) {
    target =
        (odd() ? pick(generator, kSchemes) + pick(generator, kUsers) : "http://") + host() + target;
  }
  std::string head = generator.chance(10) ? "\r\n" : "";
  head += pick(generator, kMethods) + blank() + target + blank() +
          (odd() ? "http/1.0\n" : "HTTP/1.1\r\n");
  for (std::size_t count = generator.below(3); count > 0; --count) {
    head += other();
  }
  if (generator.chance(80)) {
    head += header("Host", host());
  }
  if (generator.chance(30)) {
    head += header(std::string(text), "t");
  }
  head += generator.chance(30) ? other() : "";
  return head + "\r\n";
}

}  // namespace imds::rules
