// imds-alerts: reads the shared-memory ring that imds-inspector writes.
#include <string>

#include "alert/imds_alert_ring.h"
#include "base/exit_code.h"
#include "command_line.h"
#include "commands.h"
#include "config/load.h"
#include "output.h"

namespace imds::alerts {
namespace {

int report(const Error& error) {
  note(error.to_string());
  if (error.kind == ErrorKind::usage) {
    note("imds-alerts --help lists commands and options");
  }
  return exit_code(error.kind);
}

int print(const std::string& text) {
  return write_line(text) == Written::failed ? 1 : 0;
}

Result<std::string> ring_name(const CommandLine& line) {
  if (line.config_file) {
    Result<config::Config> config = config::load_file(*line.config_file);
    if (!config) {
      return pass_on(config);
    }
    return config->alerts.ring.name;
  }
  return line.ring.value_or(IMDS_ALERT_RING_NAME);
}

int run(int argc, const char* const* argv) {
  install_signal_handlers();
  const Result<CommandLine> line = parse_command_line(argc, argv);
  if (!line) {
    return report(line.error());
  }
  if (line->command == Command::help) {
    return print(help_text());
  }
  if (line->command == Command::version) {
    return print("imds-alerts " IMDS_VERSION);
  }
  const Result<std::string> ring = ring_name(*line);
  if (!ring) {
    return report(ring.error());
  }
  const auto command = line->command == Command::follow ? follow
                       : line->command == Command::list ? list
                                                        : stats;
  const Status done = command(*ring, *line);
  return done ? 0 : report(done.error());
}

}  // namespace
}  // namespace imds::alerts

int main(int argc, char** argv) {
  return imds::alerts::run(argc, argv);
}
