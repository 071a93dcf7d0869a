#include "evidence/access_key.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace imds::evidence {

namespace {

constexpr std::size_t kKindLength = 4;
constexpr std::size_t kIssuedLength = 20;
constexpr std::size_t kAccountDigits = 12;
constexpr std::size_t kLongestName = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

// RFC 4648, section 6; -1 for what is no digit of it.
int base32_value(char c) {
  if (is_upper(c)) {
    return c - 'A';
  }
  return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

// Days since the epoch of a day of the proleptic Gregorian calendar (Howard Hinnant's algorithm).
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const auto of_era = static_cast<unsigned>(year - era * 400);
  const unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

unsigned days_in(unsigned year, unsigned month) {
  constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// `size` digits from `at` on; nullopt if there are others.
std::optional<unsigned> number_at(std::string_view text, std::size_t at, std::size_t size) {
  unsigned value = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    if (i >= text.size() || !is_digit(text[i])) {
      return std::nullopt;
    }
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  return value;
}

}  // namespace

bool is_access_key_id(std::string_view text) {
  return text.size() >= kShortestAccessKey && text.size() <= kLongestAccessKey &&
         std::all_of(text.begin(), text.begin() + kKindLength, is_upper) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_upper(c) || is_digit(c); });
}

std::optional<std::uint64_t> account_of_access_key(std::string_view id) {
  const std::string_view kind = id.substr(0, kKindLength);
  if (id.size() != kIssuedLength || (kind != "AKIA" && kind != "ASIA")) {
    return std::nullopt;
  }
  std::uint64_t bits = 0;  // the first 50 of 80
  for (const char c : id.substr(kKindLength, 10)) {
    const int value = base32_value(c);
    if (value < 0) {
      return std::nullopt;
    }
    bits = bits << 5 | static_cast<std::uint64_t>(value);
  }
  for (const char c : id.substr(kKindLength + 10)) {
    if (base32_value(c) < 0) {
      return std::nullopt;
    }
  }
  constexpr std::uint64_t kNewFormat = std::uint64_t{1} << 49;
  const std::uint64_t account = bits >> 9 & ((std::uint64_t{1} << 40) - 1);
  if ((bits & kNewFormat) == 0 || account > kLargestAccount) {
    return std::nullopt;
  }
  return account;
}

std::optional<std::uint64_t> parse_account(std::string_view text) {
  if (text.size() != kAccountDigits || !std::all_of(text.begin(), text.end(), is_digit)) {
    return std::nullopt;
  }
  std::uint64_t account = 0;
  std::from_chars(text.data(), text.data() + text.size(), account);
  return account;
}

bool is_iam_name(std::string_view text) {
  constexpr std::string_view kMarks = "_+=,.@-";
  return !text.empty() && text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_upper(c) || is_digit(c) || (c >= 'a' && c <= 'z') ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

std::optional<Arn> parse_arn(std::string_view text) {
  if (!text.starts_with("arn:")) {
    return std::nullopt;
  }
  constexpr int kAccountField = 4;  // arn:partition:service:region:account:resource
  std::string_view rest = text;
  for (int i = 0; i < kAccountField; ++i) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) {
      return std::nullopt;
    }
    rest.remove_prefix(colon + 1);
  }
  const std::size_t colon = rest.find(':');
  const auto account = parse_account(rest.substr(0, colon));
  if (!account || colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view name = rest.substr(rest.find_last_of(":/") + 1);
  return Arn{*account, is_iam_name(name) ? name : std::string_view()};
}

std::optional<std::int64_t> parse_expiration(std::string_view text) {
  const auto year = number_at(text, 0, 4);
  const auto month = number_at(text, 5, 2);
  const auto day = number_at(text, 8, 2);
  const auto hour = number_at(text, 11, 2);
  const auto minute = number_at(text, 14, 2);
  const auto second = number_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) {
    return std::nullopt;
  }
  const bool marks = text[4] == '-' && text[7] == '-' && (text[10] == 'T' || text[10] == 't') &&
                     text[13] == ':' && text[16] == ':';
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    const std::size_t end = rest.find_first_not_of("0123456789", 1);
    rest = rest.substr(std::min(end, rest.size()));
  }
  constexpr unsigned kLastYear = 2261;  // nanoseconds since the epoch fit 64 bits
  const bool exists = *year >= 1970 && *year <= kLastYear && *month >= 1 && *month <= 12 &&
                      *day >= 1 && *day <= days_in(*year, *month) && *hour < 24 && *minute < 60 &&
                      *second < 61;
  if (!marks || !exists || (rest != "Z" && rest != "z" && rest != "+00:00")) {
    return std::nullopt;
  }
  return days_from_civil(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second;
}

}  // namespace imds::evidence
