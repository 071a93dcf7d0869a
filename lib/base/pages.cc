#include "base/pages.h"

#include <new>
#include <sys/mman.h>

#include "base/counter.h"

namespace imds::detail {

void* allocate_pages(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const bool is_large = bytes >= kHugePage;
  const std::size_t unit = is_large ? kHugePage : kCacheLine;
  const std::size_t size = (bytes + unit - 1) / unit * unit;
  void* const memory = std::aligned_alloc(unit, size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  if (is_large) {
    (void)madvise(memory, size, MADV_HUGEPAGE);
  }
  return memory;
}

}  // namespace imds::detail
