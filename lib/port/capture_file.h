// One capture file, whatever its format. Private to the room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>

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

  // Fills `out`, of at least one place, with the next packets that have been read already, and
  // returns how many. `keep`: the bytes of earlier ones stay valid, so nothing is read, and 0 means
  // that the rest has to wait. Else it reads on where there are none, earlier bytes become invalid,
  // and 0 is the end, also when a signal interrupted the reading; an Error (runtime, naming file
  // and packet) is final.
  [[nodiscard]] Result<std::size_t> next(std::span<CaptureRecord> out, bool keep);

  // 0 when it is not a regular file.
  [[nodiscard]] std::uint64_t size() const { return stream_->size(); }
  [[nodiscard]] bool reopenable() const { return stream_->regular(); }

 private:
  CaptureFile() = default;

  [[nodiscard]] Status read_file_header();
  [[nodiscard]] Status read_pcap_header(PcapFormat format);
  void note(std::span<const CaptureRecord> records);
  [[nodiscard]] Result<std::size_t> end_of(const FormatResult& result) const;

  std::string name_;  // for messages: the path in quotes, or "standard input"
  std::unique_ptr<CaptureStream> stream_;
  std::variant<PcapFormat, PcapngFormat> format_;
  std::uint64_t packets_ = 0;
  bool decodable_ = false;  // had a packet of a link type the decoder knows
  std::uint16_t latest_link_type_ = 0;
};

}  // namespace imds::port
