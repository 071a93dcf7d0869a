// What an alert costs the story thread: making the record (with masking), publishing it, and, on
// the reader's side, reading and formatting it.
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "alert/format.h"
#include "alert/record.h"
#include "alert/ring_reader.h"
#include "alert/ring_writer.h"

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

imds_alert_record sample() {
  imds_alert_record record;
  make_record(request("/latest/meta-data/iam/security-credentials/"), kRule, {"sensor-1", "tap0"},
              Redactor(), record);
  return record;
}

void make(benchmark::State& state, const std::string& target) {
  const event::Finding finding = request(target);
  const Redactor redactor;
  imds_alert_record record;
  for (auto _ : state) {
    make_record(finding, kRule, {"sensor-1", "tap0"}, redactor, record);
    benchmark::DoNotOptimize(record);
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
  const imds_alert_record record = sample();
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
  const imds_alert_record record = sample();
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
  const imds_alert_record record = sample();
  for (auto _ : state) {
    benchmark::DoNotOptimize(formatter(record));
  }
}
BENCHMARK_CAPTURE(format, ecs_json, to_ecs_json);
BENCHMARK_CAPTURE(format, eve_json, to_eve_json);
BENCHMARK_CAPTURE(format, text, [](const imds_alert_record& r) { return to_text(r); });

}  // namespace
}  // namespace imds::alert

BENCHMARK_MAIN();
