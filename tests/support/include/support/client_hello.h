// ClientHellos as TLS clients send them (RFC 8446, 4.1.2), with or without a name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imds::support {

inline std::string be16(std::size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

inline std::string tls_extension(unsigned type, const std::string& body) {
  return be16(type) + be16(body.size()) + body;
}

// The extension server_name (RFC 6066, 3).
inline std::string server_name_extension(std::string_view name) {
  return tls_extension(0, be16(name.size() + 3) + '\0' + be16(name.size()) + std::string(name));
}

// A record with a hello that has these extensions.
inline std::string client_hello_of(const std::string& extensions) {
  std::string body = "\x03\x03" + std::string(32, 'r') + '\x20' + std::string(32, 's');
  body += be16(4) + "\x13\x01\x13\x02" + std::string("\x01\x00", 2);
  body += be16(extensions.size()) + extensions;
  const std::string message = std::string("\x01\x00", 2) + be16(body.size()) + body;
  return std::string("\x16\x03\x01") + be16(message.size()) + message;
}

// `before`: bytes of other extensions in front of the name, as of key shares. An empty name: none.
inline std::string client_hello(std::string_view name, std::size_t before = 0,
                                std::size_t behind = 20) {
  std::string extensions;
  if (before > 0) {
    extensions += tls_extension(51, std::string(before, 'k'));
  }
  if (!name.empty()) {
    extensions += server_name_extension(name);
  }
  return client_hello_of(extensions + tls_extension(43, std::string(behind, 'v')));
}

}  // namespace imds::support
