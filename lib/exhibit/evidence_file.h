// One pcapng file being written: blocks gather in a buffer and reach the disk whole or not at all.
// Private to the room. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "exhibit/lane.h"
#include "exhibit/redaction.h"

namespace imds::exhibit {

class EvidenceFile {
 public:
  EvidenceFile() = default;
  ~EvidenceFile();
  EvidenceFile(const EvidenceFile&) = delete;
  EvidenceFile& operator=(const EvidenceFile&) = delete;

  // Makes a new file, 0600, in the folder. 0, or errno: EEXIST if there is one of that name.
  [[nodiscard]] int create(int folder, const std::string& name, const std::string& application);
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  // The next packet; `port`: its name. Bytes are as redaction left them.
  void add(const FrameNote& note, ByteSpan bytes, const Redacted& redacted,
           const std::string& port);
  // Bytes that wait for flush(), and the packets they are of.
  [[nodiscard]] std::size_t waiting() const { return buffer_.size(); }
  [[nodiscard]] std::uint32_t packets_waiting() const { return packets_waiting_; }
  // 0, or errno. After an error the file ends with its last whole block and nothing can be added.
  [[nodiscard]] int flush();
  // Gives up what waits.
  void close();
  [[nodiscard]] std::uint32_t packets() const { return packets_; }  // added
  [[nodiscard]] std::uint64_t bytes() const { return size_; }       // on the disk

 private:
  [[nodiscard]] std::uint32_t interface_of(const FrameNote& note, const std::string& port);

  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint32_t packets_ = 0;
  std::uint32_t packets_waiting_ = 0;
  std::vector<std::uint8_t> buffer_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> interfaces_;  // port, link
};

}  // namespace imds::exhibit
