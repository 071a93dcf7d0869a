#include <cstdio>

#include "base/exit_code.h"
#include "base/text.h"
#include "check_report.h"
#include "correlations.h"
#include "engine.h"
#include "modes.h"
#include "suppressions.h"

namespace imds::inspector {

namespace {

void print_line(const std::string& text) {
  std::printf("%s\n", text.c_str());
}

template <typename Items, typename Name>
std::string joined(const Items& items, Name name) {
  std::string out;
  for (const auto& item : items) {
    out += (out.empty() ? "" : ", ") + name(item);
  }
  return out;
}

void print_ports(const config::Config& config) {
  if (config.ports.empty()) {
    print_line("ports: none (only --read works, or name ports with --interface)");
  }
  for (const config::Port& port : config.ports) {
    const bool by_device = port.driver == config::PortDriver::device;
    print_line("port " + port.name + ": " + (by_device ? port.device : port.interface) + " (" +
               std::string(config::name(port.driver)) + ", " +
               std::string(config::name(port.mode)) +
               (port.peer.empty() ? "" : ", forwards to " + port.peer) +
               (port.distribute == config::Distribute::automatic
                    ? ""
                    : ", distribute " + std::string(config::name(port.distribute))) +
               ")");
  }
}

void print_suppressions(const config::Config& config, const classify::SuppressionSet& set) {
  const std::vector<std::string> lines = describe_suppressions(config);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    print_line(lines[i]);
    if (const std::string& why = set.never_because(i); !why.empty()) {
      print_line("  warning: never matches, because " + why);
    }
  }
}

void print_throttle(const config::Throttle& throttle, const rules::RuleSet& rules) {
  for (const std::string& line : describe_throttle(throttle)) {
    print_line(line);
  }
  for (const std::string& warning : throttle_warnings(throttle, rules)) {
    print_line("  warning: " + warning);
  }
}

}  // namespace

Result<int> run_check(const CommandLine& line, const Settings& settings) {
  const config::Config& config = settings.config;
  auto ruleset = load_ruleset(
      config.rules, {.generation = 1, .errors = Errors::all, .stop = {}, .is_stopped = nullptr});
  if (!ruleset) {
    return pass_on(ruleset);
  }
  auto cost = measure_cost(ruleset->compiled, ruleset->rules);
  if (!cost) {
    return pass_on(cost);
  }
  const int code = ruleset->refused.empty() ? 0 : exit_code(ErrorKind::config);
  const rules::RuleSet& rules = *ruleset->compiled;
  auto suppressions = classify::SuppressionSet::create(classify_options(config, rules));
  if (!suppressions) {
    return pass_on(suppressions);
  }

  if (line.format == OutputFormat::json) {
    print_line(check_json(settings, *ruleset, *cost));
    return code;
  }
  print_line("configuration " + settings.config_path + ": valid");
  for (const config::Warning& warning : config.warnings) {
    print_line("  warning: " + warning.to_string());
  }
  print_ports(config);
  print_line("workers: " + std::to_string(config.workers.count));
  for (const config::Endpoint& endpoint : config.endpoints) {
    print_line("endpoint " + endpoint.name + ": " +
               joined(endpoint.addresses, [](const IpPrefix& p) { return p.to_string(); }));
  }
  print_suppressions(config, *suppressions);
  print_throttle(config.alerts.throttle, rules);
  print_line(
      "flows: " + std::to_string(config.flow.capacity) + " per worker, " +
      std::to_string(config.flow.capacity * sizeof(pipeline::Worker::FlowTable::Entry) >> 20) +
      " MiB");
  print_line("rules: " + std::to_string(rules.size()) + " in force, " +
             std::to_string(ruleset->correlations.size()) + " correlations, " +
             std::to_string(ruleset->filters.size()) + " filters, " +
             std::to_string(ruleset->skipped.size()) + " skipped" +
             (ruleset->refused.empty()
                  ? std::string()
                  : ", " + std::to_string(ruleset->refused.size()) + " refused"));
  print_line("compiled: " + ruleset->cost.to_string());
  for (const std::string& note : ruleset->notes) {
    print_line("  warning: " + escape_for_terminal(note));
  }
  for (const std::string& text : rules_text(*ruleset, *cost)) {
    print_line("  " + text);
  }
  for (const auto& lines :
       {describe_correlations(*ruleset, correlation_bytes(config)), describe_filters(*ruleset)}) {
    for (const std::string& line : lines) {
      print_line("  " + line);
    }
  }
  for (const sigma::SkippedRule& skipped : ruleset->skipped) {
    print_line("  skipped " +
               Error{ErrorKind::config,
                     "\"" + escape_for_terminal(skipped.title) + "\": " + skipped.reason,
                     skipped.where}
                   .to_string());
  }
  for (const std::string& warning : ruleset->warnings) {
    print_line("  warning: " + warning);
  }
  for (const Error& error : ruleset->refused) {
    std::fprintf(stderr, "imds-inspector: error: %s\n", error.to_string().c_str());
  }
  return code;
}

}  // namespace imds::inspector
