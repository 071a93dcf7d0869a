// A pair of virtual Ethernet interfaces in a network namespace of this process's own, and raw
// sockets to send into and listen at one end. Needs root.
#pragma once

#include <cstdlib>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "support/packet_builder.h"

namespace imds::port {

// Moves the calling thread (and with it what it creates later) into a new network namespace, once.
// false: not permitted.
inline bool enter_private_network() {
  static const bool entered = unshare(CLONE_NEWNET) == 0;
  return entered;
}

inline void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) {
    throw std::runtime_error("failed: " + command);
  }
}

// `near` is given to the port under test, `far` is the wire's other end. The kernel itself says
// nothing on either (no IPv6, no ARP).
class VethPair {
 public:
  explicit VethPair(const std::string& name, unsigned mtu = 1500)
      : near(name + "n"), far(name + "f") {
    run("ip link add " + near + " mtu " + std::to_string(mtu) + " type veth peer name " + far +
        " mtu " + std::to_string(mtu));
    for (const std::string& end : {near, far}) {
      run("ip link set " + end + " arp off addrgenmode none");
      run("ip link set " + end + " up");
    }
  }
  ~VethPair() {
    if (std::system(("ip link del " + near).c_str()) != 0) {
      std::abort();
    }
  }
  VethPair(const VethPair&) = delete;
  VethPair& operator=(const VethPair&) = delete;

  const std::string near;
  const std::string far;
};

class RawEnd {
 public:
  explicit RawEnd(const std::string& interface)
      : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address = {};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    const int on = 1;
    const int buffer = 16 << 20;
    if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0) {
      throw std::runtime_error("raw socket on " + interface);
    }
  }
  ~RawEnd() { close(fd_); }
  RawEnd(const RawEnd&) = delete;
  RawEnd& operator=(const RawEnd&) = delete;

  void send(const support::Bytes& frame) {
    if (::send(fd_, frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size())) {
      throw std::runtime_error("send of " + std::to_string(frame.size()) + " bytes");
    }
  }
  // What has arrived; empty when nothing has.
  std::vector<support::Bytes> receive() {
    std::vector<support::Bytes> frames;
    support::Bytes buffer(65536);
    for (ssize_t n = 0; (n = recv(fd_, buffer.data(), buffer.size(), 0)) > 0;) {
      frames.emplace_back(buffer.begin(), buffer.begin() + n);
    }
    return frames;
  }

 private:
  int fd_;
};

}  // namespace imds::port
