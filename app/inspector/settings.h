// The configuration in force: the file, with what the command line says instead.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "command_line.h"
#include "config/config.h"
#include "rules/rule_set.h"
#include "sigma/load.h"

namespace imds::inspector {

struct Settings {
  config::Config config;
  std::string config_path;
  std::string hostname;  // the configured one, or the system's
};

// Without --config: the inspector.yaml of the source tree a build stands in, else the installed
// one. Errors: config.
[[nodiscard]] Result<Settings> load_settings(const CommandLine& line);

// Rules as loaded and as compiled.
struct Ruleset {
  std::shared_ptr<const rules::RuleSet> compiled;
  std::vector<sigma::SkippedRule> skipped;
  std::vector<std::string> warnings;
};

[[nodiscard]] Result<Ruleset> load_ruleset(const config::Rules& rules);

}  // namespace imds::inspector
