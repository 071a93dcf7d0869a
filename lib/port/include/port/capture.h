// Capture files as a packet source: pcap and pcapng in all their forms, gzip-compressed or not.
//
// Several files are merged by timestamp. Each file is taken to be in time order itself (packets
// inside one file are never reordered). Files are opened at the time their first packet is due, so
// a long series of rotated files needs one descriptor; more than kMaxOpenCaptures overlapping in
// time is an error.
//
// pcap: micro- and nanoseconds, either byte order, any snap length, the record header of
// Kuznetzov's patch. pcapng: any number of sections and interfaces, each with its link type and
// time unit; a packet without a time has that of the one before it. A record of more than 256 KiB
// is damage.
//
// Link types: those of base/link_type.h. A pcap file with another one is refused when opened; in
// pcapng, where each interface has its own, such packets are delivered with the number they have,
// and a file that holds no others ends with an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cursor.h"
#include "base/result.h"
#include "base/time.h"
#include "port/source.h"

struct rte_mempool;

namespace imds::port {

inline constexpr std::size_t kMaxOpenCaptures = 256;

// One packet of a capture; bytes are valid until the next call of CaptureReader::next().
struct CaptureRecord {
  ByteSpan bytes;
  Timestamp time;
  std::uint32_t original_length = 0;  // >= bytes.size(); larger: the record was cut
  std::uint16_t link_type = 0;        // as in PacketMeta
};

// Readable from any thread while the capture is read.
struct CaptureProgress {
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // 0: unknown (a pipe)
  std::uint64_t packets = 0;
  std::size_t files_done = 0;
  std::size_t files_total = 0;
};

// Merging reader without DPDK: usable before EAL starts, so a bad path is found at once. One
// thread.
class CaptureReader {
 public:
  // Paths are files, folders (their *.pcap, *.pcapng and *.cap files, also with .gz, sorted by
  // name, not deeper; an empty one is an error) and "-" for standard input, once. Opens every file,
  // checks its format and link type and reads its first packet's time. Errors are of kind runtime
  // and name the file; a bad file that a folder holds is kept for errors() instead, and the others
  // are read.
  [[nodiscard]] static Result<std::unique_ptr<CaptureReader>> open(
      const std::vector<std::string>& paths);
  ~CaptureReader();
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;

  // The next packet in time order; nullptr at the end. A file that turns out damaged ends there:
  // what it held before is delivered, the Error is kept, the other files go on.
  [[nodiscard]] const CaptureRecord* next();

  // Some input is a pipe, whose next packet may be long in coming.
  [[nodiscard]] bool is_stream() const;

  // One per unreadable or damaged file, naming file and packet; complete once next() has returned
  // nullptr.
  [[nodiscard]] const std::vector<Error>& errors() const;
  [[nodiscard]] CaptureProgress progress() const;

 private:
  struct Impl;
  explicit CaptureReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The reader's packets copied into mbufs. Packets longer than an mbuf are chained. Not paced: as
// fast as the worker asks; from a pipe one by one, so that none waits for others. If the pool is
// empty (the caller still holds mbufs) receive() returns fewer, and loses nothing.
class CaptureSource final : public Source {
 public:
  // EAL must be running and register_packet_meta() done. Fails (environment) without memory.
  [[nodiscard]] static Result<std::unique_ptr<CaptureSource>> create(
      std::unique_ptr<CaptureReader> reader);
  // Packet memory create() takes, to add to EAL's -m.
  [[nodiscard]] static std::uint64_t required_memory_bytes();
  ~CaptureSource() override;

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> burst) override;
  void release(std::span<rte_mbuf* const> burst) override;
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }
  [[nodiscard]] bool exhausted() const override { return exhausted_; }

  [[nodiscard]] bool is_stream() const { return stream_; }
  // After exhausted().
  [[nodiscard]] const std::vector<Error>& errors() const { return reader_->errors(); }
  // Any thread.
  [[nodiscard]] CaptureProgress progress() const { return reader_->progress(); }

 private:
  CaptureSource(std::unique_ptr<CaptureReader> reader, rte_mempool* pool);

  std::unique_ptr<CaptureReader> reader_;
  rte_mempool* pool_;
  bool stream_;
  const CaptureRecord* pending_ = nullptr;  // read but not yet copied: the pool was empty
  bool exhausted_ = false;
};

}  // namespace imds::port
