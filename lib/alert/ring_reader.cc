#include "alert/ring_reader.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "alert/record.h"
#include "alert/ring_writer.h"
#include "ring_name.h"

namespace imds::alert {
namespace {

constexpr std::uint32_t kMaxHeaderSize = 1u << 20;
constexpr std::uint32_t kMaxRecordSize = 1u << 20;

std::uint64_t load(const std::uint64_t& word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

tl::unexpected<Error> refuse(const std::string& name, const std::string& why) {
  return fail(ErrorKind::environment, "alert ring " + name + ": " + why);
}

}  // namespace

Result<RingReader> RingReader::attach(const std::string& name, From from) {
  if (Status ok = check_ring_name(name, ErrorKind::usage); !ok) {
    return pass_on(ok);
  }
  RingReader reader;
  reader.name_ = name;
  reader.fd_ = shm_open(name.c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (reader.fd_ < 0) {
    switch (errno) {
      case ENOENT:
        return refuse(name, "not there; is imds-inspector running with this ring configured?");
      case EACCES:
        return refuse(
            name, "permission denied; read it as the inspector's user or a member of its group");
      default:
        return refuse(name, std::string("cannot open: ") + std::strerror(errno));
    }
  }
  if (Status mapped = reader.map(); !mapped) {
    return pass_on(mapped);
  }
  reader.start_at(from);
  return reader;
}

Status RingReader::map() {
  struct stat object {};
  if (fstat(fd_, &object) != 0) {
    return refuse(name_, std::string("cannot examine: ") + std::strerror(errno));
  }
  if (Status layout = check_layout(static_cast<std::uint64_t>(object.st_size)); !layout) {
    return layout;
  }
  size_ = header_size_ + std::size_t{capacity_} * record_size_;
  void* mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, 0);
  if (mapped == MAP_FAILED) {
    return refuse(name_, std::string("cannot map: ") + std::strerror(errno));
  }
  base_ = static_cast<const unsigned char*>(mapped);
  return {};
}

// Reads the header instead of mapping it, so that an object of any size is safe, and keeps the
// sizes: whatever the segment says later does not matter.
Status RingReader::check_layout(std::uint64_t object_size) {
  imds_alert_ring_header header{};
  if (object_size < sizeof header ||
      pread(fd_, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header) ||
      header.magic == 0) {
    return refuse(name_, "not ready, or not an alert ring; try again when the inspector runs");
  }
  if (header.magic != IMDS_ALERT_RING_MAGIC) {
    return refuse(name_, "this shared memory is not an alert ring");
  }
  if (header.abi_major != IMDS_ALERT_RING_ABI_MAJOR) {
    return refuse(name_, "layout version " + std::to_string(header.abi_major) +
                             ", this program reads version " +
                             std::to_string(IMDS_ALERT_RING_ABI_MAJOR) +
                             "; use the imds-alerts of the running inspector");
  }
  const bool plausible =
      header.header_size >= sizeof header && header.header_size <= kMaxHeaderSize &&
      header.header_size % 8 == 0 && header.record_size >= sizeof(imds_alert_record) &&
      header.record_size <= kMaxRecordSize && header.record_size % 8 == 0 &&
      std::has_single_bit(header.capacity) && header.capacity <= kMaxRingCapacity;
  if (!plausible ||
      header.header_size + std::uint64_t{header.capacity} * header.record_size > object_size) {
    return refuse(name_, "the sizes in its header contradict each other (header " +
                             std::to_string(header.header_size) + ", record " +
                             std::to_string(header.record_size) + ", capacity " +
                             std::to_string(header.capacity) + ", object " +
                             std::to_string(object_size) + " bytes)");
  }
  header_size_ = header.header_size;
  record_size_ = header.record_size;
  capacity_ = header.capacity;
  return {};
}

const imds_alert_ring_header& RingReader::header() const {
  return *reinterpret_cast<const imds_alert_ring_header*>(base_);
}

const unsigned char* RingReader::slot(std::uint64_t number) const {
  return base_ + header_size_ + ((number - 1) & (capacity_ - 1)) * std::size_t{record_size_};
}

// Number of the oldest record that can still be there, were it not for a writer just replacing it.
std::uint64_t RingReader::oldest(std::uint64_t published) const {
  return published > capacity_ ? published - capacity_ + 1 : 1;
}

void RingReader::start_at(From from) {
  epoch_ = load(header().writer_epoch);
  const std::uint64_t published = load(header().published);
  cursor_ = published + 1;
  if (from == From::newest) {
    return;
  }
  // A slot that is being overwritten was gone before this reader came: not a loss.
  imds_alert_record record;
  for (cursor_ = oldest(published); cursor_ <= published; ++cursor_) {
    if (imds_alert_ring_read(slot(cursor_), cursor_, &record) != 0) {
      epoch_ = record.epoch;
      return;
    }
  }
}

Result<ReadResult> RingReader::next(imds_alert_record& out) {
  struct stat object {};
  if (fstat(fd_, &object) != 0 || static_cast<std::uint64_t>(object.st_size) < size_) {
    return fail(ErrorKind::runtime, "alert ring " + name_ + ": the segment was cut short");
  }
  ReadResult result;
  const auto done = [&](ReadKind kind) {
    result.kind = kind;
    lost_ += result.lost;
    damaged_ += result.damaged;
    return result;
  };
  // Before `published`: what an older writer published is then included.
  const std::uint64_t epoch_now = load(header().writer_epoch);
  for (std::uint32_t i = 0; i <= capacity_; ++i) {
    const std::uint64_t published = load(header().published);
    if (published == cursor_ - 1) {
      if (epoch_now != epoch_) {
        epoch_ = epoch_now;
        return done(ReadKind::writer_restarted);
      }
      return done(ReadKind::nothing);
    }
    if (published < cursor_ - 1) {
      return fail(ErrorKind::runtime, "alert ring " + name_ +
                                          ": its count of records went backwards; the segment is "
                                          "damaged");
    }
    if (const std::uint64_t first = oldest(published); cursor_ < first) {
      result.lost += first - cursor_;
      cursor_ = first;
    }
    if (imds_alert_ring_read(slot(cursor_), cursor_, &out) == 0) {
      ++result.lost;
      ++cursor_;
    } else if (!is_valid(out)) {
      ++result.damaged;
      ++cursor_;
    } else if (out.epoch != epoch_) {
      epoch_ = out.epoch;
      return done(ReadKind::writer_restarted);  // the record comes with the next call
    } else {
      ++cursor_;
      ++read_;
      return done(ReadKind::record);
    }
  }
  return done(ReadKind::nothing);
}

SegmentState RingReader::segment_state() const {
  struct stat mapped {};
  if (fstat(fd_, &mapped) != 0 || static_cast<std::uint64_t>(mapped.st_size) < size_) {
    return SegmentState::shrunk;
  }
  const int fd = shm_open(name_.c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) {
    return errno == ENOENT ? SegmentState::removed : SegmentState::replaced;
  }
  struct stat named {};
  const bool same =
      fstat(fd, &named) == 0 && named.st_dev == mapped.st_dev && named.st_ino == mapped.st_ino;
  close(fd);
  return same ? SegmentState::current : SegmentState::replaced;
}

bool RingReader::writer_alive() const {
  struct flock request {};
  request.l_type = F_RDLCK;
  request.l_whence = SEEK_SET;
  request.l_start = 0;
  request.l_len = 1;
  return fcntl(fd_, F_OFD_GETLK, &request) == 0 && request.l_type == F_WRLCK;
}

RingFacts RingReader::facts() const {
  const imds_alert_ring_header& h = header();
  RingFacts facts;
  facts.abi_major = h.abi_major;
  facts.abi_minor = h.abi_minor;
  facts.record_size = record_size_;
  facts.capacity = capacity_;
  facts.epoch = load(h.writer_epoch);
  facts.published = load(h.published);
  facts.oldest = facts.published == 0 ? 0 : oldest(facts.published);
  facts.writer_start_ns = __atomic_load_n(&h.writer_start_ns, __ATOMIC_RELAXED);
  facts.published_at_start = load(h.published_at_start);
  facts.writer_pid = __atomic_load_n(&h.writer_pid, __ATOMIC_RELAXED);
  facts.writer_stopped =
      __atomic_load_n(&h.writer_state, __ATOMIC_RELAXED) == IMDS_ALERT_WRITER_STOPPED;
  facts.writer_alive = writer_alive();
  std::timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
                               static_cast<std::uint64_t>(now.tv_nsec);
  const std::uint64_t beat = load(h.heartbeat_ns);
  facts.heartbeat_age_ns = now_ns > beat ? now_ns - beat : 0;
  return facts;
}

RingReader::RingReader(RingReader&& other) noexcept {
  *this = std::move(other);
}

RingReader& RingReader::operator=(RingReader&& other) noexcept {
  if (this != &other) {
    release();
    name_ = std::move(other.name_);
    fd_ = std::exchange(other.fd_, -1);
    base_ = std::exchange(other.base_, nullptr);
    size_ = std::exchange(other.size_, 0);
    header_size_ = other.header_size_;
    record_size_ = other.record_size_;
    capacity_ = other.capacity_;
    epoch_ = other.epoch_;
    cursor_ = other.cursor_;
    read_ = other.read_;
    lost_ = other.lost_;
    damaged_ = other.damaged_;
  }
  return *this;
}

RingReader::~RingReader() {
  release();
}

void RingReader::release() noexcept {
  if (base_ != nullptr) {
    munmap(const_cast<unsigned char*>(base_), size_);
    base_ = nullptr;
  }
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

}  // namespace imds::alert
