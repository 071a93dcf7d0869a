#include "base/result.h"

namespace imds {

std::string Error::to_string() const {
  if (where.file.empty()) {
    return message;
  }
  std::string out = where.file;
  if (where.line > 0) {
    out += ':' + std::to_string(where.line);
    if (where.column > 0) {
      out += ':' + std::to_string(where.column);
    }
  }
  return out + ": " + message;
}

}  // namespace imds
