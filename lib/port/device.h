// From a port's device string to an attached DPDK device, and back. Private to the room.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "port/ethdev.h"

namespace imds::port {

// What the room knows about drivers beyond what they tell of themselves.
enum class DriverKind : std::uint8_t {
  ordinary,
  af_packet,
  af_xdp,
};

enum class Bus : std::uint8_t { pci, vdev, attached };

// A device string taken apart; nothing looked up yet.
struct DeviceRef {
  Bus bus = Bus::attached;
  DriverKind kind = DriverKind::ordinary;
  std::string name;       // "0000:3b:00.0", "net_af_packet0"
  std::string arguments;  // after the first comma
  std::string interface;  // of AF_PACKET and AF_XDP: the kernel interface
};

// Needs no EAL. What is neither PCI address nor virtual device is taken for one EAL already has.
[[nodiscard]] DeviceRef parse_device(const std::string& text);

// Value of `key` in "a=1,b=2"; empty without.
[[nodiscard]] std::string argument(const std::string& arguments, const std::string& key);

// Looks the device up among EAL's (then `bus` becomes `attached`), and otherwise makes the checks
// that give a better message than a driver could: form, interface, permission, PCI device.
[[nodiscard]] Status resolve_device(const PortOptions& port, DeviceRef& device);

// Most queues of `wanted` that the device could have, as far as can be told before it exists.
[[nodiscard]] std::uint16_t queues_before_attach(const DeviceRef& device, std::uint16_t wanted);

// AF_XDP sees only the queues it opens: an Error when the interface spreads over more than
// `queues`, unless the device string itself names the queues.
[[nodiscard]] Status check_queue_coverage(const PortOptions& port, const DeviceRef& device,
                                          std::uint16_t queues);

// AF_PACKET's ring frame for an interface of this MTU, and the longest Ethernet frame that arrives
// whole in it.
inline constexpr std::uint32_t kMaxRingFrame = 32768;
[[nodiscard]] std::uint32_t ring_frame_bytes(std::uint32_t mtu);
[[nodiscard]] std::uint32_t ring_frame_room(std::uint32_t frame_bytes);
// Frame size the device has, given or derived.
[[nodiscard]] std::uint32_t ring_frame_of(const DeviceRef& device);

// Arguments for the driver: what the user wrote, and what is derived where nothing was written.
[[nodiscard]] std::string driver_arguments(const DeviceRef& device, std::uint16_t queues,
                                           std::uint32_t ring_frames);

// Attaches through EAL's hotplug; `port_id` is DPDK's. Environment error with advice.
[[nodiscard]] Result<std::uint16_t> attach(const PortOptions& port, const DeviceRef& device,
                                           const std::string& arguments);
void detach(const DeviceRef& device, std::uint16_t port_id);

}  // namespace imds::port
