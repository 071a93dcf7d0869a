#include "kernel_interface.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace imds::port {
namespace {

class ControlSocket {
 public:
  explicit ControlSocket(const std::string& interface)
      : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::size_t length = std::min(interface.size(), sizeof request_.ifr_name - 1);
    std::memcpy(request_.ifr_name, interface.data(), length);
  }
  ~ControlSocket() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // The request's union holds the answer.
  bool ask(unsigned long what) { return fd_ >= 0 && ioctl(fd_, what, &request_) == 0; }
  bool ask_ethtool(void* command) {
    request_.ifr_data = static_cast<char*>(command);
    return ask(SIOCETHTOOL);
  }
  // ETHTOOL_G* commands that answer with one number; 0 where the driver has none.
  std::uint32_t ethtool_value(std::uint32_t command) {
    ethtool_value_request value = {command, 0};
    return ask_ethtool(&value) ? value.data : 0;
  }
  [[nodiscard]] const ifreq& answer() const { return request_; }

 private:
  using ethtool_value_request = ::ethtool_value;
  int fd_;
  ifreq request_ = {};
};

std::uint16_t receive_queues_of(ControlSocket& control) {
  ethtool_channels channels = {};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!control.ask_ethtool(&channels)) {
    return 1;
  }
  const std::uint32_t count = channels.rx_count + channels.combined_count;
  return static_cast<std::uint16_t>(std::clamp<std::uint32_t>(count, 1, UINT16_MAX));
}

}  // namespace

bool interface_exists(const std::string& name) {
  return if_nametoindex(name.c_str()) != 0;
}

std::optional<KernelInterface> kernel_interface(const std::string& name) {
  if (!interface_exists(name)) {
    return std::nullopt;
  }
  KernelInterface out;
  ControlSocket control(name);
  if (control.ask(SIOCGIFFLAGS)) {
    out.up = (control.answer().ifr_flags & IFF_UP) != 0;
  }
  if (control.ask(SIOCGIFMTU)) {
    out.mtu = static_cast<std::uint16_t>(std::clamp(control.answer().ifr_mtu, 0, UINT16_MAX + 0));
  }
  out.receive_queues = receive_queues_of(control);
  out.coalesces = control.ethtool_value(ETHTOOL_GGRO) != 0 ||
                  (control.ethtool_value(ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0;
  return out;
}

LinkInfo kernel_link(const std::string& name) {
  LinkInfo link;
  ControlSocket control(name);
  if (control.ask(SIOCGIFFLAGS)) {
    link.up = (control.answer().ifr_flags & IFF_RUNNING) != 0;
  }
  ethtool_cmd settings = {};
  settings.cmd = ETHTOOL_GSET;
  if (control.ask_ethtool(&settings)) {
    const std::uint32_t speed = ethtool_cmd_speed(&settings);
    link.speed_mbps = speed == static_cast<std::uint32_t>(SPEED_UNKNOWN) ? 0 : speed;
    link.full_duplex = settings.duplex == DUPLEX_FULL;
  }
  return link;
}

namespace {

Status may_open_socket(int family, int protocol, const char* what, const char* capabilities) {
  const int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd >= 0) {
    close(fd);
    return {};
  }
  if (errno == EPERM || errno == EACCES) {
    return fail(ErrorKind::environment, std::string("no permission to open ") + what +
                                            " sockets: run as root or with the capabilities " +
                                            capabilities);
  }
  if (errno == EAFNOSUPPORT) {
    return fail(ErrorKind::environment, std::string("this kernel has no ") + what + " sockets");
  }
  return fail(ErrorKind::environment,
              std::string(what) + " sockets cannot be opened: " + std::strerror(errno));
}

}  // namespace

Status may_use_packet_sockets() {
  return may_open_socket(AF_PACKET, 0, "AF_PACKET", "CAP_NET_RAW and CAP_NET_ADMIN");
}

Status may_use_xdp_sockets() {
  return may_open_socket(AF_XDP, 0, "AF_XDP", "CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF");
}

std::string pci_address_of(const std::string& interface) {
  std::error_code error;
  const auto device =
      std::filesystem::read_symlink("/sys/class/net/" + interface + "/device", error);
  const std::string name = error ? std::string() : device.filename().string();
  return name.size() >= 12 && name[4] == ':' ? name : std::string();
}

}  // namespace imds::port
