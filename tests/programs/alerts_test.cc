// imds-alerts as a process: what it prints, says and returns.
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "alert/ring_writer.h"
#include "samples.h"

namespace imds::alert {
namespace {

using nlohmann::json;

// One end of a pipe, read up to a line or to its end; never longer than 30 s.
class PipeReader {
 public:
  explicit PipeReader(int fd) : fd_(fd) {}
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;
  ~PipeReader() { close_end(); }
  void close_end() {
    if (fd_ >= 0) {
      close(std::exchange(fd_, -1));
    }
  }

  // The next line, without its end; nullopt when there is no more.
  std::optional<std::string> line() {
    for (;;) {
      const std::size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        std::string out = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return out;
      }
      if (!fill()) {
        return std::nullopt;
      }
    }
  }
  // Reads lines up to one that contains `text`.
  bool wait_for(const std::string& text) {
    while (const std::optional<std::string> got = line()) {
      if (got->find(text) != std::string::npos) {
        return true;
      }
    }
    return false;
  }
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(buffer_, {});
  }

 private:
  bool fill() {
    pollfd wanted{fd_, POLLIN, 0};
    char chunk[4096];
    if (poll(&wanted, 1, 30'000) != 1) {
      return false;
    }
    const ssize_t got = read(fd_, chunk, sizeof chunk);
    if (got <= 0) {
      return false;
    }
    buffer_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string buffer_;
};

class Program {
 public:
  // `stdout_to`: a file to write to instead of a pipe.
  explicit Program(std::vector<std::string> arguments, const char* stdout_to = nullptr) {
    int out[2];
    int err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
      std::abort();
    }
    const char* path = std::getenv("IMDS_ALERTS");
    if (path == nullptr) {
      ADD_FAILURE() << "IMDS_ALERTS must name the program";
      path = "/nonexistent";
    }
    std::vector<char*> argv{const_cast<char*>(path)};
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(stdout_to != nullptr ? open(stdout_to, O_WRONLY) : out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      execv(path, argv.data());
      _exit(127);
    }
    close(out[1]);
    close(err[1]);
    output.emplace(out[0]);
    errors.emplace(err[0]);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  void send(int signal) { ::kill(pid_, signal); }
  void suspend() {
    ::kill(pid_, SIGSTOP);
    waitpid(pid_, nullptr, WUNTRACED);
  }
  int exit_code() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::optional<PipeReader> output;
  std::optional<PipeReader> errors;

 private:
  pid_t pid_ = -1;
};

struct Done {
  int code;
  std::string out;
  std::string err;
};

Done run(std::vector<std::string> arguments, const char* stdout_to = nullptr) {
  Program program(std::move(arguments), stdout_to);
  std::string out = program.output->rest();
  std::string err = program.errors->rest();
  return {program.exit_code(), std::move(out), std::move(err)};
}

RingWriter open_writer(const RingName& ring, std::uint32_t capacity = 8) {
  Result<RingWriter> writer = RingWriter::open({ring.name, capacity, 0600});
  EXPECT_TRUE(writer) << writer.error().to_string();
  return std::move(*writer);
}

// Alerts that differ by their source port.
void publish(RingWriter& writer, std::uint16_t from, std::uint16_t to) {
  event::Finding finding = sample_finding();
  for (std::uint16_t port = from; port <= to; ++port) {
    finding.source.port = port;
    writer.publish(record_of(finding));
  }
}

int port_of(const std::string& line) {
  return json::parse(line)["source"]["port"];
}

std::vector<int> ports_of(const std::string& lines) {
  std::vector<int> ports;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    ports.push_back(port_of(line));
  }
  return ports;
}

TEST(Follow, EachAlertIsALineAtOnce) {
  const RingName ring("follow");
  RingWriter writer = open_writer(ring);
  publish(writer, 1, 2);
  Program follower({"follow", "--ring", ring.name});
  ASSERT_TRUE(follower.errors->wait_for("following " + ring.name + " from alert 3"));
  for (std::uint16_t port : {3, 4}) {
    publish(writer, port, port);
    const std::optional<std::string> line = follower.output->line();
    ASSERT_TRUE(line);
    EXPECT_EQ(port_of(*line), port);
  }
  follower.send(SIGTERM);
  EXPECT_EQ(follower.exit_code(), 0);
}

TEST(Follow, SigintIsAnOrderlyEnd) {
  const RingName ring("sigint");
  const RingWriter writer = open_writer(ring);
  Program follower({"follow", "--ring", ring.name});
  ASSERT_TRUE(follower.errors->wait_for("following"));
  follower.send(SIGINT);
  EXPECT_EQ(follower.exit_code(), 0);
}

TEST(Follow, FromStartUpToACount) {
  const RingName ring("count");
  RingWriter writer = open_writer(ring, 4);
  publish(writer, 1, 10);
  const Done done = run({"follow", "--ring", ring.name, "--from-start", "--count", "3"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(ports_of(done.out), (std::vector{7, 8, 9}));
}

TEST(Follow, LossesAreSaidExactly) {
  const RingName ring("loss");
  RingWriter writer = open_writer(ring, 8);
  Program follower({"follow", "--ring", ring.name, "--count", "8"});
  ASSERT_TRUE(follower.errors->wait_for("following"));
  follower.suspend();
  publish(writer, 1, 20);
  follower.send(SIGCONT);
  EXPECT_EQ(ports_of(follower.output->rest()), (std::vector{13, 14, 15, 16, 17, 18, 19, 20}));
  EXPECT_NE(follower.errors->rest().find("lost 12 alerts"), std::string::npos);
  EXPECT_EQ(follower.exit_code(), 0);
}

TEST(Follow, RestartOfTheWriterIsSaidBetweenTheirAlerts) {
  const RingName ring("restart");
  std::optional<RingWriter> writer(open_writer(ring));
  Program follower({"follow", "--ring", ring.name, "--count", "2"});
  ASSERT_TRUE(follower.errors->wait_for("following"));
  publish(*writer, 1, 1);
  ASSERT_TRUE(follower.output->line());
  writer.reset();
  ASSERT_TRUE(follower.errors->wait_for("the writer stopped"));
  writer.emplace(open_writer(ring));
  ASSERT_TRUE(follower.errors->wait_for("the writer restarted"));
  publish(*writer, 2, 2);
  EXPECT_EQ(port_of(follower.output->line().value()), 2);
  EXPECT_EQ(follower.exit_code(), 0);
}

TEST(Follow, KilledWriterIsToldFromAStoppedOne) {
  const RingName ring("killed");
  const pid_t child = fork();
  if (child == 0) {
    const Result<RingWriter> writer = RingWriter::open({ring.name, 8, 0600});
    pause();
    _exit(1);
  }
  Program follower({"follow", "--wait", "--ring", ring.name});
  EXPECT_TRUE(follower.errors->wait_for("following"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(follower.errors->wait_for("the writer is gone without a goodbye"));
}

TEST(Follow, NewSegmentUnderTheNameIsFollowed) {
  const RingName ring("replaced");
  std::optional<RingWriter> writer(open_writer(ring, 8));
  Program follower({"follow", "--ring", ring.name, "--count", "3"});
  ASSERT_TRUE(follower.errors->wait_for("following"));
  publish(*writer, 1, 1);
  writer.reset();
  writer.emplace(open_writer(ring, 16));  // another size
  publish(*writer, 2, 3);
  EXPECT_EQ(ports_of(follower.output->rest()), (std::vector{1, 2, 3}));
  EXPECT_NE(follower.errors->rest().find("was replaced"), std::string::npos);
}

TEST(Follow, WaitsForARingOnlyIfAsked) {
  const RingName ring("wait");
  const Done absent = run({"follow", "--ring", ring.name});
  EXPECT_EQ(absent.code, 4);
  EXPECT_NE(absent.err.find(ring.name), std::string::npos);

  Program follower({"follow", "--ring", ring.name, "--wait", "--count", "1"});
  ASSERT_TRUE(follower.errors->wait_for("waiting for alert ring " + ring.name));
  RingWriter writer = open_writer(ring);
  ASSERT_TRUE(follower.errors->wait_for("following"));
  publish(writer, 1, 1);
  EXPECT_EQ(follower.exit_code(), 0);
}

TEST(Follow, EndOfTheirReaderIsAQuietEnd) {
  const RingName ring("epipe");
  RingWriter writer = open_writer(ring);
  Program follower({"follow", "--ring", ring.name});
  ASSERT_TRUE(follower.errors->wait_for("following"));
  follower.output->close_end();
  publish(writer, 1, 1);
  EXPECT_EQ(follower.errors->rest(), "");
  EXPECT_EQ(follower.exit_code(), 0);
}

TEST(Follow, FullDiskIsAFailure) {
  const RingName ring("full");
  RingWriter writer = open_writer(ring);
  publish(writer, 1, 1);
  const Done done = run({"follow", "--from-start", "--ring", ring.name}, "/dev/full");
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.err.find("cannot write to standard output"), std::string::npos);
}

TEST(Follow, TimeoutBeforeTheCountIsAFailure) {
  const RingName ring("timeout");
  RingWriter writer = open_writer(ring);
  publish(writer, 1, 1);
  const Done few =
      run({"follow", "--from-start", "--ring", ring.name, "--count", "2", "--timeout", "0.05"});
  EXPECT_EQ(few.code, 1);
  EXPECT_NE(few.err.find(" of 2 alerts came"), std::string::npos) << few.err;
  EXPECT_EQ(run({"follow", "--ring", ring.name, "--timeout", "0.05"}).code, 0);
}

TEST(Follow, EveAndText) {
  const RingName ring("formats");
  RingWriter writer = open_writer(ring);
  event::Finding finding = sample_finding();
  finding.user_agent.assign("\x1b[31mred");
  writer.publish(record_of(finding));
  const std::vector<std::string> command{"follow", "--from-start", "--count", "1",
                                         "--ring", ring.name,      "--format"};
  auto with = [&](const char* format) {
    std::vector<std::string> all = command;
    all.emplace_back(format);
    return run(all).out;
  };
  EXPECT_EQ(json::parse(with("eve"))["event_type"], "alert");
  const std::string text = with("text");
  EXPECT_NE(text.find("10.1.2.3:40000 -> 169.254.169.254:80"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(List, WhatTheRingHoldsAlsoAfterItsWriter) {
  const RingName ring("list");
  {
    RingWriter writer = open_writer(ring, 4);
    publish(writer, 1, 10);
  }
  const Done all = run({"list", "--ring", ring.name});
  EXPECT_EQ(all.code, 0);
  EXPECT_EQ(ports_of(all.out), (std::vector{7, 8, 9, 10}));
  EXPECT_EQ(all.err, "");
  EXPECT_EQ(ports_of(run({"list", "--ring", ring.name, "--count", "2"}).out), (std::vector{9, 10}));
  EXPECT_EQ(ports_of(run({"list", "--ring", ring.name, "--count", "99"}).out).size(), 4u);
}

TEST(List, AlertsOfEarlierWritersToo) {
  const RingName ring("list-two");
  for (const std::uint16_t port : {1, 2, 3}) {
    RingWriter writer = open_writer(ring);
    publish(writer, port, port);
  }
  EXPECT_EQ(ports_of(run({"list", "--ring", ring.name}).out), (std::vector{1, 2, 3}));
}

TEST(List, EmptyRing) {
  const RingName ring("list-empty");
  const RingWriter writer = open_writer(ring);
  const Done done = run({"list", "--ring", ring.name});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out, "");
  EXPECT_NE(done.err.find("no alerts"), std::string::npos);
}

TEST(Stats, Numbers) {
  const RingName ring("stats");
  {
    RingWriter first = open_writer(ring, 8);
    publish(first, 1, 3);
  }
  std::optional<RingWriter> writer(open_writer(ring, 8));
  publish(*writer, 4, 13);
  const json j = json::parse(run({"stats", "--ring", ring.name, "--format", "json"}).out);
  EXPECT_EQ(j["ring"], ring.name);
  EXPECT_EQ(j["published"], 13);
  EXPECT_EQ(j["held"], 8);
  EXPECT_EQ(j["oldest"], 6);
  EXPECT_EQ(j["overwritten"], 5);
  EXPECT_EQ(j["capacity"], 8);
  EXPECT_EQ(j["record_bytes"], 4096);
  EXPECT_EQ(j["layout"], "1.4");
  EXPECT_EQ(j["writer"]["state"], "alive");
  EXPECT_EQ(j["writer"]["pid"], getpid());
  EXPECT_EQ(j["writer"]["published"], 10);
  EXPECT_EQ(j["writer"]["epoch"], writer->epoch());
  writer.reset();
  const Done text = run({"stats", "--ring", ring.name});
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.out.find("writer       stopped"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("published    13 alerts, 10 by this writer"), std::string::npos);
  EXPECT_NE(text.out.find("held         8, numbers 6 to 13"), std::string::npos);
}

TEST(CommandLine, RingNameFromTheConfiguration) {
  const RingName ring("config");
  const RingWriter writer = open_writer(ring);
  const std::string file = testing::TempDir() + "alerts-" + std::to_string(getpid()) + ".yaml";
  std::ofstream(file) << "alerts:\n  ring:\n    name: " << ring.name << "\n";
  EXPECT_EQ(run({"stats", "--config", file}).code, 0);
  std::ofstream(file) << "alerts:\n  rign: {}\n";
  const Done bad = run({"stats", "--config", file});
  EXPECT_EQ(bad.code, 3);
  EXPECT_NE(bad.err.find(":2:"), std::string::npos) << bad.err;
  unlink(file.c_str());
  EXPECT_EQ(run({"stats", "--config", file}).code, 3);
}

TEST(CommandLine, HelpAndVersion) {
  const Done help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find(IMDS_ALERT_RING_NAME), std::string::npos);
  EXPECT_EQ(run({"follow", "--help"}).out, help.out);
  EXPECT_EQ(run({"--version"}).out.rfind("imds-alerts ", 0), 0u);
}

TEST(CommandLine, MistakesAreUsageErrors) {
  const std::vector<std::vector<std::string>> mistakes{
      {},
      {"relay"},
      {"--ring", "/x", "follow"},
      {"follow", "extra"},
      {"follow", "--form", "ecs"},
      {"follow", "--format", "xml"},
      {"follow", "--format", "json"},
      {"stats", "--format", "ecs"},
      {"follow", "--count", "0"},
      {"follow", "--count", "-1"},
      {"follow", "--count", "1x"},
      {"follow", "--timeout", "-1"},
      {"follow", "--timeout", "1.2.3"},
      {"follow", "--timeout", "."},
      {"list", "--wait"},
      {"stats", "--count", "1"},
      {"list", "--ring"},
      {"list", "--ring", "no-slash"},
      {"list", "--ring", "/a", "--ring", "/b"},
      {"list", "--ring", "/a", "--config", "x"},
  };
  for (const std::vector<std::string>& arguments : mistakes) {
    const Done done = run(arguments);
    EXPECT_EQ(done.code, 2) << json(arguments).dump() << done.err;
    EXPECT_EQ(done.out, "");
    EXPECT_NE(done.err.find("imds-alerts: "), std::string::npos);
  }
}

}  // namespace
}  // namespace imds::alert
