// Instants, hours and MAC addresses as the configuration writes them.
#include <array>
#include <charconv>

#include "checks.h"

namespace imds::config {
namespace {

// Exactly `digits` decimal digits at the beginning, taken off.
std::optional<int> take_number(std::string_view& text, std::size_t digits, int least, int most) {
  if (text.size() < digits) {
    return std::nullopt;
  }
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value >= least && value <= most ? std::optional(value) : std::nullopt;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

int days_of_month(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

// Since 1970-01-01.
std::int64_t days_since_epoch(int year, int month, int day) {
  std::int64_t days = day - 1;
  for (int y = 1970; y < year; ++y) {
    days += days_of_month(y, 2) + 337;
  }
  for (int m = 1; m < month; ++m) {
    days += days_of_month(year, m);
  }
  return days;
}

std::optional<std::int64_t> take_days(std::string_view& text) {
  const auto year = take_number(text, 4, 1970, 2200);
  if (!year || !take(text, '-')) {
    return std::nullopt;
  }
  const auto month = take_number(text, 2, 1, 12);
  if (!month || !take(text, '-')) {
    return std::nullopt;
  }
  const auto day = take_number(text, 2, 1, days_of_month(*year, *month));
  return day ? std::optional(days_since_epoch(*year, *month, *day)) : std::nullopt;
}

// "hh:mm" in minutes; 24:00 only where `day_end`.
std::optional<int> take_minutes(std::string_view& text, bool day_end) {
  const auto hour = take_number(text, 2, 0, day_end ? 24 : 23);
  if (!hour || !take(text, ':')) {
    return std::nullopt;
  }
  const auto minute = take_number(text, 2, 0, *hour == 24 ? 0 : 59);
  return minute ? std::optional(*hour * 60 + *minute) : std::nullopt;
}

// "Z" or an offset; minutes east of UTC.
std::optional<int> take_offset(std::string_view& text) {
  if (take(text, 'Z')) {
    return 0;
  }
  const bool east = take(text, '+');
  if (!east && !take(text, '-')) {
    return std::nullopt;
  }
  const auto minutes = take_minutes(text, false);
  return minutes ? std::optional(east ? *minutes : -*minutes) : std::nullopt;
}

}  // namespace

std::optional<Timestamp> parse_instant(std::string_view text, bool whole_day) {
  const auto days = take_days(text);
  if (!days) {
    return std::nullopt;
  }
  if (text.empty()) {
    return Timestamp{(*days + (whole_day ? 1 : 0)) * 86400 * kNanosPerSecond};
  }
  if (!take(text, 'T') && !take(text, ' ')) {
    return std::nullopt;
  }
  const auto minutes = take_minutes(text, false);
  if (!minutes || !take(text, ':')) {
    return std::nullopt;
  }
  const auto seconds = take_number(text, 2, 0, 59);
  if (!seconds) {
    return std::nullopt;
  }
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) {
    return std::nullopt;
  }
  return Timestamp{(*days * 86400 + (*minutes - *offset) * 60 + *seconds) * kNanosPerSecond};
}

std::optional<DailyHours> parse_hours(std::string_view text) {
  const auto first = take_minutes(text, false);
  if (!first || !take(text, '-')) {
    return std::nullopt;
  }
  const auto last = take_minutes(text, true);
  if (!last || !text.empty() || *first == *last) {
    return std::nullopt;
  }
  return DailyHours{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  constexpr std::size_t kSize = 17;
  if (text.size() != kSize || (text[2] != ':' && text[2] != '-')) {
    return std::nullopt;
  }
  MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    const char* const digits = text.data() + 3 * i;
    const auto [rest, problem] = std::from_chars(digits, digits + 2, mac.bytes[i], 16);
    if (problem != std::errc() || rest != digits + 2 ||
        (i + 1 < mac.bytes.size() && *rest != text[2])) {
      return std::nullopt;
    }
  }
  return mac;
}

}  // namespace imds::config
