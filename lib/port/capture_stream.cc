#include "capture_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace imds::port {
namespace {

constexpr std::size_t kPackedBytes = 64 << 10;

Error open_error(const std::string& name, int error) {
  switch (error) {
    case ENOENT:
      return {ErrorKind::runtime, "capture " + name + " does not exist", {}};
    case EACCES:
      return {ErrorKind::runtime,
              "capture " + name +
                  " cannot be read: permission denied; change its permissions or run as a user "
                  "who may read it",
              {}};
    case EMFILE:
      return {
          ErrorKind::runtime,
          "capture " + name + " cannot be opened: too many open files; raise the limit (ulimit -n)",
          {}};
    default:
      return {
          ErrorKind::runtime, "capture " + name + " cannot be opened: " + std::strerror(error), {}};
  }
}

}  // namespace

Result<std::unique_ptr<CaptureStream>> CaptureStream::open(const std::string& path,
                                                           const std::string& name,
                                                           std::size_t buffer_bytes) {
  std::unique_ptr<CaptureStream> stream(new CaptureStream(buffer_bytes));
  if (Status s = stream->open_file(path, name); !s) {
    return pass_on(s);
  }
  if (Status s = stream->look_for_gzip(name); !s) {
    return pass_on(s);
  }
  return stream;
}

CaptureStream::~CaptureStream() {
  if (inflater_) {
    inflateEnd(inflater_.get());
  }
}

CaptureStream::File::~File() {
  if (fd >= 0) {
    close(fd);
  }
}

Status CaptureStream::open_file(const std::string& path, const std::string& name) {
  file_.fd = path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                         : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_.fd < 0) {
    return tl::unexpected<Error>(open_error(name, errno));
  }
  struct stat info = {};
  if (fstat(file_.fd, &info) == 0 && S_ISREG(info.st_mode)) {
    regular_ = path != "-";
    size_ = static_cast<std::uint64_t>(info.st_size);
    if (size_ == 0) {
      return fail(ErrorKind::runtime, "capture " + name + " is empty: not even a file header");
    }
    posix_fadvise(file_.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  return {};
}

Status CaptureStream::look_for_gzip(const std::string& name) {
  constexpr std::size_t kMagic = 2;
  if (!have(kMagic)) {
    return fail(ErrorKind::runtime, "capture " + name + " ends inside its file header" +
                                        (error_.empty() ? "" : ": " + error_));
  }
  if (buffered()[0] != 0x1f || buffered()[1] != 0x8b) {
    return {};
  }
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  auto inflater = std::make_unique<z_stream>();
  if (inflateInit2(inflater.get(), kGzipOnly) != Z_OK) {
    return fail(ErrorKind::environment, "no memory to unpack capture " + name);
  }
  inflater_ = std::move(inflater);
  const ByteSpan read = buffered();
  packed_bytes_ = std::max(kPackedBytes, read.size());
  packed_ = std::make_unique_for_overwrite<std::uint8_t[]>(packed_bytes_);
  std::copy(read.begin(), read.end(), packed_.get());
  inflater_->next_in = packed_.get();
  inflater_->avail_in = static_cast<uInt>(read.size());
  consume(read.size());
  return {};
}

bool CaptureStream::skip(std::size_t bytes) {
  for (std::size_t left = bytes;;) {
    const std::size_t step = std::min(left, buffered().size());
    consume(step);
    left -= step;
    if (left == 0) {
      return true;
    }
    if (!have(1)) {
      return false;
    }
  }
}

bool CaptureStream::fill(std::size_t bytes) {
  if (held_) {
    return false;
  }
  make_room(bytes);
  while (!ended_ && buffered().size() < bytes) {
    std::uint8_t* const to = buffer_.get() + end_;
    const std::size_t most = std::min(capacity_ - end_, buffer_bytes_);
    const std::size_t got = inflater_ ? inflate_some(to, most) : read_some(to, most);
    end_ += got;
    ended_ = got == 0;
  }
  return buffered().size() >= bytes;
}

// Moves what is left, the beginning of a packet mostly, to the front of the buffer.
void CaptureStream::make_room(std::size_t bytes) {
  const ByteSpan left = buffered();
  if (capacity_ < bytes || capacity_ == 0) {
    const std::size_t larger = std::max(bytes, buffer_bytes_);
    auto buffer = std::make_unique_for_overwrite<std::uint8_t[]>(larger);
    std::copy(left.begin(), left.end(), buffer.get());
    buffer_ = std::move(buffer);
    capacity_ = larger;
  } else if (!left.empty()) {
    std::memmove(buffer_.get(), left.data(), left.size());
  }
  end_ = left.size();
  at_ = 0;
}

// 0 at the end, when a signal came, and at an error().
std::size_t CaptureStream::read_some(std::uint8_t* to, std::size_t most) {
  const ssize_t got = ::read(file_.fd, to, most);
  if (got >= 0) {
    return static_cast<std::size_t>(got);
  }
  if (errno == EINTR) {
    interrupted_ = true;
  } else {
    error_ = std::strerror(errno);
  }
  return 0;
}

// As read_some(), unpacked. Asks for more packed bytes only when those it has give nothing.
std::size_t CaptureStream::inflate_some(std::uint8_t* to, std::size_t most) {
  z_stream& z = *inflater_;
  z.next_out = to;
  z.avail_out = static_cast<uInt>(most);
  while (z.avail_out == most && error_.empty()) {
    if (z.avail_in == 0 && !unpacked_waits_) {
      z.next_in = packed_.get();
      z.avail_in = static_cast<uInt>(read_some(packed_.get(), packed_bytes_));
      if (z.avail_in == 0) {
        if (!member_ended_ && !interrupted_ && error_.empty()) {
          error_ = "its gzip data is truncated";
        }
        break;
      }
    }
    if (member_ended_) {  // gzip files may be joined end to end; padding is no member
      if (z.next_in[0] != 0x1f || inflateReset(&z) != Z_OK) {
        break;
      }
      member_ended_ = false;
    }
    const int result = inflate(&z, Z_NO_FLUSH);
    member_ended_ = result == Z_STREAM_END;
    unpacked_waits_ = z.avail_out == 0 && !member_ended_;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      error_ = "its gzip data is damaged";
    }
  }
  return most - z.avail_out;
}

}  // namespace imds::port
