#include "device.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "kernel_interface.h"

namespace imds::port {
namespace {

// Bytes of a TPACKET_V2 ring frame before the packet: aligned header, address, the kernel's own
// alignment of the network header (packet(7), tpacket_rcv()).
constexpr std::uint32_t kRingFrameHeader = 66;
constexpr std::uint32_t kEthernetAndTwoTags = 14 + 2 * 4;
constexpr std::uint32_t kMinRingFrame = 2048;
constexpr std::uint32_t kRingBlock = 64 << 10;
constexpr std::uint32_t kMaxRingBytes = 16 << 20;
constexpr std::uint16_t kMaxFanoutQueues = 16;  // the driver's own limit

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// "3b:00.0" or "0000:3b:00.0".
bool looks_like_pci(std::string_view text) {
  std::string shape;
  for (char c : text) {
    shape += is_hex(c) ? 'h' : c;
  }
  return shape == "hh:hh.h" || shape == "hhhh:hh:hh.h";
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string port_text(const PortOptions& port) {
  return "port '" + port.name + "': ";
}

Status not_a_device(const PortOptions& port, const std::string& name) {
  if (interface_exists(name)) {
    const std::string pci = pci_address_of(name);
    return fail(ErrorKind::config,
                port_text(port) + "'" + name +
                    "' is a kernel interface: write 'net_af_packet0,iface=" + name +
                    "' or 'net_af_xdp0,iface=" + name + "'" +
                    (pci.empty() ? std::string()
                                 : ", or its PCI address '" + pci +
                                       "' after binding it to vfio-pci (dpdk-devbind.py)"));
  }
  return fail(ErrorKind::config,
              port_text(port) + "device '" + name +
                  "' is neither a PCI address such as '0000:3b:00.0' nor a virtual device such as "
                  "'net_af_packet0,iface=eth0', and DPDK has no device of that name");
}

Status check_kernel_device(const PortOptions& port, const DeviceRef& device) {
  if (device.interface.empty()) {
    return fail(ErrorKind::config, port_text(port) + "device '" + port.device +
                                       "' names no interface: expected '" + device.name +
                                       ",iface=NAME'");
  }
  if (!interface_exists(device.interface)) {
    return fail(ErrorKind::environment, port_text(port) + "interface '" + device.interface +
                                            "' does not exist; 'ip link' lists those that do");
  }
  return device.kind == DriverKind::af_xdp ? may_use_xdp_sockets() : may_use_packet_sockets();
}

Status check_pci(const PortOptions& port, const DeviceRef& device) {
  const std::string full = device.name.size() == 7 ? "0000:" + device.name : device.name;
  const std::filesystem::path folder = "/sys/bus/pci/devices/" + full;
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) {
    return fail(ErrorKind::environment, port_text(port) + "there is no PCI device " + full +
                                            "; 'dpdk-devbind.py --status' lists the NICs");
  }
  return {};
}

std::string pci_driver(const DeviceRef& device) {
  const std::string full = device.name.size() == 7 ? "0000:" + device.name : device.name;
  std::error_code error;
  const auto link =
      std::filesystem::read_symlink("/sys/bus/pci/devices/" + full + "/driver", error);
  return error ? std::string() : link.filename().string();
}

std::string attach_advice(const DeviceRef& device) {
  if (device.bus == Bus::pci) {
    const std::string driver = pci_driver(device);
    if (driver != "vfio-pci" && driver != "uio_pci_generic" && driver != "igb_uio" &&
        !starts_with(driver, "mlx")) {
      return "; it is bound to " +
             (driver.empty() ? std::string("no driver") : "'" + driver + "'") +
             ": bind it with 'dpdk-devbind.py -b vfio-pci " + device.name + "'";
    }
    return "; check access to /dev/vfio and that EAL was not started with --no-pci";
  }
  if (device.kind == DriverKind::af_xdp) {
    return "; the interface needs an MTU of at most 3498, no other XDP program, and memory locking "
           "allowed (ulimit -l)";
  }
  return "; DPDK's own messages say why";
}

// 0 when absent or not a number.
std::uint32_t number_argument(const std::string& arguments, const std::string& key) {
  return static_cast<std::uint32_t>(std::strtoul(argument(arguments, key).c_str(), nullptr, 10));
}

// Drivers often return a bare -1, which would read "operation not permitted".
std::string reason(int result) {
  return result == -1 ? std::string() : ": " + std::string(rte_strerror(-result));
}

void add_argument(std::string& arguments, const char* key, std::uint32_t value) {
  if (argument(arguments, key).empty()) {
    arguments += (arguments.empty() ? "" : ",") + std::string(key) + "=" + std::to_string(value);
  }
}

}  // namespace

std::string argument(const std::string& arguments, const std::string& key) {
  std::string_view rest = arguments;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    if (starts_with(item, key) && item.size() > key.size() && item[key.size()] == '=') {
      return std::string(item.substr(key.size() + 1));
    }
  }
  return {};
}

DeviceRef parse_device(const std::string& text) {
  DeviceRef ref;
  const std::size_t comma = text.find(',');
  ref.name = text.substr(0, comma);
  if (comma != std::string::npos) {
    ref.arguments = text.substr(comma + 1);
  }
  if (looks_like_pci(ref.name)) {
    ref.bus = Bus::pci;
  } else if (starts_with(ref.name, "net_") || starts_with(ref.name, "eth_")) {
    ref.bus = Bus::vdev;
  }
  if (starts_with(ref.name, "net_af_packet") || starts_with(ref.name, "eth_af_packet")) {
    ref.kind = DriverKind::af_packet;
  } else if (starts_with(ref.name, "net_af_xdp")) {
    ref.kind = DriverKind::af_xdp;
  }
  if (ref.kind != DriverKind::ordinary) {
    ref.interface = argument(ref.arguments, "iface");
  }
  return ref;
}

