// One capture file, whatever its format. Private to the room.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "capture_format.h"
#include "capture_stream.h"
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
  [[nodiscard]] std::uint64_t size() const { return stream_->size(); }
  [[nodiscard]] bool reopenable() const { return stream_->regular(); }

 private:
  CaptureFile() = default;

  [[nodiscard]] Status read_file_header();
  [[nodiscard]] Status read_pcap_header(PcapFormat format);
  [[nodiscard]] Result<bool> at_end() const;

  std::string name_;  // for messages: the path in quotes, or "standard input"
  std::unique_ptr<CaptureStream> stream_;
  std::variant<PcapFormat, PcapngFormat> format_;
  std::vector<std::uint8_t> buffer_;  // what `out` of next() views into
  std::uint64_t packets_ = 0;
  std::uint64_t decodable_ = 0;  // packets of link types the decoder knows
  std::uint16_t latest_link_type_ = 0;
};

}  // namespace imds::port
