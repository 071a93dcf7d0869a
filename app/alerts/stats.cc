#include <cerrno>
#include <cstdio>
#include <cstring>

#include <nlohmann/json.hpp>

#include "alert/ring_reader.h"
#include "base/time.h"
#include "commands.h"
#include "output.h"

namespace imds::alerts {
namespace {

using Json = nlohmann::ordered_json;

const char* writer_state(const alert::RingFacts& facts) {
  return facts.writer_alive ? "alive" : facts.writer_stopped ? "stopped" : "dead";
}

std::uint64_t held(const alert::RingFacts& facts) {
  return facts.published == 0 ? 0 : facts.published - facts.oldest + 1;
}

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

// Alerts a second since the writer started, while it runs.
double rate(const alert::RingFacts& facts) {
  const double running = static_cast<double>(wall_clock_now().ns - facts.writer_start_ns) / 1e9;
  const auto written = static_cast<double>(facts.published - facts.published_at_start);
  return running > 0 ? written / running : 0;
}

std::string to_json(const std::string& ring, const alert::RingFacts& facts) {
  Json json;
  json["ring"] = ring;
  Json& writer = json["writer"];
  writer["state"] = writer_state(facts);
  writer["pid"] = facts.writer_pid;
  writer["epoch"] = facts.epoch;
  writer["started"] = to_rfc3339(Timestamp{facts.writer_start_ns});
  writer["published"] = facts.published - facts.published_at_start;
  if (facts.writer_alive) {
    writer["heartbeat_age_seconds"] = seconds(facts.heartbeat_age_ns);
    writer["alerts_per_second"] = rate(facts);
  }
  json["published"] = facts.published;
  json["held"] = held(facts);
  json["oldest"] = facts.oldest;
  json["overwritten"] = facts.published - held(facts);
  json["capacity"] = facts.capacity;
  json["record_bytes"] = facts.record_size;
  json["layout"] = std::to_string(facts.abi_major) + "." + std::to_string(facts.abi_minor);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string to_text(const std::string& ring, const alert::RingFacts& facts) {
  std::string writer = writer_state(facts);
  if (facts.writer_alive) {
    writer += ", heartbeat " + fixed(seconds(facts.heartbeat_age_ns), 1) + " s ago";
  } else if (!facts.writer_stopped) {
    writer += " (killed or crashed)";
  }
  std::string out;
  const auto line = [&out](const char* name, const std::string& value) {
    out += (out.empty() ? "" : "\n") + std::string(name);
    out.append(13 - std::strlen(name), ' ');
    out += value;
  };
  line("ring", ring);
  line("writer", writer);
  line("pid", std::to_string(facts.writer_pid));
  line("started", to_rfc3339(Timestamp{facts.writer_start_ns}));
  line("epoch", std::to_string(facts.epoch));
  line("published", std::to_string(facts.published) + " alerts, " +
                        std::to_string(facts.published - facts.published_at_start) +
                        " by this writer" +
                        (facts.writer_alive ? ", " + fixed(rate(facts), 3) + " a second" : ""));
  line("held", std::to_string(held(facts)) + (held(facts) == 0
                                                  ? ""
                                                  : ", numbers " + std::to_string(facts.oldest) +
                                                        " to " + std::to_string(facts.published)));
  line("overwritten", std::to_string(facts.published - held(facts)));
  line("capacity", std::to_string(facts.capacity) + " alerts of " +
                       std::to_string(facts.record_size) + " bytes");
  line("layout", std::to_string(facts.abi_major) + "." + std::to_string(facts.abi_minor));
  return out;
}

}  // namespace

Status stats(const std::string& ring, const CommandLine& options) {
  Result<alert::RingReader> reader =
      alert::RingReader::attach(ring, alert::RingReader::From::newest);
  if (!reader) {
    return pass_on(reader);
  }
  const alert::RingFacts facts = reader->facts();
  const std::string text =
      options.format == Format::json ? to_json(ring, facts) : to_text(ring, facts);
  if (write_line(text) == Written::failed) {
    return fail(ErrorKind::runtime,
                std::string("cannot write to standard output: ") + std::strerror(errno));
  }
  return {};
}

}  // namespace imds::alerts
