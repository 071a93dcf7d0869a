// Standard output, a line at a time and unbuffered, and notes on standard error.
#pragma once

#include <string>
#include <string_view>

namespace imds::alerts {

enum class Written {
  ok,
  closed,       // nobody reads any more (EPIPE): end quietly
  interrupted,  // asked to stop while waiting for the reader
  failed,       // disk full and the like; errno says
};

// Installs handlers for SIGINT and SIGTERM, and ignores SIGPIPE.
void install_signal_handlers();
[[nodiscard]] bool stop_requested();

// Writes the text and a newline in as few system calls as it takes.
[[nodiscard]] Written write_line(std::string text);

// "imds-alerts: " and the text, on standard error.
void note(std::string_view text);

// Whether text for people should be coloured: a terminal, and no NO_COLOR.
[[nodiscard]] bool wants_colour();

}  // namespace imds::alerts
