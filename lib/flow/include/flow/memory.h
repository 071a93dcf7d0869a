// Where the large preallocated tables come from. By default anonymous pages with transparent huge
// pages asked for; an owner that has better memory (DPDK's heap on the worker's NUMA node) passes
// its own functions.
#pragma once

#include <cstddef>

namespace imds::flow {

struct MemorySource {
  // Zeroed memory aligned to at least 64 bytes, or nullptr. nullptr here: anonymous pages.
  void* (*allocate)(std::size_t bytes, void* context) = nullptr;
  void (*release)(void* memory, std::size_t bytes, void* context) = nullptr;
  void* context = nullptr;
};

// One block from a MemorySource, given back on destruction. Zeroed at construction.
class OwnedMemory {
 public:
  OwnedMemory() = default;
  // Throws std::bad_alloc if the source has none.
  OwnedMemory(std::size_t bytes, const MemorySource& source);
  ~OwnedMemory();
  OwnedMemory(OwnedMemory&& other) noexcept;
  OwnedMemory& operator=(OwnedMemory&& other) noexcept;

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
  MemorySource source_;
};

}  // namespace imds::flow
