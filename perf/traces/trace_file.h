// Streams packets into a file: classic pcap with nanoseconds, Ethernet; or a configuration of
// trafgen (netsniff-ng), which lists the bytes of each packet as text and has no times. Holds one
// megabyte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/time.h"
#include "support/wire_bytes.h"

namespace imds::traces {

class TraceFile {
 public:
  enum class Format : std::uint8_t { pcap, trafgen };

  // "-": standard output. Throws std::runtime_error with path and reason, as the others do.
  TraceFile(const std::string& path, Format format);
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;
  // A file that was not closed is incomplete, and removed.
  ~TraceFile();

  void write(Timestamp time, const support::Bytes& frame);
  // What was written is in the file, or cannot be.
  void flush();
  void close();

 private:
  void write_as_text(const support::Bytes& frame);
  void append(const void* from, std::size_t size);
  [[noreturn]] void fail(int error) const;

  std::string path_;
  Format format_;
  int fd_ = -1;
  support::Bytes buffer_;
};

}  // namespace imds::traces
