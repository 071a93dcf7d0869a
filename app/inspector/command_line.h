// The command line of imds-inspector, parsed and checked but not yet acted on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace imds::inspector {

enum class OutputFormat { text, ecs, eve, json };

struct CommandLine {
  bool help = false;
  bool version = false;
  bool build_info = false;
  bool check = false;
  bool inject_test = false;
  bool reload = false;
  std::optional<std::string> config_file;
  std::vector<std::string> read;
  bool throttle = false;  // --read: alerts as live mode would deliver them
  OutputFormat format = OutputFormat::text;
  std::vector<std::string> rules;       // replaces the configured rules when not empty
  std::vector<std::string> interfaces;  // replaces the configured ports when not empty
  std::optional<std::string> metrics_listen;
  std::optional<std::string> ring;
  std::optional<unsigned> workers;
  std::optional<std::string> log_level;
  std::optional<std::string> metrics_text;  // --read: where to write the final metrics
  std::vector<std::string> eal_arguments;   // what stood after "--"
};

// Errors have kind `usage`. Option names are never guessed from abbreviations.
[[nodiscard]] Result<CommandLine> parse_command_line(int argc, const char* const* argv);

// The text of --help.
[[nodiscard]] std::string help_text();

}  // namespace imds::inspector
