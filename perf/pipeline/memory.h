// Memory of this process, as the system and EAL count it.
#pragma once

#include <cstdint>

namespace imds::bench {

struct ProcessMemory {
  std::uint64_t resident_bytes = 0;  // pages of all sizes
  std::uint64_t huge_bytes = 0;      // those of it in pages of 2 MiB or more
  std::uint64_t eal_heap_bytes = 0;  // handed out by EAL
};
[[nodiscard]] ProcessMemory process_memory();

// From now on no transparent huge pages. Best effort.
void avoid_huge_pages();

}  // namespace imds::bench
