// Evidence capture: a recorder for each worker, the lanes behind them and the thread that writes
// what they keep. Off unless configured.
//
// create() and stop() on the control thread; recorders belong to their workers, which must have
// stopped before stop() if nothing that was kept shall be missing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "exhibit/lane.h"
#include "exhibit/recorder.h"
#include "exhibit/writer.h"
#include "metrics/samples.h"
#include "packet/decode.h"

namespace imds::inspector {

class EvidenceCapture {
 public:
  struct Options {
    config::EvidenceCapture config;
    std::vector<std::string> port_names;
    packet::DecodeOptions decode;
    unsigned workers = 1;
    bool wait = false;  // rather than lose packets: where the workers' speed does not matter
  };
  // The writer runs when it returns. Errors: environment (the folder, no memory).
  [[nodiscard]] static Result<std::unique_ptr<EvidenceCapture>> create(const Options& options);
  ~EvidenceCapture() { stop(); }

  [[nodiscard]] exhibit::Recorder& recorder(unsigned worker) { return *recorders_[worker]; }
  // Everything that was kept is on the disk, as far as it can be.
  void stop();

  [[nodiscard]] std::size_t worker_count() const { return lanes_.size(); }
  [[nodiscard]] const exhibit::LaneCounters& lane(std::size_t worker) const {
    return lanes_[worker]->counters;
  }
  [[nodiscard]] const exhibit::WriterCounters& writer() const { return writer_->counters(); }
  // "evidence  12 packets of 2 exchanges in 1 file, 0 not kept": for the summary.
  [[nodiscard]] std::string summary() const;

 private:
  EvidenceCapture() = default;

  std::vector<std::unique_ptr<exhibit::Lane>> lanes_;
  std::vector<std::unique_ptr<exhibit::Recorder>> recorders_;
  std::unique_ptr<exhibit::Writer> writer_;
  std::jthread thread_;
};

// Nothing where it is off.
void add_evidence_capture(metrics::Samples& samples, const EvidenceCapture* capture);

}  // namespace imds::inspector
