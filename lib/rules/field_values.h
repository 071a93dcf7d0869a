// One field's value as the texts, numbers and addresses that rules compare.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/address.h"
#include "event/event.h"
#include "sigma/rule.h"

namespace imds::rules {

inline bool compare(std::int64_t value, sigma::Operation comparison, std::int64_t with) {
  switch (comparison) {
    case sigma::Operation::less:
      return value < with;
    case sigma::Operation::less_or_equal:
      return value <= with;
    case sigma::Operation::greater:
      return value > with;
    case sigma::Operation::greater_or_equal:
      return value >= with;
    default:
      return value == with;
  }
}

inline IpAddress masked(IpAddress address, std::size_t length) {
  for (std::size_t i = length / 8; i < address.size(); ++i) {
    const std::size_t kept = i == length / 8 ? length % 8 : 0;
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00u >> kept));
  }
  return address;
}

// The address that a text is: without the brackets of IPv6 and the port of a host.
inline std::optional<IpAddress> address_in(std::string_view text) {
  if (text.starts_with('[')) {
    return IpAddress::parse(text.substr(1, text.find(']') - 1));
  }
  const std::size_t colon = text.find(':');
  const bool is_port = colon != std::string_view::npos && colon == text.rfind(':');
  return IpAddress::parse(is_port ? text.substr(0, colon) : text);
}

// The whole number that a text is: decimal digits and nothing else.
inline std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = problem == std::errc() && end == text.data() + text.size() && number >= 0;
  return whole ? std::optional(number) : std::nullopt;
}

struct NumberText {
  std::array<char, 24> bytes;
  [[nodiscard]] std::string_view write(std::int64_t number) {
    const auto [end, problem] = std::to_chars(bytes.data(), bytes.data() + bytes.size(), number);
    return {bytes.data(), static_cast<std::size_t>(end - bytes.data())};
  }
};

// Calls visit(text) for each text a value is, until one returns true; whether one did.
template <typename Visit>
bool any_text(const event::FieldValue& value, const Visit& visit) {
  switch (value.kind) {
    case event::FieldValue::Kind::text: {
      const auto& [raw, normalised] = value.text;
      const bool differ = normalised.data() != raw.data() || normalised.size() != raw.size();
      return visit(raw) || (differ && visit(normalised));
    }
    case event::FieldValue::Kind::number: {
      NumberText text;
      bool found = value.number_count == 0 && visit(text.write(value.number));
      for (std::size_t i = 0; i < value.number_count && !found; ++i) {
        found = visit(text.write(value.numbers[i]));
      }
      return found;
    }
    case event::FieldValue::Kind::address: {
      std::array<char, IpAddress::kLongestText> text;
      return visit(value.address.write_to(text));
    }
    case event::FieldValue::Kind::absent:
      break;
  }
  return false;
}

}  // namespace imds::rules
