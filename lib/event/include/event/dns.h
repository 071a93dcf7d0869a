// What a DNS message says, as fields of an event: the vocabulary of `dns`.
//
// Plain data, no threads. Names are values of Sigma fields: never renamed once released.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace imds::event {

// Values of `dns.type`.
inline constexpr std::array<std::string_view, 2> kDnsMessageTypes{"query", "answer"};

// Set for `dns`. The name asked for stands in Event::dns_name.
struct DnsFields {
  bool is_answer = false;
  std::optional<std::uint16_t> question_type;  // IANA's number; nullopt: nothing is asked
  std::uint8_t response_code = 0;              // of an answer
  // Of the answer section, record by record: an address, a name or a text, as the wire has it.
  std::span<const std::string_view> answers;
};

// Long enough for "TYPE65535".
inline constexpr std::size_t kMaxDnsWord = 16;
// "A", "TXT", …; of a type without a well-known name "TYPE" and its number (RFC 3597, 5), written
// into `room`.
[[nodiscard]] std::string_view dns_type_name(std::uint16_t type, std::span<char, kMaxDnsWord> room);
// "NOERROR", "NXDOMAIN", …; of others "RCODE" and the number.
[[nodiscard]] std::string_view dns_response_name(std::uint8_t code,
                                                 std::span<char, kMaxDnsWord> room);

}  // namespace imds::event
