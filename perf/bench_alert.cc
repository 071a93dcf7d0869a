// What an alert costs the story thread: making the record (with masking), publishing it, and, on
// the reader's side, reading and formatting it. And the whole way, from findings put on a worker's
// ring as the inspector does, through the story, into a shared-memory ring.
//
// story_to_ring/N: N findings at a time before the story polls: 64 stay in the caches, 4096 (a full
// ring) do not. Its time is that of both sides. Every run checks that the shared ring was given
// what was produced; a loss fails it. Of five findings, one is a connection, two are requests with
// plain targets, one has a query that has to be looked through for secrets, one is a raw_match.
// All are of one client; of `clients_to_ring`, each is of the next of many, so that nothing the
// story remembers of them is in the caches.
//
// repeats_throttled: as `story_to_ring`, with the throttling a default configuration has: what a
// storm of one client's findings comes to.
#include <array>
#include <optional>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "alert/format.h"
#include "alert/record.h"
#include "alert/ring_reader.h"
#include "alert/ring_writer.h"
#include "event/finding.h"
#include "story/story.h"

namespace imds::alert {
namespace {

event::Finding request(const std::string& target) {
  event::Finding f{};
  f.time = Timestamp{1'759'924'800'123'456'789};
  f.type = event::EventType::http_request;
  f.source.ip = IpAddress::v4(0x0a010203);
  f.source.port = 40000;
  f.destination.ip = IpAddress::v4(0xa9fea9fe);
  f.destination.port = 80;
  f.ip_protocol = 6;
  f.method.assign("GET");
  f.target.assign(target);
  f.path.assign("/latest/meta-data/iam/security-credentials/");
  f.domain.assign("169.254.169.254");
  f.user_agent.assign("Boto3/1.34 md/Botocore#1.34 ua/2.0 os/linux lang/python#3.11");
  f.endpoint.assign("aws-imds-ipv4");
  f.http_version.assign("1.1");
  return f;
}

const RuleFacts kRule{"8b2b0d1c-0f5e-4a3c-9a57-2d5f6f0a1b2c", "AWS IMDS metadata access", "medium",
                      3};

SparseRecord sample() {
  RecordMaker maker;
  maker.take(request("/latest/meta-data/iam/security-credentials/"), {"sensor-1", "tap0"});
  return maker.make(kRule);
}

void make(benchmark::State& state, const std::string& target) {
  const event::Finding finding = request(target);
  RecordMaker maker;
  for (auto _ : state) {
    maker.take(finding, {"sensor-1", "tap0"});
    benchmark::DoNotOptimize(maker.make(kRule));
  }
}
BENCHMARK_CAPTURE(make, plain, "/latest/meta-data/iam/security-credentials/");
BENCHMARK_CAPTURE(make, longest, "/p?url=" + std::string(1017, 'a'));
BENCHMARK_CAPTURE(make, hostile_nesting, [] {
  std::string target;
  while (target.size() < 1020) {
    target += "=a";
  }
  return target;
}());

class OwnRing {
 public:
  OwnRing() : name_("/imds-bench-" + std::to_string(getpid())) { shm_unlink(name_.c_str()); }
  OwnRing(const OwnRing&) = delete;
  OwnRing& operator=(const OwnRing&) = delete;
  ~OwnRing() { shm_unlink(name_.c_str()); }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

void publish(benchmark::State& state) {
  const OwnRing ring;
  Result<RingWriter> writer = RingWriter::open({ring.name(), 8192, 0600});
  if (!writer) {
    state.SkipWithError(writer.error().message.c_str());
    return;
  }
  const SparseRecord record = sample();
  for (auto _ : state) {
    writer->publish(record);
  }
  state.SetBytesProcessed(state.iterations() * IMDS_ALERT_RECORD_SIZE);
}
BENCHMARK(publish);

void publish_and_read(benchmark::State& state) {
  const OwnRing ring;
  Result<RingWriter> writer = RingWriter::open({ring.name(), 8192, 0600});
  if (!writer) {
    state.SkipWithError(writer.error().message.c_str());
    return;
  }
  Result<RingReader> reader = RingReader::attach(ring.name(), RingReader::From::newest);
  const SparseRecord record = sample();
  imds_alert_record out;
  for (auto _ : state) {
    writer->publish(record);
    if (!reader->next(out)) {
      state.SkipWithError("the ring is damaged");
      return;
    }
  }
}
BENCHMARK(publish_and_read);

void format(benchmark::State& state, std::string (*formatter)(const imds_alert_record&)) {
  const imds_alert_record record = sample().record;
  for (auto _ : state) {
    benchmark::DoNotOptimize(formatter(record));
  }
}
BENCHMARK_CAPTURE(format, ecs_json, to_ecs_json);
BENCHMARK_CAPTURE(format, eve_json, to_eve_json);
BENCHMARK_CAPTURE(format, text, [](const imds_alert_record& r) { return to_text(r); });

}  // namespace
}  // namespace imds::alert

namespace imds::story {
namespace {

constexpr std::uint32_t kGeneration = 1;
constexpr std::size_t kRingFindings = 4096;
constexpr std::uint32_t kRingRecords = 8192;

event::Event base(event::EventType type) {
  event::Event e;
  e.type = type;
  e.time = Timestamp{1'759'924'800'123'456'789};
  e.flow.source = {IpAddress::v4(0x0a010203), 40000, {{2, 0, 0, 0, 0, 1}}};
  e.flow.destination = {IpAddress::v4(0xa9fea9fe), 80, {{2, 0, 0, 0, 0, 2}}};
  e.flow.ip_protocol = 6;
  e.flow.vlans[0] = 100;
  e.flow.vlan_count = 1;
  e.flow.endpoint = "aws-imds-ipv4";
  return e;
}

event::Event request(std::string_view target, std::string_view path, std::string_view agent) {
  event::Event e = base(event::EventType::http_request);
  e.http.method = "GET";
  e.http.target = {target, target};
  e.http.path = {path, path};
  e.http.domain = {"169.254.169.254", "169.254.169.254"};
  e.http.user_agent = agent;
  e.http.version = "1.1";
  return e;
}

const std::array<event::Event, 5>& mix() {
  static const std::array<event::Event, 5> events{
      base(event::EventType::connection),
      request("/latest/meta-data/iam/security-credentials/",
              "/latest/meta-data/iam/security-credentials/",
              "Boto3/1.34.2 md/Botocore#1.34.2 ua/2.0 os/linux#6.1 lang/python#3.11"),
      request("/latest/api/token", "/latest/api/token", "aws-sdk-go/1.44.298 (go1.20; linux)"),
      request("http://169.254.169.254/latest/user-data?format=json&key=value", "/latest/user-data",
              "curl/7.88.1"),
      base(event::EventType::raw_match)};
  return events;
}

struct Load {
  std::uint32_t clients = 1;  // a power of two
  bool throttle = false;
};

class Rig {
 public:
  explicit Rig(std::vector<AlertSink*> sinks, const Load& load = {})
      : clients_mask_(load.clients - 1),
        ring_(kRingFindings),
        story_(options(load), {&ring_}, std::move(sinks)) {}

