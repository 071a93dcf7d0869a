// The bytes of a capture: a file or standard input, unpacked where it is gzip-compressed. Private
// to the room. One thread.
//
// They pass through one buffer, small enough to stay in the processor's cache from the kernel's
// copy to the last look at a packet: measured on capture files in memory, such reads cost half of
// what mapping the file does, page faults and cache misses included, and no file that shrinks
// meanwhile can raise SIGBUS. Packets are looked at where they lie in it. Whoever still does so
// says hold(true), and the buffer is neither refilled nor moved until hold(false).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <zlib.h>

#include "base/cursor.h"
#include "base/result.h"

namespace imds::port {

class CaptureStream {
 public:
  // "-" is standard input; `name` stands for it in messages; `buffer_bytes` is how much is read
  // from the kernel at once. An empty regular file is an error.
  [[nodiscard]] static Result<std::unique_ptr<CaptureStream>> open(const std::string& path,
                                                                   const std::string& name,
                                                                   std::size_t buffer_bytes);
  ~CaptureStream();
  CaptureStream(const CaptureStream&) = delete;
  CaptureStream& operator=(const CaptureStream&) = delete;

  // Makes the next `bytes` contiguous in buffered(). False when there are fewer: held back, or at
  // the end, when a signal interrupted the reading, or at an error(). Waits no longer than it must
  // where the input is a pipe. The buffer grows to what is asked for, so the caller sets bounds.
  [[nodiscard]] bool have(std::size_t bytes) { return buffered().size() >= bytes || fill(bytes); }
  // What was read and not yet consumed.
  [[nodiscard]] ByteSpan buffered() const { return {buffer_.get() + at_, end_ - at_}; }
  // At most buffered().size().
  void consume(std::size_t bytes) { at_ += bytes; }

  // Passes over so many, of which the buffer need not hold all. False when there are fewer.
  [[nodiscard]] bool skip(std::size_t bytes);

  void hold(bool held) { held_ = held; }
  // have() and skip() then know of no bytes but those in the buffer.
  [[nodiscard]] bool held() const { return held_; }

  [[nodiscard]] bool interrupted() const { return interrupted_; }
  // What went wrong; empty if nothing did.
  [[nodiscard]] const std::string& error() const { return error_; }
  // Bytes of the file as it lies on disk; 0 when it is not a regular file.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool regular() const { return regular_; }

 private:
  // Owns it, except standard input's.
  struct File {
    int fd = -1;
    File() = default;
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;
  };
  explicit CaptureStream(std::size_t buffer_bytes) : buffer_bytes_(buffer_bytes) {}

  [[nodiscard]] Status open_file(const std::string& path, const std::string& name);
  [[nodiscard]] Status look_for_gzip(const std::string& name);
  [[nodiscard]] bool fill(std::size_t bytes);
  void make_room(std::size_t bytes);
  [[nodiscard]] std::size_t read_some(std::uint8_t* to, std::size_t most);
  [[nodiscard]] std::size_t inflate_some(std::uint8_t* to, std::size_t most);

  File file_;
  const std::size_t buffer_bytes_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t at_ = 0;   // consumed up to here
  std::size_t end_ = 0;  // read up to here
  bool held_ = false;
  bool ended_ = false;
  std::unique_ptr<z_stream> inflater_;  // of a gzip-compressed input
  std::unique_ptr<std::uint8_t[]> packed_;
  std::size_t packed_bytes_ = 0;
  bool member_ended_ = false;    // between two members of a gzip file
  bool unpacked_waits_ = false;  // zlib has more to give without more to read
  std::uint64_t size_ = 0;
  bool regular_ = false;
  bool interrupted_ = false;
  std::string error_;
};

}  // namespace imds::port
