// Programs that measure end at the first error.
#pragma once

#include <stdexcept>
#include <utility>

#include "base/result.h"

namespace imds::bench {

template <class T>
[[nodiscard]] T must(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().to_string());
  }
  return std::move(*result);
}
inline void must(Status result) {
  if (!result) {
    throw std::runtime_error(result.error().to_string());
  }
}

}  // namespace imds::bench
