#include "event/kept_packets.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace imds::event {

namespace {

constexpr unsigned kRemembered = 64;  // bits of KeptPackets::before

}  // namespace

void KeptPackets::note(std::uint32_t in_file, std::uint32_t number) {
  if (in_file != file || number <= last) {
    file = in_file;
    last = number;
    before = 0;
    return;
  }
  const std::uint32_t step = number - last;
  before = step < kRemembered ? before << step : 0;
  if (step <= kRemembered) {
    before |= std::uint64_t{1} << (step - 1);
  }
  last = number;
}

std::string kept_file_prefix(std::uint32_t run) {
  const auto seconds = static_cast<std::time_t>(run);
  std::tm utc{};
  (void)gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "imds-%Y%m%dT%H%M%SZ-w", &utc);
  return {text.data(), size};
}

std::string kept_file_name(std::uint32_t run, unsigned worker, std::uint32_t file) {
  std::array<char, 32> number{};
  (void)std::snprintf(number.data(), number.size(), "%06u", file);
  return kept_file_prefix(run) + std::to_string(worker) + '-' + number.data() + ".pcapng";
}

std::vector<std::uint32_t> kept_numbers(const KeptPackets& kept) {
  std::vector<std::uint32_t> numbers;
  if (!kept.is_set()) {
    return numbers;
  }
  // A record from elsewhere may name packets before the first.
  const std::uint32_t reach = std::min<std::uint32_t>(kRemembered, kept.last - 1);
  for (std::uint32_t back = reach; back > 0; --back) {
    if ((kept.before >> (back - 1) & 1) != 0) {
      numbers.push_back(kept.last - back);
    }
  }
  numbers.push_back(kept.last);
  return numbers;
}

}  // namespace imds::event
