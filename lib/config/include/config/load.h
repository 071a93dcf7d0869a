// YAML in, a validated Config out. Nothing in the file is ignored: unknown and repeated keys,
// wrong types, values out of range, undefined names, aliases and tags are errors, always with
// file, line, column and what was expected (ErrorKind::config). Of several errors the one nearest
// the file's beginning is reported; the checks that span several keys come last.
//
// Bounds: 1 MiB of text, 16 levels of nesting, 64 ports, 256 endpoints and suppressions each.
// No function here prints, throws or looks at the network or the machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace imds::config {

inline constexpr std::size_t kMaxFileBytes = 1u << 20;
inline constexpr int kMaxDepth = 16;
inline constexpr std::size_t kMaxPorts = 64;
inline constexpr std::size_t kMaxEndpoints = 256;
inline constexpr std::size_t kMaxMetadataNames = 64;
inline constexpr std::size_t kMaxSuppressions = 256;
inline constexpr std::size_t kMaxTunnelPorts = 4;  // of one kind
inline constexpr std::uint16_t kMaxWorkers = 127;  // DPDK has 128 lcores; one is for control

// A file that cannot be read is ErrorKind::config too, with the reason.
[[nodiscard]] Result<Config> load_file(const std::string& path);

// The table of user agents that Rules::clients names: a list `clients`, each with a kind and
// patterns. Errors, of kind config and with file, line and column: those of load_file(), a kind
// without patterns.
[[nodiscard]] Result<std::vector<ClientKind>> load_clients(const std::string& path);
[[nodiscard]] Result<std::vector<ClientKind>> parse_clients(std::string_view text,
                                                            const std::string& name);

// `name` is the file's name in messages; relative paths in the text are joined to its folder.
// An empty text is a valid configuration: every default.
[[nodiscard]] Result<Config> parse(std::string_view text, const std::string& name);

// The checks that span several keys (names unique and defined, inline ports paired, as many
// cores as workers), and the warnings, which are replaced. parse() has done it; call it again
// after the command line has changed something.
[[nodiscard]] Status validate(Config& config);

// "127.0.0.1:39254": an IPv4 address and a port.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

// What the command line may say instead of the file, checked alike; returned unchanged. Errors say
// what was expected.
[[nodiscard]] Result<std::string> parse_ring_name(std::string_view text);
[[nodiscard]] Result<std::string> parse_interface_name(std::string_view text);

// Every key the file may have, as dotted paths in the file's order: "flow.key.vlan",
// "ports[].name", …
[[nodiscard]] std::vector<std::string> schema_keys();

}  // namespace imds::config
