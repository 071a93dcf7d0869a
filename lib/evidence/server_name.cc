#include "evidence/server_name.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace imds::evidence {

namespace {

using Status = ServerName::Status;

constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kMajorVersion = 3;
constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kRandom = 32;
constexpr std::uint16_t kServerNameExtension = 0;
constexpr std::uint8_t kHostName = 0;

// The suffixes that the AWS SDKs build endpoints from: `dnsSuffix` and `dualStackDnsSuffix` of
// every partition in botocore's data/partitions.json.
constexpr std::array<std::string_view, 10> kAwsDomains{
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
};

bool is_of_host_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// What a vector of `length` bytes is, of which the cursor may have only the first ones.
ByteSpan take_part(ByteCursor& from, std::size_t length) {
  return from.take(std::min(length, from.remaining()));
}

// Of an extension's body. One that is cut is `need_more`.
ServerName read_extension(ByteSpan body, std::size_t length) {
  ServerName out;
  out.status = body.size() < length ? Status::need_more : Status::unreadable;
  ByteCursor cursor(body);
  const std::size_t list = cursor.be16();
  const std::uint8_t type = cursor.u8();
  const std::size_t size = cursor.be16();
  const ByteSpan text = cursor.take(size);
  if (!cursor.ok() || body.size() < length) {
    return out;
  }
  if (list + 2 != length || type != kHostName || size + 3 > list || size == 0 ||
      size > kLongestServerName) {
    return out;
  }
  std::array<char, kLongestServerName> lower;
  std::transform(text.begin(), text.end(), lower.begin(),
                 [](std::uint8_t c) { return ascii_lower(static_cast<char>(c)); });
  std::string_view name(lower.data(), size);
  name.remove_suffix(name.ends_with('.') ? 1 : 0);
  if (!name.empty() && std::all_of(name.begin(), name.end(), is_of_host_name)) {
    out.status = Status::found;
    out.name.assign(name);
  }
  return out;
}

// `hello` is what there is of the message behind its header, which has `size` bytes.
ServerName read_hello(ByteSpan hello, std::size_t size) {
  const bool is_cut = hello.size() < size;
  const Status at_end = is_cut ? Status::need_more : Status::unreadable;
  ByteCursor cursor(hello);
  const unsigned major = cursor.be16() >> 8u;
  if (cursor.ok() && major != kMajorVersion) {
    return {Status::unreadable, {}};
  }
  (void)cursor.skip(kRandom);
  (void)cursor.skip(cursor.u8());    // session id
  (void)cursor.skip(cursor.be16());  // cipher suites
  (void)cursor.skip(cursor.u8());    // compression methods
  if (cursor.ok() && cursor.remaining() == 0 && !is_cut) {
    return {Status::none, {}};  // before TLS 1.2 there need be no extensions
  }
  const std::size_t all = cursor.be16();
  if (!cursor.ok()) {
    return {at_end, {}};
  }
  if (cursor.offset() + all != size) {
    return {Status::unreadable, {}};
  }
  ByteCursor extensions(take_part(cursor, all));
  while (extensions.remaining() > 0) {
    const std::uint16_t type = extensions.be16();
    const std::size_t length = extensions.be16();
    if (!extensions.ok()) {
      return {at_end, {}};
    }
    const ByteSpan body = take_part(extensions, length);
    if (type == kServerNameExtension) {
      ServerName out = read_extension(body, length);
      out.status = out.status == Status::need_more ? at_end : out.status;
      return out;
    }
    if (body.size() < length) {
      return {at_end, {}};
    }
  }
  return {is_cut ? Status::need_more : Status::none, {}};
}

}  // namespace

ServerName read_server_name(ByteSpan bytes) {
  ByteCursor cursor(bytes);
  const std::uint8_t type = cursor.u8();
  const std::uint8_t major = cursor.u8();
  (void)cursor.u8();
  const std::size_t record = cursor.be16();
  const std::uint32_t word = cursor.be32();
  const bool is_other = (!bytes.empty() && type != kHandshake) ||
                        (bytes.size() > 1 && major != kMajorVersion) ||
                        (bytes.size() > 5 && bytes[5] != kClientHello);
  if (is_other) {
    return {Status::unreadable, {}};
  }
  if (!cursor.ok()) {
    return {Status::need_more, {}};
  }
  const std::size_t message = word & 0xffffff;
  if (record != message + 4) {
    return {Status::unreadable, {}};  // over several records, or more than a hello in one
  }
  return read_hello(take_part(cursor, message), message);
}

bool is_aws_service(std::string_view name) {
  return std::any_of(kAwsDomains.begin(), kAwsDomains.end(), [&](std::string_view domain) {
    return name.ends_with(domain) &&
           (name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.');
  });
}

}  // namespace imds::evidence
