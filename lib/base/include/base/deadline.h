// How long a piece of work may take, and whether it is still wanted. Long work asks between steps.
//
// Threads: check() from any; the owner of the stop token's source may ask to stop from any other.
// `is_stopped`, for programs that note a signal, is called by check().
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>

#include "base/result.h"

namespace imds {

class Deadline {
 public:
  // Never.
  Deadline() = default;
  // `most` from now on, 0 for any time. `setting` is what the user can change, for the error.
  Deadline(std::chrono::seconds most, std::string setting, std::stop_token stop = {},
           bool (*is_stopped)() = nullptr)
      : begin_(Clock::now()),
        most_(most),
        setting_(std::move(setting)),
        stop_(std::move(stop)),
        is_stopped_(is_stopped) {}

  // Errors: `config` when the time is over, `runtime` when the work is no longer wanted. `work` is
  // what took long: "compiling the rules".
  [[nodiscard]] Status check(const char* work) const {
    if (stop_.stop_requested() || (is_stopped_ != nullptr && is_stopped_())) {
      return fail(ErrorKind::runtime, std::string(work) + " was given up: the program stops");
    }
    if (most_.count() > 0 && Clock::now() - begin_ > most_) {
      return fail(ErrorKind::config, std::string(work) + " takes longer than " +
                                         std::to_string(most_.count()) + " s (" + setting_ +
                                         "): load fewer rules, or raise the limit");
    }
    return {};
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_{};
  std::chrono::seconds most_{0};
  std::string setting_;
  std::stop_token stop_;
  bool (*is_stopped_)() = nullptr;
};

}  // namespace imds
