// What single texts of the configuration must look like. Each returns "expected …" for the text
// it refuses and an empty text for one it takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imds::config {

// Names of ports, endpoints, suppressions; DPDK's file prefix.
[[nodiscard]] std::string check_name(std::string_view text);
[[nodiscard]] std::string check_hostname(std::string_view text);
[[nodiscard]] std::string check_interface(std::string_view text);
// A PCI address or the name of a DPDK virtual device, then perhaps "," and driver arguments.
[[nodiscard]] std::string check_device(std::string_view text);
[[nodiscard]] std::string check_shared_memory_name(std::string_view text);
[[nodiscard]] std::string check_not_empty(std::string_view text);
[[nodiscard]] bool is_pci_address(std::string_view text);

// Decimal digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_whole_number(std::string_view text);

}  // namespace imds::config
