#include "reference.h"

#include "base/text.h"

namespace imds::rules {

bool Comparer::compare(std::string_view text, sigma::Operation operation, std::string_view other,
                       bool cased) {
  if (other.size() > text.size()) {
    return false;
  }
  const auto same = [&](std::string_view part) {
    return cased ? part == other : iequals(part, other);
  };
  switch (operation) {
    case sigma::Operation::starts_with:
      return same(text.substr(0, other.size()));
    case sigma::Operation::ends_with:
      return same(text.substr(text.size() - other.size()));
    case sigma::Operation::contains:
      return contains(text, other, cased);
    default:
      return same(text);
  }
}

bool Comparer::contains(std::string_view text, std::string_view other, bool cased) {
  if (other.empty()) {
    return true;
  }
  if (other.size() > resume_.size()) {
    return false;
  }
  const auto same = [cased](char a, char b) {
    return cased ? a == b : ascii_lower(a) == ascii_lower(b);
  };
  resume_[0] = 0;
  std::uint16_t length = 0;
  for (std::size_t i = 1; i < other.size(); ++i) {
    while (length > 0 && !same(other[i], other[length])) {
      length = resume_[length - 1];
    }
    length = static_cast<std::uint16_t>(length + (same(other[i], other[length]) ? 1 : 0));
    resume_[i] = length;
  }
  length = 0;
  for (const char c : text) {
    while (length > 0 && !same(c, other[length])) {
      length = resume_[length - 1];
    }
    length = static_cast<std::uint16_t>(length + (same(c, other[length]) ? 1 : 0));
    if (length == other.size()) {
      return true;
    }
  }
  return false;
}

}  // namespace imds::rules
