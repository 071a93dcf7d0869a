// The bytes of a capture: a file or standard input, unpacked where it is gzip-compressed. Private
// to the room. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <zlib.h>

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

  // Fills `to` and returns its size, or what was left: at the end, when a signal interrupted the
  // reading, or at an error(). Waits no longer than it must where the input is a pipe.
  [[nodiscard]] std::size_t read(std::span<std::uint8_t> to);

  [[nodiscard]] bool interrupted() const { return interrupted_; }
  // What went wrong; empty if nothing did.
  [[nodiscard]] const std::string& error() const { return error_; }
  // Bytes of the file as it lies on disk; 0 when it is not a regular file.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] bool regular() const { return regular_; }

 private:
  struct FileClose {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  CaptureStream() = default;

  [[nodiscard]] Status open_file(const std::string& path, const std::string& name,
                                 std::size_t buffer_bytes);
  [[nodiscard]] Status look_for_gzip(const std::string& name);
  [[nodiscard]] std::size_t read_file(std::span<std::uint8_t> to);
  [[nodiscard]] std::size_t inflate_into(std::span<std::uint8_t> to);
  [[nodiscard]] bool refill();

  std::unique_ptr<char[]> buffer_;  // of file_; outlives it
  std::unique_ptr<std::FILE, FileClose> file_;
  std::array<std::uint8_t, 2> first_{};  // read to tell gzip from the rest, not yet handed out
  std::size_t first_at_ = 2;
  std::unique_ptr<z_stream> inflater_;  // of a gzip-compressed input
  std::unique_ptr<std::uint8_t[]> packed_;
  bool member_ended_ = false;  // between two members of a gzip file
  std::uint64_t size_ = 0;
  bool regular_ = false;
  bool interrupted_ = false;
  std::string error_;
};

}  // namespace imds::port
