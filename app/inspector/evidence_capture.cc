#include "evidence_capture.h"

#include <new>
#include <stop_token>
#include <utility>

#include <spdlog/spdlog.h>

#include "base/time.h"
#include "build_config.h"
#include "counter_value.h"

namespace imds::inspector {

namespace {

exhibit::Recorder::Options recorder_options(const EvidenceCapture::Options& options,
                                            std::uint32_t run) {
  const config::EvidenceCapture& config = options.config;
  exhibit::Recorder::Options out;
  out.run = run;
  out.file_bytes = std::uint64_t{config.file_mib} << 20;
  out.exchange_packets = config.exchange_packets;
  out.exchange_bytes = config.exchange_kib << 10;
  out.exchanges_per_minute = config.exchanges_per_minute;
  out.wait = options.wait;
  return out;
}

exhibit::Writer::Options writer_options(const EvidenceCapture::Options& options,
                                        std::uint32_t run) {
  exhibit::Writer::Options out;
  out.folder = options.config.directory;
  out.run = run;
  out.files = options.config.files;
  out.port_names = options.port_names;
  out.decode = options.decode;
  out.application = std::string("imds-inspector ") + kVersion;
  out.report = [](const std::string& problem) { spdlog::error("{}", problem); };
  return out;
}

std::uint64_t sum_not_kept(const exhibit::LaneCounters& lane) {
  std::uint64_t sum = 0;
  for (const Counter& counter : lane.not_kept) {
    sum += counter.get();
  }
  return sum;
}

}  // namespace

Result<std::unique_ptr<EvidenceCapture>> EvidenceCapture::create(const Options& options) {
  const auto at_config = [&options](Error error) {
    error.where = options.config.where.position;
    return tl::unexpected(std::move(error));
  };
  const auto now = static_cast<std::uint32_t>(wall_clock_now().ns / kNanosPerSecond);
  auto run = exhibit::Writer::choose_run(options.config.directory, now);
  if (!run) {
    return at_config(std::move(run.error()));
  }
  std::unique_ptr<EvidenceCapture> made(new EvidenceCapture);
  std::vector<exhibit::Lane*> lanes;
  try {
    for (unsigned w = 0; w < options.workers; ++w) {
      made->lanes_.push_back(
          std::make_unique<exhibit::Lane>(std::size_t{options.config.queue_mib} << 20));
      made->recorders_.push_back(std::make_unique<exhibit::Recorder>(
          recorder_options(options, *run), *made->lanes_.back()));
      lanes.push_back(made->lanes_.back().get());
    }
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::environment,
                "not enough memory to keep evidence: lower evidence.capture.queue_mib");
  }
  auto writer = exhibit::Writer::create(writer_options(options, *run), std::move(lanes));
  if (!writer) {
    return at_config(std::move(writer.error()));
  }
  made->writer_ = std::move(*writer);
  made->thread_ = std::jthread(
      [writer = made->writer_.get()](const std::stop_token& stop) { writer->run(stop); });
  return made;
}

void EvidenceCapture::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
}

std::string EvidenceCapture::summary() const {
  std::uint64_t exchanges = 0;
  std::uint64_t not_kept = writer().lost.get();
  for (const auto& lane : lanes_) {
    exchanges += lane->counters.exchanges.get();
    not_kept += sum_not_kept(lane->counters);
  }
  return "evidence  " + std::to_string(writer().packets.get()) + " packets of " +
         std::to_string(exchanges) + " exchanges in " + std::to_string(writer().files.get()) +
         " files, " + std::to_string(not_kept) + " not kept\n";
}

void add_evidence_capture(metrics::Samples& samples, const EvidenceCapture* capture) {
  using metrics::Family;
  if (capture == nullptr) {
    return;
  }
  for (std::size_t w = 0; w < capture->worker_count(); ++w) {
    const std::string worker = std::to_string(w);
    const exhibit::LaneCounters& lane = capture->lane(w);
    samples.add(Family::evidence_packets_kept_total, {worker}, as_double(lane.packets));
    samples.add(Family::evidence_exchanges_total, {worker}, as_double(lane.exchanges));
    samples.add(Family::evidence_exchanges_evicted_total, {worker},
                as_double(lane.exchanges_evicted));
    for (std::size_t i = 0; i < exhibit::kNotKeptCount; ++i) {
      samples.add(Family::evidence_not_kept_total, {worker, name(static_cast<exhibit::NotKept>(i))},
                  as_double(lane.not_kept[i]));
    }
  }
  const exhibit::WriterCounters& writer = capture->writer();
  samples.add(Family::evidence_packets_written_total, {}, as_double(writer.packets));
  samples.add(Family::evidence_bytes_written_total, {}, as_double(writer.bytes));
  samples.add(Family::evidence_bytes_overwritten_total, {}, as_double(writer.overwritten));
  samples.add(Family::evidence_packets_cut_total, {}, as_double(writer.cut));
  samples.add(Family::evidence_packets_lost_total, {}, as_double(writer.lost));
  samples.add(Family::evidence_files_total, {}, as_double(writer.files));
  samples.add(Family::evidence_files_deleted_total, {}, as_double(writer.deleted));
  samples.add(Family::evidence_file_errors_total, {}, as_double(writer.errors));
}

}  // namespace imds::inspector
