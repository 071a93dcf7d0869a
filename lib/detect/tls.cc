#include "tls.h"

#include <algorithm>
#include <array>
#include <bit>
#include <smmintrin.h>

#include "base/simd.h"

namespace imds::detect {

namespace {

constexpr std::size_t kRecordHeader = 5;
// TLS 1.2 lets a record grow by so much; 1.3 by less.
constexpr std::size_t kLongestRecord = (std::size_t{1} << 14) + 2048;
constexpr std::uint8_t kChangeCipherSpec = 20;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint8_t kMajorVersion = 3;
constexpr std::uint8_t kClientHello = 1;
constexpr std::uint8_t kServerHello = 2;
constexpr std::size_t kHandshakeHeader = 4;
constexpr std::size_t kRandom = 32;
constexpr std::uint8_t kLongestSessionId = 32;
// Printable bytes in a row: among 10^9 random places hardly one has so many.
constexpr std::size_t kText = 24;

// As far as there are bytes.
bool is_record_header(ByteSpan bytes) {
  const std::size_t size = bytes.size();
  return (size < 1 || (bytes[0] >= kChangeCipherSpec && bytes[0] <= kApplicationData)) &&
         (size < 2 || bytes[1] == kMajorVersion) && (size < 3 || bytes[2] <= 4) &&
         (size < kRecordHeader || load_be16(&bytes[3]) <= kLongestRecord);
}

// Whether `mask` has kText ones in a row.
bool has_long_run(std::uint32_t mask) {
  static_assert(kText == 24);
  mask &= mask >> 1;
  mask &= mask >> 2;
  mask &= mask >> 4;  // 8 in a row begin here
  return (mask & mask >> 8 & mask >> 16) != 0;
}

// Of 16 bytes, those of eight aligned ones that may all be printable: 0x20 to 0x7f.
__m128i eights_of_text(const void* at) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(at));
  return _mm_cmpeq_epi64(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(0x1f)), _mm_set1_epi8(-1));
}

// False: no kText printable bytes stand in a row, of which eight aligned ones would be a part.
bool may_hold_text(ByteSpan bytes) {
  static_assert(kText >= 8 + 7);
  constexpr std::size_t kBlock = sizeof(__m128i);
  constexpr std::size_t kAtOnce = 4 * kBlock;
  std::size_t at = 0;
  for (; bytes.size() - at >= kAtOnce; at += kAtOnce) {
    const std::uint8_t* const from = bytes.data() + at;
    const __m128i found = _mm_or_si128(
        _mm_or_si128(eights_of_text(from), eights_of_text(from + kBlock)),
        _mm_or_si128(eights_of_text(from + 2 * kBlock), eights_of_text(from + 3 * kBlock)));
    if (_mm_movemask_epi8(found) != 0) {
      return true;
    }
  }
  alignas(kBlock) std::array<std::uint8_t, kAtOnce> rest{};
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), rest.begin());
  bool found = false;
  for (std::size_t i = 0; i < bytes.size() - at; i += kBlock) {
    found = found || _mm_movemask_epi8(eights_of_text(&rest[i])) != 0;
  }
  return found;
}

bool holds_text(ByteSpan bytes) {
  if (!may_hold_text(bytes)) {
    return false;
  }
  unsigned run = 0;  // printable bytes at the end of the blocks before
  for (std::size_t at = 0; at < bytes.size(); at += Block32::kSize) {
    const std::size_t left = bytes.size() - at;
    const Block32 block =
        left >= Block32::kSize ? Block32::load(&bytes[at]) : Block32::load_part(&bytes[at], left);
    const std::uint32_t printable = block.within(' ', '~').mask();
    if (run + static_cast<unsigned>(std::countr_one(printable)) >= kText ||
        has_long_run(printable)) {
      return true;
    }
    run = static_cast<unsigned>(std::countl_one(printable));
  }
  return false;
}

// What follows the session id, to the message's end. `cut`: its last bytes are not there.
bool rest_agrees(ByteCursor& hello, std::size_t end, bool from_client, bool cut) {
  // Cipher suites and compression methods; a server names one of each.
  const std::size_t suites = from_client ? hello.be16() : 2;
  if (!hello.ok()) {
    return cut;
  }
  if (suites < 2 || suites % 2 != 0 || hello.offset() + suites >= end) {
    return false;
  }
  (void)hello.skip(suites);
  const std::size_t methods = from_client ? hello.u8() : 1;
  if (!hello.ok()) {
    return cut;
  }
  if (methods == 0 || hello.offset() + methods > end) {
    return false;
  }
  if (!hello.skip(methods) || hello.offset() == end) {
    return true;
  }
  const std::size_t extensions = hello.be16();
  return hello.ok() ? hello.offset() + extensions == end : cut;
}

// `body` is what there is of a record of `length` bytes.
bool is_hello(ByteSpan body, std::size_t length) {
  ByteCursor header(body);
  const std::uint32_t word = header.be32();
  const auto type = static_cast<std::uint8_t>(word >> 24);
  const std::size_t end = kHandshakeHeader + (word & 0xffffff);
  const bool from_client = type == kClientHello;
  // A server says more in the same record.
  const bool fits = from_client ? end == length : end <= length;
  if (!header.ok() || (!from_client && type != kServerHello) || !fits) {
    return false;
  }
  ByteCursor hello(body.first(std::min(body.size(), end)));
  (void)hello.skip(kHandshakeHeader);
  const std::uint16_t version = hello.be16();
  (void)hello.skip(kRandom);
  const std::uint8_t session = hello.u8();
  if (!hello.ok() || version >> 8 != kMajorVersion || (version & 0xff) > 3 ||
      session > kLongestSessionId) {
    return false;
  }
  const bool cut = body.size() < end;
  if (!hello.skip(session)) {
    return cut;
  }
  return rest_agrees(hello, end, from_client, cut);
}

}  // namespace

bool is_tls(ByteSpan bytes) {
  if (bytes.size() < kRecordHeader) {
    return false;
  }
  for (std::size_t at = 0; at < bytes.size();) {
    const ByteSpan rest = bytes.subspan(at);
    if (!is_record_header(rest)) {
      return false;
    }
    if (rest.size() < kRecordHeader) {
      return true;
    }
    const std::size_t length = load_be16(&rest[3]);
    const ByteSpan body =
        rest.subspan(kRecordHeader, std::min(length, rest.size() - kRecordHeader));
    const bool agrees = rest[0] == kApplicationData ? !holds_text(body)
                        : at == 0 ? rest[0] == kHandshake && is_hello(body, length)
                                  : true;
    if (!agrees) {
      return false;
    }
    at += kRecordHeader + length;
  }
  return true;
}

}  // namespace imds::detect
