#include "trace_file.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace imds::traces {

namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20;

}  // namespace

TraceFile::TraceFile(const std::string& path, Format format) : path_(path), format_(format) {
  fd_ = path == "-" ? STDOUT_FILENO
                    : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    fail(errno);
  }
  buffer_.reserve(kBuffer);
  if (format != Format::pcap) {
    return;
  }
  // Magic of nanoseconds, version 2.4, no zone, no accuracy, snapshot length, LINKTYPE_ETHERNET.
  constexpr std::array<std::uint32_t, 6> kHeader = {0xa1b23c4d, 4u << 16 | 2, 0, 0, 262'144, 1};
  append(kHeader.data(), sizeof kHeader);
}

TraceFile::~TraceFile() {
  if (fd_ < 0 || fd_ == STDOUT_FILENO) {
    return;
  }
  struct stat status {};
  if (fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
    unlink(path_.c_str());
  }
  ::close(fd_);
}

void TraceFile::write(Timestamp time, const support::Bytes& frame) {
  if (format_ == Format::trafgen) {
    write_as_text(frame);
    return;
  }
  const auto size = static_cast<std::uint32_t>(frame.size());
  const std::array<std::uint32_t, 4> header = {
      static_cast<std::uint32_t>(time.ns / kNanosPerSecond),
      static_cast<std::uint32_t>(time.ns % kNanosPerSecond), size, size};
  append(header.data(), sizeof header);
  append(frame.data(), frame.size());
}

void TraceFile::write_as_text(const support::Bytes& frame) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string line = "{";
  for (const std::uint8_t byte : frame) {
    line += "0x";
    line += kDigits[byte >> 4];
    line += kDigits[byte & 0xf];
    line += ',';
  }
  line += "}\n";
  append(line.data(), line.size());
}

void TraceFile::close() {
  flush();
  const int fd = fd_;
  if (fd != STDOUT_FILENO) {
    fd_ = -1;
    if (::close(fd) != 0) {
      fail(errno);
    }
  }
}

void TraceFile::append(const void* from, std::size_t size) {
  if (buffer_.size() + size > kBuffer) {
    flush();
  }
  const auto* bytes = static_cast<const std::uint8_t*>(from);
  buffer_.insert(buffer_.end(), bytes, bytes + size);
}

void TraceFile::flush() {
  for (std::size_t at = 0; at < buffer_.size();) {
    const ssize_t written = ::write(fd_, buffer_.data() + at, buffer_.size() - at);
    if (written < 0 && errno != EINTR) {
      fail(errno);
    }
    at += written < 0 ? 0 : static_cast<std::size_t>(written);
  }
  buffer_.clear();
}

void TraceFile::fail(int error) const {
  throw std::runtime_error("cannot write " + (path_ == "-" ? "standard output" : path_) + ": " +
                           std::strerror(error));
}

}  // namespace imds::traces
