#include "evidence_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "exhibit/pcapng.h"

namespace imds::exhibit {

namespace {

constexpr std::string_view kAbout =
    "Evidence of alerts. Payloads are overwritten with X but for what is known to hold no secret; "
    "checksums were changed with them. Comments say what was overwritten or cut.";

// "84 bytes overwritten, cut to 54 bytes"; empty: nothing was changed.
std::string_view describe(const Redacted& redacted, std::array<char, kLongestComment + 1>& room) {
  int size = 0;
  if (redacted.overwritten > 0 && redacted.is_cut) {
    size = std::snprintf(room.data(), room.size(), "%zu bytes overwritten, cut to %zu bytes",
                         redacted.overwritten, redacted.size);
  } else if (redacted.overwritten > 0) {
    size = std::snprintf(room.data(), room.size(), "%zu bytes overwritten", redacted.overwritten);
  } else if (redacted.is_cut) {
    size = std::snprintf(room.data(), room.size(), "cut to %zu bytes", redacted.size);
  }
  return {room.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace

EvidenceFile::~EvidenceFile() {
  close();
}

int EvidenceFile::create(int folder, const std::string& name, const std::string& application) {
  close();
  const int descriptor =
      ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return errno;
  }
  if (::fchmod(descriptor, 0600) != 0) {  // whatever the umask has left
    const int problem = errno;
    (void)::close(descriptor);
    return problem;
  }
  descriptor_ = descriptor;
  append_section_header(buffer_, application, kAbout);
  return 0;
}

std::uint32_t EvidenceFile::interface_of(const FrameNote& note, const std::string& port) {
  const auto [entry, is_new] = interfaces_.try_emplace(
      {note.port, note.link}, static_cast<std::uint32_t>(interfaces_.size()));
  if (is_new) {
    append_interface(buffer_, note.link, port);
  }
  return entry->second;
}

void EvidenceFile::add(const FrameNote& note, ByteSpan bytes, const Redacted& redacted,
                       const std::string& port) {
  std::array<char, kLongestComment + 1> room{};
  PacketBlock block;
  block.interface = interface_of(note, port);
  block.time_ns = note.time_ns;
  block.original_length = note.original_length;
  block.bytes = bytes;
  block.comment = describe(redacted, room);
  append_packet(buffer_, block);
  ++packets_;
  ++packets_waiting_;
}

int EvidenceFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(descriptor_, &buffer_[done], buffer_.size() - done);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      const int problem = written < 0 ? errno : ENOSPC;
      (void)!::ftruncate(descriptor_, static_cast<off_t>(size_));
      return problem;
    }
    done += static_cast<std::size_t>(written);
  }
  size_ += buffer_.size();
  buffer_.clear();
  packets_waiting_ = 0;
  return 0;
}

void EvidenceFile::close() {
  if (descriptor_ >= 0) {
    (void)::close(descriptor_);
  }
  descriptor_ = -1;
  size_ = 0;
  packets_ = 0;
  packets_waiting_ = 0;
  buffer_.clear();
  interfaces_.clear();
}

}  // namespace imds::exhibit
