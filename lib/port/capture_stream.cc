#include "capture_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
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
  std::unique_ptr<CaptureStream> stream(new CaptureStream);
  if (Status s = stream->open_file(path, name, buffer_bytes); !s) {
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

Status CaptureStream::open_file(const std::string& path, const std::string& name,
                                std::size_t buffer_bytes) {
  file_.reset(path == "-" ? fdopen(dup(STDIN_FILENO), "rb") : std::fopen(path.c_str(), "rb"));
  if (!file_) {
    return tl::unexpected<Error>(open_error(name, errno));
  }
  buffer_ = std::make_unique_for_overwrite<char[]>(buffer_bytes);
  std::setvbuf(file_.get(), buffer_.get(), _IOFBF, buffer_bytes);
  struct stat info = {};
  if (fstat(fileno(file_.get()), &info) == 0 && S_ISREG(info.st_mode)) {
    regular_ = path != "-";
    size_ = static_cast<std::uint64_t>(info.st_size);
    if (size_ == 0) {
      return fail(ErrorKind::runtime, "capture " + name + " is empty: not even a file header");
    }
  }
  return {};
}

Status CaptureStream::look_for_gzip(const std::string& name) {
  const std::size_t got = read_file(first_);
  if (got < first_.size()) {
    return fail(ErrorKind::runtime, "capture " + name + " ends inside its file header" +
                                        (error_.empty() ? "" : ": " + error_));
  }
  first_at_ = 0;
  if (first_[0] != 0x1f || first_[1] != 0x8b) {
    return {};
  }
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  auto inflater = std::make_unique<z_stream>();
  if (inflateInit2(inflater.get(), kGzipOnly) != Z_OK) {
    return fail(ErrorKind::environment, "no memory to unpack capture " + name);
  }
  inflater_ = std::move(inflater);
  packed_ = std::make_unique_for_overwrite<std::uint8_t[]>(kPackedBytes);
  std::copy(first_.begin(), first_.end(), packed_.get());
  inflater_->next_in = packed_.get();
  inflater_->avail_in = static_cast<uInt>(first_.size());
  first_at_ = first_.size();
  return {};
}

std::size_t CaptureStream::read(std::span<std::uint8_t> to) {
  if (inflater_) {
    return inflate_into(to);
  }
  const std::size_t kept = std::min(first_.size() - first_at_, to.size());
  std::copy_n(first_.begin() + static_cast<std::ptrdiff_t>(first_at_), kept, to.begin());
  first_at_ += kept;
  return kept == to.size() ? kept : kept + read_file(to.subspan(kept));
}

std::size_t CaptureStream::read_file(std::span<std::uint8_t> to) {
  errno = 0;
  const std::size_t got = std::fread(to.data(), 1, to.size(), file_.get());
  if (got < to.size() && std::ferror(file_.get()) != 0) {
    if (errno == EINTR) {
      interrupted_ = true;
    } else {
      error_ = std::strerror(errno);
    }
  }
  return got;
}

// More packed bytes; false at the end of the file.
bool CaptureStream::refill() {
  const std::size_t got = read_file({packed_.get(), kPackedBytes});
  inflater_->next_in = packed_.get();
  inflater_->avail_in = static_cast<uInt>(got);
  return got > 0;
}

std::size_t CaptureStream::inflate_into(std::span<std::uint8_t> to) {
  z_stream& z = *inflater_;
  z.next_out = to.data();
  z.avail_out = static_cast<uInt>(to.size());
  while (z.avail_out > 0 && error_.empty()) {
    if (z.avail_in == 0 && !refill()) {
      if (!member_ended_ && !interrupted_ && error_.empty()) {
        error_ = "its gzip data is truncated";
      }
      break;
    }
    if (member_ended_) {  // gzip files may be joined end to end; padding is no member
      if (z.next_in[0] != 0x1f || inflateReset(&z) != Z_OK) {
        z.avail_in = 0;
        break;
      }
      member_ended_ = false;
    }
    const int result = inflate(&z, Z_NO_FLUSH);
    member_ended_ = result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      error_ = "its gzip data is damaged";
    }
  }
  return to.size() - z.avail_out;
}

}  // namespace imds::port
