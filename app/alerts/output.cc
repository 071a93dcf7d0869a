#include "output.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace imds::alerts {
namespace {

volatile std::sig_atomic_t g_stop = 0;

void on_stop(int) {
  g_stop = 1;
}

Written write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      return Written::closed;
    } else if (errno != EINTR) {
      return Written::failed;
    } else if (stop_requested()) {
      return Written::interrupted;
    }
  }
  return Written::ok;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_stop;  // no SA_RESTART: a blocked write returns
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

bool stop_requested() {
  return g_stop != 0;
}

Written write_line(std::string text) {
  text.push_back('\n');
  return write_all(STDOUT_FILENO, text);
}

void note(std::string_view text) {
  std::string line = "imds-alerts: ";
  line += text;
  line += '\n';
  (void)write_all(STDERR_FILENO, line);  // there is nowhere left to complain
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace imds::alerts
