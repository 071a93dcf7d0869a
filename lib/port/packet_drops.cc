#include "packet_drops.h"

#include <cstdlib>
#include <filesystem>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

namespace imds::port {
namespace {

bool is_packet_socket_on(int fd, unsigned interface_index) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET) {
    return false;
  }
  sockaddr_ll address = {};
  size = sizeof address;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         static_cast<unsigned>(address.sll_ifindex) == interface_index;
}

}  // namespace

void PacketDrops::watch(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    const int fd = std::atoi(it->path().filename().c_str());
    if (index != 0 && is_packet_socket_on(fd, index)) {
      sockets_.push_back(fd);
    }
  }
}

std::uint64_t PacketDrops::read() {
  for (const int fd : sockets_) {
    tpacket_stats counts = {};
    socklen_t size = sizeof counts;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counts, &size) == 0) {
      dropped_ += counts.tp_drops;
    }
  }
  return dropped_;
}

void PacketDrops::finish() {
  read();
  sockets_.clear();
}

}  // namespace imds::port
