// One capture file read through libpcap. Private to the room.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include <pcap/pcap.h>

#include "base/result.h"
#include "port/capture.h"

namespace imds::port {

class CaptureFile {
 public:
  // "-" is standard input. `buffer_bytes` is how much is read from the kernel at once.
  [[nodiscard]] static Result<std::unique_ptr<CaptureFile>> open(const std::string& path,
                                                                 std::size_t buffer_bytes);

  // true: `out` is the next packet, valid until the next call. false: the end, also when a signal
  // interrupted the reading. An Error (runtime, naming file and packet) is final.
  [[nodiscard]] Result<bool> next(CaptureRecord& out);

  // 0 when it is not a regular file.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool reopenable() const { return regular_; }

 private:
  struct PcapClose {
    void operator()(pcap_t* p) const { pcap_close(p); }
  };
  struct FileClose {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  CaptureFile() = default;

  [[nodiscard]] Status open_stream(const std::string& path, std::size_t buffer_bytes);
  [[nodiscard]] Status open_pcap();
  [[nodiscard]] Error describe_read_error() const;

  std::string name_;                // for messages: the path in quotes, or "standard input"
  std::unique_ptr<char[]> buffer_;  // of the stream; outlives it
  std::unique_ptr<std::FILE, FileClose> stream_;  // until pcap_ owns it
  std::unique_ptr<pcap_t, PcapClose> pcap_;
  std::uint64_t size_ = 0;
  std::uint64_t packets_ = 0;
  std::uint16_t link_type_ = 0;
  bool regular_ = false;
};

}  // namespace imds::port
