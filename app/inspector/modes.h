// The three things the program does. Each returns the exit code, having printed what there is to
// print; errors are handed back to be printed once.
#pragma once

#include "base/result.h"
#include "command_line.h"
#include "settings.h"

namespace imds::inspector {

// --check: validates, prints to standard output what configuration and rules compile to.
[[nodiscard]] Result<int> run_check(const CommandLine& line, const Settings& settings);

// --read: captures in, alerts on standard output, summary on standard error.
[[nodiscard]] Result<int> run_read(const CommandLine& line, const Settings& settings);

// Live: until SIGINT or SIGTERM.
[[nodiscard]] Result<int> run_live(const CommandLine& line, const Settings& settings);

// SIGINT and SIGTERM from here on only set a flag (and interrupt reading); a second one, of either
// kind, ends the program at once.
void catch_stop_signals();
[[nodiscard]] bool stop_requested();

// SIGHUP from here on is noted.
void catch_reload_signal();
// Whether one came since this was last asked.
[[nodiscard]] bool take_reload_request();

// Of the default log. Any thread.
void set_log_level(config::LogLevel level);

}  // namespace imds::inspector
