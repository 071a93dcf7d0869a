#include "flow/memory.h"

#include <new>
#include <sys/mman.h>
#include <utility>

namespace imds::flow {

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Anonymous pages are zeroed by the system when first touched.
void* map_pages(std::size_t bytes, void*) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  // A wish only: without huge pages everything works, with more TLB misses.
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

void unmap_pages(void* memory, std::size_t bytes, void*) {
  munmap(memory, bytes);
}

}  // namespace

OwnedMemory::OwnedMemory(std::size_t bytes, const MemorySource& source) : source_(source) {
  size_ = bytes;
  if (source_.allocate == nullptr) {
    source_ = {map_pages, unmap_pages, nullptr};
    size_ = round_up(bytes, bytes >= kHugePage ? kHugePage : 4096);
  }
  data_ = source_.allocate(size_, source_.context);
  if (data_ == nullptr) {
    throw std::bad_alloc();
  }
}

OwnedMemory::~OwnedMemory() {
  if (data_ != nullptr && source_.release != nullptr) {
    source_.release(data_, size_, source_.context);
  }
}

OwnedMemory::OwnedMemory(OwnedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      source_(other.source_) {}

OwnedMemory& OwnedMemory::operator=(OwnedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(source_, other.source_);
  return *this;
}

}  // namespace imds::flow
