// A capture held in memory and handed out again and again without copying: the source for
// measuring the pipeline itself. The source keeps one reference on every mbuf, so what the worker
// frees comes back. One thread; packets must not be modified by the worker.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "port/capture.h"
#include "port/source.h"

struct rte_mempool;

namespace imds::port {

class ReplaySource final : public Source {
 public:
  struct Options {
    std::uint64_t loops = 1;  // 0: endless
    // Loops after the first carry later timestamps, as if the capture had been recorded again right
    // after its last packet.
  };

  // Reads all packets of `paths` (as CaptureReader::open). A damaged or empty capture is an Error
  // here, and so is one that does not fit into EAL's memory (the message says how much it needs).
  [[nodiscard]] static Result<std::unique_ptr<ReplaySource>> create(
      const std::vector<std::string>& paths, const Options& options);
  // EAL memory create() takes for these captures; reads them once.
  [[nodiscard]] static Result<std::uint64_t> required_memory_bytes(
      const std::vector<std::string>& paths);
  ~ReplaySource() override;

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> burst) override;
  void release(std::span<rte_mbuf* const> burst) override;
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }
  [[nodiscard]] bool exhausted() const override;

  // Of one loop.
  [[nodiscard]] std::size_t packets() const { return packets_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  ReplaySource() : Source(0) {}

  rte_mempool* pool_ = nullptr;
  std::vector<rte_mbuf*> packets_;
  std::uint64_t bytes_ = 0;
  std::int64_t loop_ns_ = 0;  // length of one loop
  std::int64_t step_ns_ = 0;  // added to a timestamp each time its packet is handed out
  std::size_t next_ = 0;
  std::uint64_t loops_left_ = 1;
  bool endless_ = false;
};

}  // namespace imds::port
