// How many packets the kernel could not put into the rings of a net_af_packet device: the driver
// (as of DPDK 22.11) keeps its sockets to itself and does not count them, and a tap that does not
// know its losses looks quiet instead of blind. Private to the room; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace imds::port {

class PacketDrops {
 public:
  // Finds this process's packet sockets on `interface`: call once the device exists.
  void watch(const std::string& interface);
  // Drops since watch(). The kernel's count starts anew with each reading, hence the sum here.
  std::uint64_t read();
  // The driver is about to close its sockets: reads once more and lets go of them.
  void finish();

 private:
  std::vector<int> sockets_;  // the driver's, not owned
  std::uint64_t dropped_ = 0;
};

}  // namespace imds::port
