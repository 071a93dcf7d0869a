// A counter as the samples of a family take it.
#pragma once

#include "base/counter.h"

namespace imds::inspector {

[[nodiscard]] inline double as_double(const Counter& counter) {
  return static_cast<double>(counter.get());
}

}  // namespace imds::inspector
