#include "memory.h"

#include <fstream>
#include <string>
#include <sys/prctl.h>

#include <rte_malloc.h>

namespace imds::bench {

ProcessMemory process_memory() {
  ProcessMemory memory;
  std::ifstream file("/proc/self/smaps_rollup");
  std::string line;
  std::getline(file, line);  // the range it is about
  std::string name;
  std::uint64_t kib = 0;
  while (file >> name >> kib && std::getline(file, line)) {
    const bool reserved = name == "Private_Hugetlb:" || name == "Shared_Hugetlb:";
    if (name == "Rss:" || reserved) {
      memory.resident_bytes += kib << 10;
    }
    if (name == "AnonHugePages:" || reserved) {
      memory.huge_bytes += kib << 10;
    }
  }
  for (int socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket) {
    rte_malloc_socket_stats heap = {};
    if (rte_malloc_get_socket_stats(socket, &heap) == 0) {
      memory.eal_heap_bytes += heap.heap_allocsz_bytes;
    }
  }
  return memory;
}

void avoid_huge_pages() {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

}  // namespace imds::bench
