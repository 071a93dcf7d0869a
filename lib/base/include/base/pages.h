// Arrays of plain records that are too large for the caches: on pages as large as the system gives,
// of which the processor has to look up fewer, each record where its cache lines begin.
//
// Memory is taken at once, and touched by who uses it. Huge pages are a wish: without them all
// works, slower. A record's size should be a multiple of kCacheLine.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace imds {

namespace detail {

struct FreePages {
  void operator()(void* memory) const { std::free(memory); }
};
// Throws std::bad_alloc.
[[nodiscard]] void* allocate_pages(std::size_t bytes);

}  // namespace detail

template <typename Record>
using Pages = std::unique_ptr<Record[], detail::FreePages>;

// Not initialised.
template <typename Record>
[[nodiscard]] Pages<Record> make_pages(std::size_t count) {
  static_assert(std::is_trivially_copyable_v<Record>);
  return Pages<Record>(static_cast<Record*>(detail::allocate_pages(count * sizeof(Record))));
}

}  // namespace imds
