#include "settings.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <filesystem>
#include <unistd.h>

#include "build_config.h"
#include "config/load.h"
#include "event/fields.h"
#include "match/compilation.h"

namespace imds::inspector {

namespace {

namespace fs = std::filesystem;

// A build tree stands a few folders below the source tree it belongs to.
constexpr int kFoldersUp = 6;

std::string find_config_file() {
  std::error_code error;
  fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int i = 0; !error && i < kFoldersUp && folder.has_relative_path(); ++i) {
    if (fs::exists(folder / "meson.build", error) &&
        fs::exists(folder / "conf/inspector.yaml", error)) {
      return folder / "conf/inspector.yaml";
    }
    folder = folder.parent_path();
  }
  return kInstalledConfig;
}

std::string system_hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

Result<config::LogLevel> parse_log_level(const std::string& text) {
  using config::LogLevel;
  for (const LogLevel level :
       {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
    if (text == config::name(level)) {
      return level;
    }
  }
  return fail(ErrorKind::usage,
              "--log-level " + text + ": expected trace, debug, info, warning or error");
}

// Where warnings about values from the command line point to.
const config::Origin kCommandLine{{"command line", 0, 0}};

Status replace_ports(const std::vector<std::string>& interfaces, config::Config& config) {
  config.ports.clear();
  for (const std::string& interface : interfaces) {
    auto name = config::parse_interface_name(interface);
    if (!name) {
      return fail(ErrorKind::usage, "--interface " + interface + ": " + name.error().message);
    }
    const bool twice = std::any_of(config.ports.begin(), config.ports.end(),
                                   [&](const config::Port& p) { return p.interface == interface; });
    if (twice) {
      return fail(ErrorKind::usage, "--interface " + interface + " is given twice");
    }
    config::Port port;
    port.name = interface;
    port.interface = interface;
    port.where = kCommandLine;
    config.ports.push_back(std::move(port));
  }
  return {};
}

Status apply_overrides(const CommandLine& line, config::Config& config) {
  if (!line.rules.empty()) {
    config.rules.paths = line.rules;
  }
  if (!line.interfaces.empty()) {
    if (auto status = replace_ports(line.interfaces, config); !status) {
      return status;
    }
  }
  if (line.workers) {
    if (*line.workers == 0 || *line.workers > config::kMaxWorkers) {
      return fail(ErrorKind::usage, "--workers " + std::to_string(*line.workers) +
                                        ": expected 1 to " + std::to_string(config::kMaxWorkers));
    }
    config.workers.count = static_cast<std::uint16_t>(*line.workers);
    config.workers.cores.clear();
    config.workers.where = kCommandLine;
  }
  if (line.ring) {
    auto name = config::parse_ring_name(*line.ring);
    if (!name) {
      return fail(ErrorKind::usage, "--ring " + *line.ring + ": " + name.error().message);
    }
    config.alerts.ring.name = *name;
  }
  if (line.metrics_listen) {
    auto listen = config::parse_listen_address(*line.metrics_listen);
    if (!listen) {
      return fail(ErrorKind::usage, "--metrics-listen: " + listen.error().message);
    }
    config.metrics.listen = *listen;
    config.metrics.enabled = true;
    config.metrics.where = kCommandLine;
  }
  if (line.log_level) {
    auto level = parse_log_level(*line.log_level);
    if (!level) {
      return pass_on(level);
    }
    config.log.level = *level;
  }
  if (!line.eal_arguments.empty()) {
    config.eal.where = kCommandLine;
  }
  config.eal.extra_arguments.insert(config.eal.extra_arguments.end(), line.eal_arguments.begin(),
                                    line.eal_arguments.end());
  return config::validate(config);
}

}  // namespace

std::string CompileCost::to_string() const {
  return std::to_string(time.count()) + " ms, " + std::to_string(compiled) +
         " databases compiled, " + std::to_string(from_cache) + " taken from the cache";
}

Result<Settings> load_settings(const CommandLine& line) {
  Settings settings;
  settings.config_path = line.config_file.value_or(find_config_file());
  auto config = config::load_file(settings.config_path);
  if (!config) {
    return pass_on(config);
  }
  settings.config = std::move(*config);
  if (auto status = apply_overrides(line, settings.config); !status) {
    return pass_on(status);
  }
  auto clients = config::load_clients(settings.config.rules.clients);
  if (!clients) {
    return pass_on(clients);
  }
  settings.config.clients = std::move(*clients);
  settings.hostname = settings.config.observer.hostname.empty() ? system_hostname()
                                                                : settings.config.observer.hostname;
  return settings;
}

namespace {

// Leaves out rules that cannot be compiled, and tells why.
void refuse_uncompilable(sigma::LoadedRules& loaded) {
  std::vector<sigma::Rule> kept;
  for (sigma::Rule& rule : loaded.rules) {
    if (Status compiles = rules::RuleSet::check(rule); !compiles) {
      loaded.refused.push_back(std::move(compiles.error()));
    } else {
      kept.push_back(std::move(rule));
    }
  }
  loaded.rules = std::move(kept);
}

}  // namespace

Result<Ruleset> load_ruleset(const config::Rules& rules, const RulesetOptions& options) {
  auto fields = event::FieldTable::load(rules.fields);
  if (!fields) {
    return pass_on(fields);
  }
  const std::vector<fs::path> paths(rules.paths.begin(), rules.paths.end());
  const Deadline deadline(std::chrono::seconds(rules.compile_timeout_seconds),
                          "rules.compile_timeout", options.stop, options.is_stopped);
  sigma::LoadOptions load;
  load.deadline = deadline;
  load.keep_going = options.errors == Errors::all;
  for (const config::Placeholder& placeholder : rules.placeholders) {
    load.placeholders[placeholder.name] = placeholder.values;
  }
  auto loaded = sigma::load_paths(paths, *fields, load);
  if (!loaded) {
    return pass_on(loaded);
  }
  if (options.errors == Errors::all) {
    refuse_uncompilable(*loaded);
  }
  match::CompilationOptions limits;
  limits.cache_folder = rules.cache;
  limits.deadline = deadline;
  match::Compilation compilation(std::move(limits));
  const auto begin = std::chrono::steady_clock::now();
  rules::CompileOptions compile;
  compile.generation = options.generation;
  compile.compilation = &compilation;
  auto compiled = rules::RuleSet::compile(loaded->rules, compile, loaded->filters);
  if (!compiled) {
    return pass_on(compiled);
  }
  compilation.tidy();
  Ruleset out;
  out.notes = compilation.notes();
  out.cost = {std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::steady_clock::now() - begin),
              compilation.compiled(), compilation.from_cache()};
  if (compiled->get()->size() == 0) {
    out.warnings.emplace_back("no rule is in force: nothing will alert");
  }
  out.compiled = std::move(*compiled);
  out.correlations = std::move(loaded->correlations);
  out.filters = std::move(loaded->filters);
  for (const sigma::Rule& rule : loaded->rules) {
    out.correlated_only.push_back(!rule.alerts);
  }
  out.skipped = std::move(loaded->skipped);
  out.refused = std::move(loaded->refused);
  if (options.errors == Errors::all) {
    out.rules = std::move(loaded->rules);
  }
  for (const sigma::Warning& warning : loaded->warnings) {
    out.warnings.push_back(Error{ErrorKind::config, warning.message, warning.where}.to_string());
  }
  const std::vector<std::string>& compiled_warnings = out.compiled->warnings();
  out.warnings.insert(out.warnings.end(), compiled_warnings.begin(), compiled_warnings.end());
  return out;
}

}  // namespace imds::inspector
