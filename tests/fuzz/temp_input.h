// The input as a file, for readers that only take paths. It lives in memory (memfd) and is one per
// process, rewritten for each input.
#pragma once

#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

namespace imds::fuzz {

class TempInput {
 public:
  explicit TempInput(ByteSpan bytes) {
    require(ftruncate(descriptor(), 0) == 0, "the input file can be emptied");
    const ssize_t written = pwrite(descriptor(), bytes.data(), bytes.size(), 0);
    require(written == static_cast<ssize_t>(bytes.size()), "the input file can be written");
  }
  [[nodiscard]] static std::string path() {
    return "/proc/self/fd/" + std::to_string(descriptor());
  }

 private:
  static int descriptor() {
    static const int fd = memfd_create("fuzz-input", 0);
    return fd;
  }
};

}  // namespace imds::fuzz
