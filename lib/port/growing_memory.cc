#include "growing_memory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <linux/mman.h>
#include <string>
#include <sys/mman.h>
#include <utility>

namespace imds::port {
namespace {

constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;
constexpr std::uint64_t kStep = 4 * kHugePage;  // backed at a time

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

Result<GrowingMemory> GrowingMemory::create(std::uint64_t most, bool huge_pages) {
  GrowingMemory memory;
  memory.most_ = round_up(std::max<std::uint64_t>(most, 1), kStep);
  memory.mapped_ = memory.most_ + kHugePage;
  void* mapping =
      mmap(nullptr, memory.mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return fail(ErrorKind::environment, "no address space for " +
                                            std::to_string(memory.most_ >> 20) +
                                            " MiB of packets: " + std::strerror(errno));
  }
  memory.mapping_ = static_cast<std::uint8_t*>(mapping);
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(mapping);
  memory.begin_ = memory.mapping_ + (round_up(at, kHugePage) - at);
  memory.huge_pages_ = huge_pages;
  memory.reserved_pages_ = huge_pages;
  return memory;
}

GrowingMemory::~GrowingMemory() {
  if (mapping_ != nullptr) {
    munmap(mapping_, mapped_);
  }
}

GrowingMemory::GrowingMemory(GrowingMemory&& other) noexcept {
  *this = std::move(other);
}

GrowingMemory& GrowingMemory::operator=(GrowingMemory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(begin_, other.begin_);
  std::swap(mapped_, other.mapped_);
  std::swap(most_, other.most_);
  std::swap(backed_, other.backed_);
  std::swap(used_, other.used_);
  std::swap(huge_pages_, other.huge_pages_);
  std::swap(reserved_pages_, other.reserved_pages_);
  return *this;
}

std::uint8_t* GrowingMemory::append(std::uint64_t size) {
  if (size > most_ - used_) {
    return nullptr;
  }
  while (backed_ < used_ + size) {
    if (!back(std::min(kStep, most_ - backed_))) {
      return nullptr;
    }
  }
  return begin_ + std::exchange(used_, used_ + size);
}

bool GrowingMemory::back(std::uint64_t bytes) {
  std::uint8_t* const at = begin_ + backed_;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (reserved_pages_) {
    reserved_pages_ = mmap(at, bytes, PROT_READ | PROT_WRITE, kFlags | MAP_HUGETLB | MAP_HUGE_2MB,
                           -1, 0) != MAP_FAILED;
  }
  if (!reserved_pages_) {
    if (mmap(at, bytes, PROT_READ | PROT_WRITE, kFlags, -1, 0) == MAP_FAILED) {
      return false;
    }
    // Wishes both: with pages of another size everything works, at another speed.
    (void)madvise(at, bytes, huge_pages_ ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  backed_ += bytes;
  return true;
}

std::uint64_t available_memory(bool huge_pages) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::string unit;
  std::uint64_t value = 0;
  std::uint64_t available = 0;
  std::uint64_t free_pages = 0;
  std::uint64_t page_bytes = 0;
  while (file >> name >> value && std::getline(file, unit)) {
    if (name == "MemAvailable:") {
      available = value << 10;
    } else if (name == "HugePages_Free:") {
      free_pages = value;
    } else if (name == "Hugepagesize:") {
      page_bytes = value << 10;
    }
  }
  return available - available / 16 + (huge_pages ? free_pages * page_bytes : 0);
}

}  // namespace imds::port