  // As detect does it. False: the ring is full.
  bool produce() {
    event::Finding* finding = ring_.reserve();
    if (finding == nullptr) {
      return false;
    }
    event::Event event = mix()[produced_ % mix().size()];
    event.time.ns += static_cast<std::int64_t>(produced_);
    event.flow.source.port = static_cast<std::uint16_t>(produced_);
    event.flow.source.ip = client();
    event::fill(*finding, event);
    finding->worker = 0;
    finding->ruleset_generation = kGeneration;
    finding->rule_count = 1;
    finding->rules[0] = static_cast<std::uint16_t>(produced_ & 1);
    finding->rules_truncated = false;
    ring_.commit();
    ++produced_;
    return true;
  }
  Story& story() { return story_; }
  FindingRing& ring() { return ring_; }
  [[nodiscard]] std::uint64_t produced() const { return produced_; }

 private:
  // Of the load's, any: as findings come, not in the order in which the story first saw them.
  [[nodiscard]] IpAddress client() const {
    std::uint64_t mixed = produced_ * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 32) * 0xbf58476d1ce4e5b9u;
    return IpAddress::v4(0x0a010203 + (static_cast<std::uint32_t>(mixed >> 32) & clients_mask_));
  }

  static Options options(const Load& load) {
    Options options;
    options.catalogs = {
        {kGeneration,
         {{"8b2b0d1c-0f5e-4a3c-9a57-2d5f6f0a1b2c", "AWS IMDS metadata access", "medium", 3},
          {"5a0c9ad1-7f0a-4a9d-8f0e-3c7a4a0f6b11", "Connection to the instance metadata service",
           "low", 2}}}};
    options.hostname = "sensor-1.example";
    options.interface_names = {"tap0"};
    if (load.throttle) {
      options.catalogs[0].policies.assign(options.catalogs[0].rules.size(), 0);
      options.throttle.emplace();
      options.throttle->policies = {{"repeats", Track::source, ThrottleType::limit, 20, 3600}};
    }
    return options;
  }

