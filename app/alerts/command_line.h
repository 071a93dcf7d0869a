// The command line of imds-alerts, parsed and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace imds::alerts {

enum class Command { help, version, follow, list, stats };
enum class Format { text, ecs, eve, json };

struct CommandLine {
  Command command = Command::help;
  std::optional<std::string> ring;
  std::optional<std::string> config_file;
  Format format = Format::ecs;
  bool from_start = false;
  bool wait = false;
  std::optional<std::uint64_t> count;
  std::optional<double> timeout_seconds;
};

// Errors have kind `usage`. Option names are never guessed from abbreviations.
[[nodiscard]] Result<CommandLine> parse_command_line(int argc, const char* const* argv);

[[nodiscard]] std::string help_text();

}  // namespace imds::alerts
