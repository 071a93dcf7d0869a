// Runs Prometheus' own checker (Debian package prometheus).
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace imds::metrics {

// What `promtool ARGUMENTS` prints, given `input`, when it is not content; empty when it is.
inline std::string promtool(const std::string& arguments, const std::string& input = {}) {
  const std::string file =
      ::testing::TempDir() + "metrics_promtool_" + std::to_string(getpid()) + ".txt";
  std::ofstream(file) << input;
  const std::string command = "promtool " + arguments + " < " + file + " 2>&1";
  std::FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  for (std::size_t n; pipe != nullptr && (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), n);
  }
  const int status = pipe != nullptr ? pclose(pipe) : -1;
  std::remove(file.c_str());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {};
  }
  return "promtool " + arguments + " failed: " + output;
}

}  // namespace imds::metrics
