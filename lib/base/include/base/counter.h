// A counter with one writer and any number of readers. The writer adds with a relaxed load and
// store, so no lock prefix reaches the bus; readers may see a value slightly old, never torn.
#pragma once

#include <atomic>
#include <cstdint>

namespace imds {

class Counter {
 public:
  Counter() = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // Writer only.
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Writer only: gauges such as "flows now" and maxima such as the longest stall.
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  void raise_to(std::uint64_t n) {
    if (n > get()) {
      set(n);
    }
  }
  // Anyone.
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};
static_assert(sizeof(Counter) == 8);

inline constexpr std::size_t kCacheLine = 64;

}  // namespace imds
