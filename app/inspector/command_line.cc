#include "command_line.h"

#include <algorithm>
#include <sstream>

#include <boost/program_options.hpp>

namespace imds::inspector {

namespace {

namespace po = boost::program_options;
using Strings = std::vector<std::string>;

// One line per option reads better than what the formatter makes of the library's call chain.
// clang-format off
po::options_description option_descriptions() {
  po::options_description what("What to do");
  what.add_options()
      ("config", po::value<std::string>()->value_name("FILE"),
       "configuration; without it, the installed or the source tree's inspector.yaml")
      ("read", po::value<Strings>()->value_name("FILE")->composing(),
       "inspect a capture file or a folder of them (pcap, pcapng; - for standard input); "
       "repeatable; several are merged by timestamp")
      ("check", "validate configuration and rules, print what they compile to, and stop")
      ("inject-test",
       "send one synthetic IMDS request through the running inspector, or start one and do so")
      ("reload",
       "have the running inspector read rules, endpoints and suppressions again; tells how it went")
      ("help,h", "this text")
      ("version", "the version")
      ("build-info", "the version, compiler, libraries and instruction set");
  po::options_description output("Output of --read and --check");
  output.add_options()
      ("format", po::value<std::string>()->value_name("text|ecs|eve|json")->default_value("text"),
       "alerts for people, as Elastic Common Schema JSON lines, or as Suricata EVE JSON lines; "
       "with --check, text or one JSON document")
      ("throttle", "withhold repeats as live mode does (alerts.throttle); else every finding is "
                   "reported")
      ("metrics-text", po::value<std::string>()->value_name("FILE"),
       "write the final metrics in Prometheus text format (- for standard error)");
  po::options_description overrides("Instead of what the configuration says");
  overrides.add_options()
      ("rules", po::value<Strings>()->value_name("PATH")->composing(),
       "rule file or folder; repeatable; replaces the configured rules")
      ("interface", po::value<Strings>()->value_name("NAME")->composing(),
       "watch this Linux interface through AF_PACKET; repeatable; replaces the configured ports")
      ("workers", po::value<unsigned>()->value_name("N"), "number of worker cores")
      ("ring", po::value<std::string>()->value_name("NAME"), "name of the alert ring")
      ("metrics-listen", po::value<std::string>()->value_name("ADDRESS:PORT"),
       "where metrics are served")
      ("log-level", po::value<std::string>()->value_name("LEVEL"),
       "error, warning, info, debug or trace");
  po::options_description all;
  all.add(what).add(output).add(overrides);
  return all;
}
// clang-format on

Result<OutputFormat> parse_format(const std::string& text) {
  if (text == "text") {
    return OutputFormat::text;
  }
  if (text == "ecs") {
    return OutputFormat::ecs;
  }
  if (text == "eve") {
    return OutputFormat::eve;
  }
  if (text == "json") {
    return OutputFormat::json;
  }
  return fail(ErrorKind::usage,
              "--format " + text + ": expected text, ecs or eve, or with --check text or json");
}

template <typename T>
std::optional<T> optional_value(const po::variables_map& map, const char* name) {
  return map.count(name) != 0 ? std::optional<T>(map[name].as<T>()) : std::nullopt;
}

Strings list_value(const po::variables_map& map, const char* name) {
  return map.count(name) != 0 ? map[name].as<Strings>() : Strings{};
}

Status check_combinations(const po::variables_map& map) {
  const bool reads = map.count("read") != 0;
  const auto clash = [](const std::string& a, const std::string& b) {
    return fail(ErrorKind::usage, a + " cannot be combined with " + b);
  };
  if (reads && map.count("inject-test") != 0) {
    return clash("--inject-test", "--read: it needs live mode");
  }
  for (const char* other : {"read", "check", "inject-test"}) {
    if (map.count("reload") != 0 && map.count(other) != 0) {
      return clash("--reload", std::string("--") + other);
    }
  }
  if (reads && map.count("interface") != 0) {
    return clash("--interface", "--read");
  }
  if (reads && map.count("workers") != 0) {
    return clash("--workers", "--read, which uses one worker");
  }
  if (!reads && map.count("metrics-text") != 0) {
    return fail(ErrorKind::usage, "--metrics-text needs --read; live metrics are served over HTTP");
  }
  if (!reads && map.count("throttle") != 0) {
    return fail(ErrorKind::usage,
                "--throttle needs --read; live alerts are throttled as alerts.throttle says");
  }
  if (!reads && !map["format"].defaulted() && map.count("check") == 0) {
    return fail(ErrorKind::usage,
                "--format needs --read; live alerts go to the ring (see imds-alerts follow)");
  }
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(int argc, const char* const* argv) {
  const char* const* const end = argv + argc;
  const char* const* const separator =
      std::find_if(argv, end, [](const char* a) { return std::string_view(a) == "--"; });
  CommandLine line;
  if (separator != end) {
    line.eal_arguments.assign(separator + 1, end);
  }
  po::variables_map map;
  try {
    const int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(static_cast<int>(separator - argv), argv)
                  .options(option_descriptions())
                  .positional(po::positional_options_description())
                  .style(style)
                  .run(),
              map);
    po::notify(map);
  } catch (const po::too_many_positional_options_error&) {
    return fail(
        ErrorKind::usage,
        "unexpected argument: captures are named with --read FILE, EAL arguments follow --");
  } catch (const po::error& e) {
    return fail(ErrorKind::usage, e.what());
  }

  line.help = map.count("help") != 0;
  line.version = map.count("version") != 0;
  line.build_info = map.count("build-info") != 0;
  if (line.help || line.version || line.build_info) {
    return line;
  }
  line.check = map.count("check") != 0;
  line.throttle = map.count("throttle") != 0;
  line.inject_test = map.count("inject-test") != 0;
  line.reload = map.count("reload") != 0;
  line.config_file = optional_value<std::string>(map, "config");
  line.read = list_value(map, "read");
  line.rules = list_value(map, "rules");
  line.interfaces = list_value(map, "interface");
  line.metrics_listen = optional_value<std::string>(map, "metrics-listen");
  line.ring = optional_value<std::string>(map, "ring");
  line.workers = optional_value<unsigned>(map, "workers");
  line.log_level = optional_value<std::string>(map, "log-level");
  line.metrics_text = optional_value<std::string>(map, "metrics-text");
  auto format = parse_format(map["format"].as<std::string>());
  if (!format) {
    return pass_on(format);
  }
  line.format = *format;
  const bool for_check = *format == OutputFormat::json;
  if (!map["format"].defaulted() && *format != OutputFormat::text &&
      for_check != (map.count("check") > 0)) {
    return fail(ErrorKind::usage,
                for_check ? "--format json needs --check" : "--check takes --format text or json");
  }
  if (auto status = check_combinations(map); !status) {
    return pass_on(status);
  }
  return line;
}

std::string help_text() {
  std::ostringstream out;
  out << "imds-inspector finds AWS instance-metadata (IMDS) traffic and raises alerts by Sigma "
         "rules.\n\n"
         "  imds-inspector --config FILE          inspect live ports\n"
         "  imds-inspector --read FILE            inspect captures; needs no root, no hugepages\n"
         "  imds-inspector ... -- EAL ARGUMENTS   hand arguments to DPDK as they are\n"
      << option_descriptions()
      << "\nExit codes: 0 done, 1 runtime failure, 2 usage, 3 configuration or rules, "
         "4 environment.\n";
  return out.str();
}

}  // namespace imds::inspector
