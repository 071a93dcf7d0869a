#include "wire_text.h"

#include <array>

namespace imds::traces {

namespace {

std::string u8(unsigned v) {
  return std::string(1, static_cast<char>(v));
}
std::string u16(std::size_t v) {
  return u8(static_cast<unsigned>(v >> 8)) + u8(static_cast<unsigned>(v));
}
std::string u24(std::size_t v) {
  return u8(static_cast<unsigned>(v >> 16)) + u16(v & 0xffff);
}

std::string random_bytes(Random& random, std::size_t size) {
  std::string out;
  while (out.size() < size) {
    out += u8(static_cast<unsigned>(random.bits() & 0xff));
  }
  return out;
}

std::string extension(unsigned type, const std::string& body) {
  return u16(type) + u16(body.size()) + body;
}

std::string handshake_record(unsigned type, const std::string& body) {
  const std::string message = u8(type) + u24(body.size()) + body;
  return tls_record_header(0x16, message.size()) + message;
}

std::string host_name(Random& random) {
  constexpr std::array<std::string_view, 8> kFirst = {"www", "api",   "cdn",   "mail",
                                                      "img", "video", "login", "files"};
  constexpr std::array<std::string_view, 3> kLast = {"example.com", "example.net", "example.org"};
  std::string out(random.any(kFirst));
  out += std::to_string(random.between(0, 99)) + '.';
  out += random.any(kLast);
  return out;
}

std::string dns_name(const std::string& host) {
  std::string out;
  for (std::size_t begin = 0; begin < host.size();) {
    const std::size_t end = std::min(host.find('.', begin), host.size());
    out += u8(static_cast<unsigned>(end - begin)) + host.substr(begin, end - begin);
    begin = end + 1;
  }
  return out + u8(0);
}

}  // namespace

std::string tls_record_header(std::uint8_t type, std::size_t size) {
  return u8(type) + u16(0x0303) + u16(size);
}

std::string change_cipher_spec() {
  return tls_record_header(0x14, 1) + u8(1);
}

std::string client_hello(Random& random, std::size_t size) {
  constexpr unsigned kPadding = 21;  // RFC 7685
  const std::string host = host_name(random);
  const std::string name = u8(0) + u16(host.size()) + host;
  const std::string share = u16(0x001d) + u16(32) + random_bytes(random, 32);  // x25519
  const std::string ciphers = u16(0x1301) + u16(0x1302) + u16(0x1303) + u16(0xc02b) + u16(0xc02f);
  const std::string protocols = u8(2) + "h2" + u8(8) + "http/1.1";
  const std::string nonce = random_bytes(random, 32);
  const std::string session = random_bytes(random, 32);
  const auto body = [&](std::size_t padding) {
    const std::string extensions =
        extension(0, u16(name.size()) + name) +
        extension(10, u16(4) + u16(0x001d) + u16(0x0017)) +                // groups
        extension(13, u16(6) + u16(0x0403) + u16(0x0804) + u16(0x0401)) +  // signatures
        extension(16, u16(protocols.size()) + protocols) +                 // ALPN
        extension(43, u8(4) + u16(0x0304) + u16(0x0303)) +                 // versions
        extension(51, u16(share.size()) + share) + extension(kPadding, std::string(padding, '\0'));
    return u16(0x0303) + nonce + u8(32) + session + u16(ciphers.size()) + ciphers + u8(1) + u8(0) +
           u16(extensions.size()) + extensions;
  };
  const std::size_t without = handshake_record(1, body(0)).size();
  return handshake_record(1, body(size > without ? size - without : 0));
}

std::string server_hello(Random& random) {
  const std::string share = u16(0x001d) + u16(32) + random_bytes(random, 32);
  const std::string extensions = extension(43, u16(0x0304)) + extension(51, share);
  const std::string nonce = random_bytes(random, 32);
  const std::string session = random_bytes(random, 32);
  return handshake_record(2, u16(0x0303) + nonce + u8(32) + session + u16(0x1301) + u8(0) +
                                 u16(extensions.size()) + extensions) +
         change_cipher_spec();
}

std::string quic_long_header(unsigned first, std::string_view destination, std::string_view source,
                             std::size_t datagram) {
  std::string out = u8(first | 3) + u16(0) + u16(1);
  out += u8(static_cast<unsigned>(destination.size())) + std::string(destination);
  out += u8(static_cast<unsigned>(source.size())) + std::string(source);
  if (first == 0xc0) {
    out += u8(0);  // no token
  }
  return out + u16(0x4000 | (datagram - out.size() - 2));
}

DnsExchange dns_exchange(Random& random) {
  const std::string id = random_bytes(random, 2);
  const std::string question = dns_name(host_name(random)) + u16(1) + u16(1);
  const std::size_t answers = random.between(1, 4);
  DnsExchange out;
  out.question = id + u16(0x0100) + u16(1) + u16(0) + u16(0) + u16(0) + question;
  out.answer = id + u16(0x8180) + u16(1) + u16(answers) + u16(0) + u16(0) + question;
  for (std::size_t i = 0; i < answers; ++i) {
    // The name of the question; A, IN, time to live, 198.51.100.x.
    out.answer += u16(0xc00c) + u16(1) + u16(1) + u16(0) + u16(300) + u16(4);
    out.answer += u16(0xc633) + u8(100) + u8(static_cast<unsigned>(random.between(1, 254)));
  }
  return out;
}

}  // namespace imds::traces
