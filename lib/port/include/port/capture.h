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

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cursor.h"
#include "base/result.h"
#include "base/time.h"
#include "port/source.h"

struct rte_mempool;

namespace imds::port {

inline constexpr std::size_t kMaxOpenCaptures = 256;

// One packet of a capture. Its bytes lie in the reader's buffer: until when, CaptureReader::next()
// says.
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
  // The record is valid until the next call.
  [[nodiscard]] const CaptureRecord* next();

  // Many packets at once: as many of the next as `out` has room for and as have been read already.
  // `keep` false: every record handed out before becomes invalid; 0 is the end. `keep` true: they
  // stay valid, so nothing is read, and 0 means that the rest must be asked for without.
  [[nodiscard]] std::size_t next(std::span<CaptureRecord> out, bool keep);

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

// The reader's packets as mbufs that point into its buffers: nothing is copied. A buffer is filled
// again only when every packet handed out was given back, so receive() hands out fewer, or nothing,
// to a caller who still holds packets, and loses none. They are given back by release() or drop(),
// not freed. Not paced: as fast as the worker asks; from a pipe what has arrived, so that no packet
// waits for the next. A packet longer than 65535 bytes is chained.
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
  // From the first receive() on that found no more.
  [[nodiscard]] bool exhausted() const override { return exhausted_; }

  [[nodiscard]] bool is_stream() const { return stream_; }
  // After exhausted().
  [[nodiscard]] const std::vector<Error>& errors() const { return reader_->errors(); }
  // Any thread.
  [[nodiscard]] CaptureProgress progress() const { return reader_->progress(); }

 private:
  static constexpr std::size_t kBurst = 64;

  CaptureSource(std::unique_ptr<CaptureReader> reader, rte_mempool* pool,
                std::vector<rte_mbuf*> packets);

  [[nodiscard]] std::size_t receive_some(std::span<rte_mbuf*> burst);
  [[nodiscard]] rte_mbuf* packet_of(const CaptureRecord& record);
  void chain(rte_mbuf* packet, ByteSpan bytes);

  std::unique_ptr<CaptureReader> reader_;
  rte_mempool* pool_;
  bool stream_;
  std::array<CaptureRecord, kBurst> records_;
  std::vector<rte_mbuf*> free_;
  std::size_t held_ = 0;  // packets handed out and not given back
  bool exhausted_ = false;
};

}  // namespace imds::port
