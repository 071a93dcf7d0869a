// Memory that grows in place: a range of addresses is set aside, and backed by pages as it fills.
// Pages are 2 MiB where the system has them free, or makes them (transparent huge pages), and 4 KiB
// elsewhere. One thread. Private to the room.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace imds::port {

class GrowingMemory {
 public:
  GrowingMemory() = default;
  // Room for `most` bytes, none of it backed yet. Fails (environment) without address space.
  [[nodiscard]] static Result<GrowingMemory> create(std::uint64_t most, bool huge_pages);
  ~GrowingMemory();
  GrowingMemory(GrowingMemory&& other) noexcept;
  GrowingMemory& operator=(GrowingMemory&& other) noexcept;

  // `size` more bytes, zeroed, directly behind those before; nullptr without room or pages.
  [[nodiscard]] std::uint8_t* append(std::uint64_t size);

  [[nodiscard]] std::uint8_t* data() const { return begin_; }
  [[nodiscard]] std::uint64_t size() const { return used_; }

 private:
  [[nodiscard]] bool back(std::uint64_t bytes);

  std::uint8_t* mapping_ = nullptr;  // begin_ is its first address that a huge page may have
  std::uint8_t* begin_ = nullptr;
  std::uint64_t mapped_ = 0;
  std::uint64_t most_ = 0;
  std::uint64_t backed_ = 0;
  std::uint64_t used_ = 0;
  bool huge_pages_ = false;
  bool reserved_pages_ = false;  // of hugetlbfs; until there are no more of them
};

// Bytes a program may take without pushing others out: the system's own estimate, less a sixteenth,
// and free huge pages if it takes those. 0 if the system does not say.
[[nodiscard]] std::uint64_t available_memory(bool huge_pages);

}  // namespace imds::port
