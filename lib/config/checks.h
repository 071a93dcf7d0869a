// What single texts of the configuration must look like. Each returns "expected …" for the text
// it refuses and an empty text for one it takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace imds::config {

// Names of ports, endpoints, suppressions; DPDK's file prefix.
[[nodiscard]] std::string check_name(std::string_view text);
[[nodiscard]] std::string check_hostname(std::string_view text);
[[nodiscard]] std::string check_interface(std::string_view text);
// A PCI address or the name of a DPDK virtual device, then perhaps "," and driver arguments.
[[nodiscard]] std::string check_device(std::string_view text);
[[nodiscard]] std::string check_shared_memory_name(std::string_view text);
[[nodiscard]] std::string check_not_empty(std::string_view text);
// A Sigma rule's id (a UUID) and tag; case does not matter.
[[nodiscard]] std::string check_rule_id(std::string_view text);
[[nodiscard]] std::string check_tag(std::string_view text);
// At most 256 bytes and not only `*`.
[[nodiscard]] std::string check_user_agent(std::string_view text);
// A name in DNS without its last dot, `*` for anything, but not only that.
[[nodiscard]] std::string check_dns_pattern(std::string_view text);
[[nodiscard]] bool is_pci_address(std::string_view text);

// Decimal digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_whole_number(std::string_view text);

// "2026-12-31T18:00:00Z", also with an offset such as +02:00, or "2026-12-31": that day's beginning
// or, with `whole_day`, its end; UTC. Years 1970 to 2200.
[[nodiscard]] std::optional<Timestamp> parse_instant(std::string_view text, bool whole_day);
// "22:00-06:00", UTC; 24:00 is the day's end.
[[nodiscard]] std::optional<DailyHours> parse_hours(std::string_view text);
// "02:00:5e:10:00:01", also with hyphens.
[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text);

}  // namespace imds::config
