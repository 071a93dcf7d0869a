#include <cstdio>

#include "base/text.h"
#include "engine.h"
#include "modes.h"

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

std::string vlan_text(const config::VlanRange& range) {
  return range.first == range.last ? std::to_string(range.first)
                                   : std::to_string(range.first) + "-" + std::to_string(range.last);
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
               (port.peer.empty() ? "" : ", forwards to " + port.peer) + ")");
  }
}

void print_suppressions(const config::Config& config, const classify::SuppressionSet& set) {
  for (std::size_t i = 0; i < config.suppress.size(); ++i) {
    const config::Suppression& s = config.suppress[i];
    std::string line = "suppress " + s.name + ":";
    if (!s.source.empty()) {
      line += " source " + joined(s.source, [](const IpPrefix& p) { return p.to_string(); });
    }
    if (!s.outer.empty()) {
      line += " outer " + joined(s.outer, [](const IpPrefix& p) { return p.to_string(); });
    }
    if (!s.vlan.empty()) {
      line += " vlan " + joined(s.vlan, vlan_text);
    }
    if (!s.endpoint.empty()) {
      line += " endpoint " + joined(s.endpoint, [](const std::string& e) { return e; });
    }
    print_line(line);
    if (const auto shadow = set.shadowed_by(i)) {
      print_line("  warning: never matches, because \"" + config.suppress[*shadow].name +
                 "\" before it covers all of it");
    }
  }
}

}  // namespace

Result<int> run_check(const CommandLine&, const Settings& settings) {
  const config::Config& config = settings.config;
  auto ruleset = load_ruleset(config.rules);
  if (!ruleset) {
    return pass_on(ruleset);
  }
  const rules::RuleSet& rules = *ruleset->compiled;
  auto suppressions = classify::SuppressionSet::create(classify_options(config, rules));
  if (!suppressions) {
    return pass_on(suppressions);
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
  print_line(
      "flows: " + std::to_string(config.flow.capacity) + " per worker, " +
      std::to_string(config.flow.capacity * sizeof(pipeline::Worker::FlowTable::Entry) >> 20) +
      " MiB");
  print_line("rules: " + std::to_string(rules.size()) + " in force, " +
             std::to_string(ruleset->skipped.size()) + " skipped");
  for (const std::string& line : rules.describe()) {
    print_line("  " + line);
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
  return 0;
}

}  // namespace imds::inspector
