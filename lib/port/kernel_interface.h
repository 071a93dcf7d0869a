// What the kernel says about a network interface; for the virtual devices that sit on one.
// Every call asks anew and opens a socket of its own. Private to the room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "port/ethdev.h"

namespace imds::port {

struct KernelInterface {
  bool up = false;  // administratively
  std::uint16_t mtu = 0;
  std::uint16_t receive_queues = 1;
  bool coalesces = false;  // GRO or LRO: frames may be longer than the MTU
};

[[nodiscard]] bool interface_exists(const std::string& name);
// nullopt when there is no such interface.
[[nodiscard]] std::optional<KernelInterface> kernel_interface(const std::string& name);
[[nodiscard]] LinkInfo kernel_link(const std::string& name);

// Whether this process may open such sockets; an environment Error says what is missing.
[[nodiscard]] Status may_use_packet_sockets();
[[nodiscard]] Status may_use_xdp_sockets();

// "0000:3b:00.0" of the NIC behind an interface; empty for a virtual one.
[[nodiscard]] std::string pci_address_of(const std::string& interface);

}  // namespace imds::port
