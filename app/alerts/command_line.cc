#include "command_line.h"

#include <sstream>
#include <string_view>

#include <boost/program_options.hpp>

#include "alert/imds_alert_ring.h"

namespace imds::alerts {
namespace {

namespace po = boost::program_options;

// One line per option reads better than what the formatter makes of the library's call chain.
// clang-format off
po::options_description ring_options() {
  po::options_description options("The ring");
  options.add_options()
      ("ring", po::value<std::string>()->value_name("NAME"),
       "shared-memory ring to read; default " IMDS_ALERT_RING_NAME)
      ("config", po::value<std::string>()->value_name("FILE"),
       "take the ring's name from the inspector's configuration");
  return options;
}

po::options_description follow_options() {
  po::options_description options("follow");
  options.add_options()
      ("format", po::value<std::string>()->value_name("ecs|eve|text"),
       "Elastic Common Schema JSON lines (default), Suricata EVE JSON lines, or for people")
      ("from-start", "begin with what the ring still holds")
      ("wait", "wait for a ring that is not there yet")
      ("count", po::value<std::string>()->value_name("N"), "end after N alerts")
      ("timeout", po::value<std::string>()->value_name("SECONDS"),
       "end after so long; exit code 1 if --count was not reached");
  return options;
}

po::options_description list_options() {
  po::options_description options("list");
  options.add_options()
      ("format", po::value<std::string>()->value_name("ecs|eve|text"), "as for follow")
      ("count", po::value<std::string>()->value_name("N"), "only the newest N");
  return options;
}

po::options_description stats_options() {
  po::options_description options("stats");
  options.add_options()
      ("format", po::value<std::string>()->value_name("text|json"), "for people (default), or JSON");
  return options;
}
// clang-format on

std::optional<Command> command_named(std::string_view name) {
  if (name == "follow") {
    return Command::follow;
  }
  if (name == "list") {
    return Command::list;
  }
  if (name == "stats") {
    return Command::stats;
  }
  return std::nullopt;
}

po::options_description options_of(Command command) {
  po::options_description all;
  all.add(ring_options());
  switch (command) {
    case Command::follow:
      all.add(follow_options());
      break;
    case Command::list:
      all.add(list_options());
      break;
    default:
      all.add(stats_options());
  }
  return all;
}

Result<Format> parse_format(Command command, const std::string& text) {
  if (command == Command::stats) {
    if (text == "text" || text == "json") {
      return text == "text" ? Format::text : Format::json;
    }
    return fail(ErrorKind::usage, "--format " + text + ": expected text or json");
  }
  if (text == "ecs") {
    return Format::ecs;
  }
  if (text == "eve") {
    return Format::eve;
  }
  if (text == "text") {
    return Format::text;
  }
  return fail(ErrorKind::usage, "--format " + text + ": expected ecs, eve or text");
}

Result<std::uint64_t> parse_count(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 18 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  const std::uint64_t value = digits ? std::stoull(text) : 0;
  if (value == 0) {
    return fail(ErrorKind::usage, "--count " + text + ": expected a number from 1 up");
  }
  return value;
}

Result<double> parse_timeout(const std::string& text) {
  const bool plain = !text.empty() && text.size() <= 12 &&
                     text.find_first_not_of("0123456789.") == std::string::npos &&
                     text.find_first_of("0123456789") != std::string::npos &&
                     text.find('.') == text.rfind('.');
  if (!plain) {
    return fail(ErrorKind::usage, "--timeout " + text + ": expected seconds, such as 10 or 0.5");
  }
  return std::stod(text);
}

std::optional<std::string> text_value(const po::variables_map& map, const char* name) {
  return map.count(name) != 0 ? std::optional(map[name].as<std::string>()) : std::nullopt;
}

Result<CommandLine> read_values(Command command, const po::variables_map& map) {
  CommandLine line;
  line.command = command;
  line.format = command == Command::stats ? Format::text : Format::ecs;
  line.ring = text_value(map, "ring");
  line.config_file = text_value(map, "config");
  line.from_start = map.count("from-start") != 0;
  line.wait = map.count("wait") != 0;
  if (line.ring && line.config_file) {
    return fail(ErrorKind::usage, "--ring and --config both name the ring: give one");
  }
  if (const auto text = text_value(map, "format")) {
    Result<Format> format = parse_format(command, *text);
    if (!format) {
      return pass_on(format);
    }
    line.format = *format;
  }
  if (const auto text = text_value(map, "count")) {
    Result<std::uint64_t> count = parse_count(*text);
    if (!count) {
      return pass_on(count);
    }
    line.count = *count;
  }
  if (const auto text = text_value(map, "timeout")) {
    Result<double> timeout = parse_timeout(*text);
    if (!timeout) {
      return pass_on(timeout);
    }
    line.timeout_seconds = *timeout;
  }
  return line;
}

}  // namespace

Result<CommandLine> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--help" || first == "--version") {
    line.command = first == "--help" ? Command::help : Command::version;
    return line;
  }
  const std::optional<Command> command = command_named(first);
  if (!command) {
    return fail(ErrorKind::usage,
                (first.empty() ? std::string("no command") : "\"" + std::string(first) + "\"") +
                    ": expected follow, list or stats first, then options");
  }
  po::options_description options = options_of(*command);
  options.add_options()("help", "");
  po::variables_map map;
  try {
    const int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(argc - 1, argv + 1)
                  .options(options)
                  .positional(po::positional_options_description())
                  .style(style)
                  .run(),
              map);
    po::notify(map);
  } catch (const po::too_many_positional_options_error&) {
    return fail(ErrorKind::usage, std::string(first) + ": takes options only");
  } catch (const po::error& e) {
    return fail(ErrorKind::usage, std::string(first) + ": " + e.what());
  }
  if (map.count("help") != 0) {
    return line;
  }
  return read_values(*command, map);
}

std::string help_text() {
  std::ostringstream out;
  out << "imds-alerts reads the alert ring of imds-inspector.\n\n"
         "  imds-alerts follow [options]   alerts as they come, until SIGINT or SIGTERM\n"
         "  imds-alerts list [options]     the alerts the ring still holds\n"
         "  imds-alerts stats [options]    how much was written and is held, and the writer's "
         "state\n"
         "  imds-alerts --help | --version\n\n"
      << ring_options() << follow_options() << list_options() << stats_options()
      << "\nAlerts go to standard output, one line each and at once; losses, restarts of the "
         "writer\n"
         "and errors to standard error.\n"
         "Exit codes: 0 done, 1 runtime failure, 2 usage, 3 configuration, 4 environment.\n";
  return out.str();
}

}  // namespace imds::alerts
