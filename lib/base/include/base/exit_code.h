// The programs' exit codes (docs/operating.md), one for each kind of error.
#pragma once

#include "base/result.h"

namespace imds {

[[nodiscard]] constexpr int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::runtime:
      return 1;
    case ErrorKind::usage:
      return 2;
    case ErrorKind::config:
      return 3;
    case ErrorKind::environment:
      return 4;
  }
  return 1;
}

}  // namespace imds