  std::uint32_t clients_mask_;
  FindingRing ring_;
  Story story_;
  std::uint64_t produced_ = 0;
};

struct CountingSink final : AlertSink {
  bool deliver(const alert::SparseRecord& alert) override {
    benchmark::DoNotOptimize(alert);
    return true;
  }
};

class SharedRingSink final : public AlertSink {
 public:
  SharedRingSink() : name_("/imds-bench-story-" + std::to_string(getpid())) {
    shm_unlink(name_.c_str());
    auto writer = alert::RingWriter::open({name_, kRingRecords, 0600});
    if (writer) {
      writer_.emplace(std::move(*writer));
    }
  }
  SharedRingSink(const SharedRingSink&) = delete;
  SharedRingSink& operator=(const SharedRingSink&) = delete;
  ~SharedRingSink() override { shm_unlink(name_.c_str()); }
  bool deliver(const alert::SparseRecord& alert) override {
    writer_->publish(alert);
    return true;
  }
  void tick() override { writer_->beat(); }
  [[nodiscard]] bool is_open() const { return writer_.has_value(); }
  [[nodiscard]] std::uint64_t published() const { return writer_->published(); }

 private:
  std::string name_;
  std::optional<alert::RingWriter> writer_;
};

// Findings onto the ring, and nothing done with them: the worker's share.
void finding_to_ring(benchmark::State& state) {
  Rig rig({});
  for (auto _ : state) {
    rig.produce();
    benchmark::DoNotOptimize(rig.ring().front());
    rig.ring().pop();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(finding_to_ring);

// Produces `burst`, then has the story take all of them.
std::uint64_t run_bursts(benchmark::State& state, Rig& rig) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  std::uint64_t lost = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < burst; ++i) {
      lost += rig.produce() ? 0 : 1;
    }
    while (rig.story().poll(256) > 0) {
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(rig.produced()));
  return lost;
}

// Produced, taken and made into records, published nowhere.
void findings_to_records(benchmark::State& state) {
  CountingSink sink;
  Rig rig({&sink});
  run_bursts(state, rig);
}
BENCHMARK(findings_to_records)->Arg(64)->Arg(kRingFindings);

void to_shared_ring(benchmark::State& state, const Load& load) {
  SharedRingSink sink;
  if (!sink.is_open()) {
    state.SkipWithError("cannot make a ring in /dev/shm");
    return;
  }
  Rig rig({&sink}, load);
  const std::uint64_t lost = run_bursts(state, rig);
  state.counters["lost"] = static_cast<double>(lost);
  const std::uint64_t told = sink.published() + rig.story().throttled();
  if (lost > 0 || told != rig.produced() || rig.story().unknown_rules() > 0) {
    state.SkipWithError("not every finding became an alert in the ring");
  }
}

void story_to_ring(benchmark::State& state) {
  to_shared_ring(state, {});
}
BENCHMARK(story_to_ring)->Arg(64)->Arg(kRingFindings);

void clients_to_ring(benchmark::State& state) {
  to_shared_ring(state, {.clients = 1u << 16});
}
BENCHMARK(clients_to_ring)->Arg(64)->Arg(kRingFindings);

void repeats_throttled(benchmark::State& state) {
  to_shared_ring(state, {.throttle = true});
}
BENCHMARK(repeats_throttled)->Arg(64)->Arg(kRingFindings);

}  // namespace
}  // namespace imds::story

BENCHMARK_MAIN();
