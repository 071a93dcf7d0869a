// The configuration in force: the file, with what the command line says instead.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
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

// What compiling took.
struct CompileCost {
  std::chrono::milliseconds time{0};
  std::size_t compiled = 0;    // databases
  std::size_t from_cache = 0;  // others

  [[nodiscard]] std::string to_string() const;
};

// Rules as loaded and as compiled.
struct Ruleset {
  std::shared_ptr<const rules::RuleSet> compiled;
  std::vector<sigma::Correlation> correlations;  // their indices name rules of `compiled`
  std::vector<sigma::Filter> filters;            // compiled too; kept for --check
  std::vector<bool> correlated_only;             // per rule: it alerts through correlations only
  std::vector<sigma::SkippedRule> skipped;
  std::vector<std::string> notes;  // of the compile cache
  CompileCost cost;
  std::vector<std::string> warnings;
  // Only with Errors::all: every rule and file refused, and the rules `compiled` was made of.
  std::vector<Error> refused;
  std::vector<sigma::Rule> rules;
};

enum class Errors {
  first,  // the first thing wrong with any rule is returned
  all,    // rules that are wrong are left out and told in Ruleset::refused: for --check
};

struct RulesetOptions {
  std::uint32_t generation = 1;  // stands in every finding
  Errors errors = Errors::first;
  std::stop_token stop;            // loading is given up when it asks for it,
  bool (*is_stopped)() = nullptr;  // or when this says so
};

// Off the workers' CPUs: reads and compiles.
[[nodiscard]] Result<Ruleset> load_ruleset(const config::Rules& rules,
                                           const RulesetOptions& options = {});

}  // namespace imds::inspector