Status resolve_device(const PortOptions& port, DeviceRef& device) {
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(device.name.c_str(), &id) == 0) {
    device.bus = Bus::attached;
    return {};
  }
  switch (device.bus) {
    case Bus::pci:
      return check_pci(port, device);
    case Bus::vdev:
      return device.kind == DriverKind::ordinary ? Status{} : check_kernel_device(port, device);
    case Bus::attached:
      break;
  }
  return not_a_device(port, device.name);
}

std::uint16_t queues_before_attach(const DeviceRef& device, std::uint16_t wanted) {
  if (device.bus != Bus::vdev || device.kind == DriverKind::ordinary) {
    return wanted;
  }
  const bool packet = device.kind == DriverKind::af_packet;
  if (const std::uint32_t given =
          number_argument(device.arguments, packet ? "qpairs" : "queue_count");
      given != 0) {
    return static_cast<std::uint16_t>(std::min<std::uint32_t>(wanted, given));
  }
  if (packet) {
    return std::min(wanted, kMaxFanoutQueues);
  }
  const auto interface = kernel_interface(device.interface);
  return std::min(wanted, interface ? interface->receive_queues : std::uint16_t{1});
}

Status check_queue_coverage(const PortOptions& port, const DeviceRef& device,
                            std::uint16_t queues) {
  if (device.kind != DriverKind::af_xdp || device.bus != Bus::vdev ||
      !argument(device.arguments, "queue_count").empty() ||
      !argument(device.arguments, "start_queue").empty()) {
    return {};
  }
  const auto interface = kernel_interface(device.interface);
  if (!interface || interface->receive_queues <= queues) {
    return {};
  }
  const std::string count = std::to_string(queues);
  return fail(ErrorKind::environment,
              port_text(port) + "interface '" + device.interface + "' spreads its packets over " +
                  std::to_string(interface->receive_queues) + " queues, but only " + count +
                  " would be read and the rest not seen: run 'ethtool -L " + device.interface +
                  " combined " + count + "' (or rx " + count + "), or use more workers");
}

std::uint32_t ring_frame_bytes(std::uint32_t mtu) {
  const std::uint32_t needed = mtu + kEthernetAndTwoTags + kRingFrameHeader;
  return std::clamp(std::bit_ceil(needed), kMinRingFrame, kMaxRingFrame);
}

std::uint32_t ring_frame_room(std::uint32_t frame_bytes) {
  return frame_bytes > kRingFrameHeader ? frame_bytes - kRingFrameHeader : 0;
}

std::uint32_t ring_frame_of(const DeviceRef& device) {
  if (const std::uint32_t given = number_argument(device.arguments, "framesz"); given != 0) {
    return given;
  }
  if (device.bus == Bus::attached) {
    return kMinRingFrame;  // EAL created it; the driver's own default is the safe guess
  }
  const auto interface = kernel_interface(device.interface);
  return ring_frame_bytes(interface ? interface->mtu : RTE_ETHER_MTU);
}

std::string driver_arguments(const DeviceRef& device, std::uint16_t queues,
                             std::uint32_t ring_frames) {
  std::string arguments = device.arguments;
  if (device.kind == DriverKind::af_packet) {
    const std::uint32_t frame = ring_frame_of(device);
    const std::uint32_t block = std::max(frame, kRingBlock);
    const std::uint32_t frames = std::min(ring_frames, kMaxRingBytes / frame);
    add_argument(arguments, "qpairs", queues);
    add_argument(arguments, "framesz", frame);
    add_argument(arguments, "blocksz", block);
    // The kernel wants whole blocks.
    add_argument(arguments, "framecnt", frames - frames % (block / frame));
  } else if (device.kind == DriverKind::af_xdp) {
    add_argument(arguments, "start_queue", 0);
    add_argument(arguments, "queue_count", queues);
  }
  return arguments;
}

Result<std::uint16_t> attach(const PortOptions& port, const DeviceRef& device,
                             const std::string& arguments) {
  std::uint16_t id = 0;
  if (device.bus != Bus::attached) {
    const char* bus = device.bus == Bus::pci ? "pci" : "vdev";
    const int result = rte_eal_hotplug_add(bus, device.name.c_str(), arguments.c_str());
    if (result != 0) {
      return fail(ErrorKind::environment, port_text(port) + "DPDK cannot open device '" +
                                              device.name + "'" + reason(result) +
                                              attach_advice(device));
    }
  }
  if (rte_eth_dev_get_port_by_name(device.name.c_str(), &id) != 0) {
    return fail(ErrorKind::environment,
                port_text(port) + "device '" + device.name + "' is not a network device");
  }
  return id;
}

void detach(const DeviceRef& device, std::uint16_t port_id) {
  rte_eth_dev_close(port_id);
  // PCI devices stay with their bus; a virtual one must go, or its name could not be used again.
  if (device.bus == Bus::vdev) {
    rte_eal_hotplug_remove("vdev", device.name.c_str());
  }
}

}  // namespace imds::port
