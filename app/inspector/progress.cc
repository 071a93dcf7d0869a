#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <unistd.h>

namespace imds::inspector {

namespace {

constexpr auto kFirst = std::chrono::milliseconds(500);
constexpr auto kEvery = std::chrono::milliseconds(100);
constexpr int kBarWidth = 30;

}  // namespace

Progress::Progress() : enabled_(isatty(STDERR_FILENO) == 1), due_(Clock::now() + kFirst) {}

void Progress::update(const port::CaptureProgress& progress, std::uint64_t alerts) {
  if (!enabled_ || Clock::now() < due_) {
    return;
  }
  due_ = Clock::now() + kEvery;
  const double mib = static_cast<double>(progress.bytes_done) / (1 << 20);
  std::string bar;
  if (progress.bytes_total > 0) {
    const double share = std::min(
        1.0, static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total));
    const int filled = static_cast<int>(share * kBarWidth);
    bar = '[' + std::string(static_cast<std::size_t>(filled), '#') +
          std::string(static_cast<std::size_t>(kBarWidth - filled), '.') + "] " +
          std::to_string(static_cast<int>(share * 100)) + " %  ";
  }
  std::fprintf(stderr, "\r\033[K%s%.0f MiB, %llu packets, %llu alerts", bar.c_str(), mib,
               static_cast<unsigned long long>(progress.packets),
               static_cast<unsigned long long>(alerts));
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) {
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
  }
}

}  // namespace imds::inspector
