#include "alert/ring_writer.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/time.h"
#include "ring_name.h"

namespace imds::alert {
namespace {

constexpr std::size_t kHeaderSize = 4096;  // a page, so that records are page-aligned
constexpr int kAttempts = 16;

std::uint64_t* word(unsigned char* p) {
  return reinterpret_cast<std::uint64_t*>(p);
}

std::uint64_t monotonic_ns() {
  std::timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Two words of the protocol at once. Of an aligned store of 16 bytes each half is whole, on every
// processor that this runs on, which is all that readers count on; volatile keeps the compiler from
// making anything else of it.
using Words = std::uint64_t __attribute__((vector_size(16)));

void copy_words(unsigned char* to, const unsigned char* from, std::size_t begin, std::size_t end) {
  for (std::size_t at = begin; at < end; at += sizeof(Words)) {
    Words value;
    std::memcpy(&value, from + at, sizeof value);
    *reinterpret_cast<volatile Words*>(to + at) = value;
  }
}

tl::unexpected<Error> system_error(const std::string& name, const std::string& what, int error) {
  return fail(ErrorKind::environment,
              "alert ring " + name + ": " + what + ": " + std::strerror(error));
}

}  // namespace

// Opens, locks and maps the segment, step by step; what it holds is given to the writer at the
// end, or closed.
class RingOpener {
 public:
  RingOpener(const RingOptions& options, std::uint32_t capacity)
      : options_(options),
        capacity_(capacity),
        size_(kHeaderSize + std::size_t{capacity} * IMDS_ALERT_RECORD_SIZE) {}
  RingOpener(const RingOpener&) = delete;
  RingOpener& operator=(const RingOpener&) = delete;
  ~RingOpener() { close_all(); }

  Result<RingWriter> open();

 private:
  enum class Step { ready, again };

  Result<Step> attempt();
  Status create();
  Status check_owner();
  Result<Step> lock();
  [[nodiscard]] bool name_still_ours() const;
  [[nodiscard]] bool has_our_layout() const;
  Status prepare();
  void close_all() noexcept;

  const RingOptions& options_;
  std::uint32_t capacity_;
  std::size_t size_;
  bool fresh_ = false;  // the segment is new, all of it zero
  int fd_ = -1;
  unsigned char* base_ = nullptr;
};

void RingOpener::close_all() noexcept {
  if (base_ != nullptr) {
    munmap(base_, size_);
    base_ = nullptr;
  }
  if (fd_ >= 0) {
    close(fd_);  // and with it the lock
    fd_ = -1;
  }
}

Result<RingWriter> RingOpener::open() {
  for (int i = 0; i < kAttempts; ++i) {
    Result<Step> step = attempt();
    if (!step) {
      return pass_on(step);
    }
    if (*step == Step::again) {
      close_all();
      continue;
    }
    RingWriter writer;
    writer.fd_ = std::exchange(fd_, -1);
    writer.base_ = std::exchange(base_, nullptr);
    writer.size_ = size_;
    writer.mask_ = capacity_ - 1;
    writer.slot_lines_.assign(capacity_, fresh_ ? RecordLines{0} : kAllLines);
    writer.take_over();
    return writer;
  }
  return fail(ErrorKind::environment, "alert ring " + options_.name +
                                          ": other processes keep replacing it; is a second "
                                          "inspector configured with the same name?");
}

// One try from the name to a segment that is ours. Another process may create, lock or remove the
// object between any two steps; then it is tried again.
Result<RingOpener::Step> RingOpener::attempt() {
  fd_ = shm_open(options_.name.c_str(), O_RDWR | O_CLOEXEC, 0);
  if (fd_ < 0 && errno == ENOENT) {
    fd_ = shm_open(options_.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, options_.mode);
    if (fd_ < 0 && errno == EEXIST) {
      return Step::again;
    }
  }
  if (fd_ < 0 && errno == EACCES) {
    return fail(ErrorKind::environment, "alert ring " + options_.name +
                                            ": permission denied; it may be another user's: remove "
                                            "/dev/shm" +
                                            options_.name + " or configure another name");
  }
  if (fd_ < 0) {
    return system_error(options_.name, "cannot open shared memory", errno);
  }
  if (Status owner = check_owner(); !owner) {
    return pass_on(owner);
  }
  if (Result<Step> locked = lock(); !locked || *locked == Step::again) {
    return locked;
  }
  if (!name_still_ours()) {
    return Step::again;
  }
  struct stat object {};
  if (fstat(fd_, &object) != 0) {
    return system_error(options_.name, "cannot examine shared memory", errno);
  }
  fresh_ = object.st_size == 0;
  if (!fresh_ && !has_our_layout()) {
    // Readers of the old layout keep their mapping and see that the name stands for another.
    shm_unlink(options_.name.c_str());
    return Step::again;
  }
  if (Status prepared = prepare(); !prepared) {
    return pass_on(prepared);
  }
  return Step::ready;
}

// /dev/shm is open to all: a segment somebody else made could be read or changed by them.
Status RingOpener::check_owner() {
  struct stat object {};
  if (fstat(fd_, &object) != 0) {
    return system_error(options_.name, "cannot examine shared memory", errno);
  }
  if (object.st_uid != geteuid()) {
    return fail(ErrorKind::environment, "alert ring " + options_.name +
                                            ": the segment belongs to user " +
                                            std::to_string(object.st_uid) + ", not to this user (" +
                                            std::to_string(geteuid()) + "); remove /dev/shm" +
                                            options_.name + " or configure another name");
  }
  return {};
}

Result<RingOpener::Step> RingOpener::lock() {
  struct flock request {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  request.l_start = 0;
  request.l_len = 1;
  if (fcntl(fd_, F_OFD_SETLK, &request) == 0) {
    return Step::ready;
  }
  if (errno == EAGAIN || errno == EACCES) {
    return fail(
        ErrorKind::environment,
        "alert ring " + options_.name +
            ": another inspector is writing to it; stop that one or configure another name");
  }
  return system_error(options_.name, "cannot lock shared memory", errno);
}

bool RingOpener::name_still_ours() const {
  const int again = shm_open(options_.name.c_str(), O_RDONLY | O_CLOEXEC, 0);
  if (again < 0) {
    return false;
  }
  struct stat by_name {};
  struct stat by_fd {};
  const bool same = fstat(again, &by_name) == 0 && fstat(fd_, &by_fd) == 0 &&
                    by_name.st_dev == by_fd.st_dev && by_name.st_ino == by_fd.st_ino;
  close(again);
  return same;
}

// Read, not mapped: the object may have any size.
bool RingOpener::has_our_layout() const {
  imds_alert_ring_header header;
  struct stat object {};
  return pread(fd_, &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
         fstat(fd_, &object) == 0 && static_cast<std::size_t>(object.st_size) == size_ &&
         header.magic == IMDS_ALERT_RING_MAGIC && header.abi_major == IMDS_ALERT_RING_ABI_MAJOR &&
         header.abi_minor == IMDS_ALERT_RING_ABI_MINOR && header.header_size == kHeaderSize &&
         header.record_size == IMDS_ALERT_RECORD_SIZE && header.capacity == capacity_ &&
         header.published < IMDS_ALERT_SEQUENCE_WRITING / 2;
}

Status RingOpener::prepare() {
  if (fchmod(fd_, options_.mode) != 0) {  // shm_open's mode went through the umask
    return system_error(options_.name, "cannot set permissions", errno);
  }
  if (fresh_) {
    // Takes the memory now, not by a bus error when the ring first goes round.
    const int error = posix_fallocate(fd_, 0, static_cast<off_t>(size_));
    if (error != 0) {
      shm_unlink(options_.name.c_str());
      return fail(ErrorKind::environment, "alert ring " + options_.name + ": no room for " +
                                              std::to_string(size_ >> 20) + " MiB in /dev/shm (" +
                                              std::strerror(error) +
                                              "); enlarge it or configure fewer records");
    }
  }
  void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (mapped == MAP_FAILED) {
    return system_error(options_.name, "cannot map shared memory", errno);
  }
  base_ = static_cast<unsigned char*>(mapped);
  if (fresh_) {
    auto* header = reinterpret_cast<imds_alert_ring_header*>(base_);
    header->abi_major = IMDS_ALERT_RING_ABI_MAJOR;
    header->abi_minor = IMDS_ALERT_RING_ABI_MINOR;
    header->header_size = kHeaderSize;
    header->record_size = IMDS_ALERT_RECORD_SIZE;
    header->capacity = capacity_;
  }
  return {};
}

Result<RingWriter> RingWriter::open(const RingOptions& options) {
  if (Status name = check_ring_name(options.name, ErrorKind::config); !name) {
    return pass_on(name);
  }
  if (options.capacity == 0 || options.capacity > kMaxRingCapacity) {
    return fail(ErrorKind::config, "alert ring " + options.name + ": expected 1 to " +
                                       std::to_string(kMaxRingCapacity) + " records, not " +
                                       std::to_string(options.capacity));
  }
  return RingOpener(options, std::bit_ceil(options.capacity)).open();
}

// The segment is locked and mapped: become its writer. A new segment becomes visible to readers
// with the magic, a former writer's by the epoch.
void RingWriter::take_over() {
  imds_alert_ring_header& header = *reinterpret_cast<imds_alert_ring_header*>(base_);
  at_start_ = last_sequence();
  const std::int64_t now = wall_clock_now().ns;
  epoch_ = std::max(header.writer_epoch + 1, static_cast<std::uint64_t>(now));
  beat();
  __atomic_store_n(&header.writer_pid, static_cast<std::uint32_t>(getpid()), __ATOMIC_RELAXED);
  __atomic_store_n(&header.writer_start_ns, now, __ATOMIC_RELAXED);
  __atomic_store_n(&header.published_at_start, at_start_, __ATOMIC_RELAXED);
  __atomic_store_n(&header.writer_state, std::uint32_t{IMDS_ALERT_WRITER_RUNNING},
                   __ATOMIC_RELAXED);
  __atomic_store_n(&header.writer_epoch, epoch_, __ATOMIC_RELEASE);
  __atomic_store_n(&header.magic, IMDS_ALERT_RING_MAGIC, __ATOMIC_RELEASE);
}

void RingWriter::publish(const SparseRecord& record) {
  publish(record.record, record.lines);
}

void RingWriter::publish(const imds_alert_record& record) {
  publish(record, kAllLines);
}

// Of a slot, only what the record holds and what the one before it left there is written.
void RingWriter::publish(const imds_alert_record& record, RecordLines lines) {
  imds_alert_ring_header& header = *reinterpret_cast<imds_alert_ring_header*>(base_);
  const std::uint64_t number = last_sequence() + 1;
  const std::size_t index = (number - 1) & mask_;
  unsigned char* slot = base_ + kHeaderSize + index * std::size_t{IMDS_ALERT_RECORD_SIZE};

  __atomic_store_n(word(slot), IMDS_ALERT_SEQUENCE_WRITING, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  static_assert(offsetof(imds_alert_record, epoch) == sizeof(std::uint64_t));
  __atomic_store_n(word(slot) + 1, epoch_, __ATOMIC_RELAXED);
  const auto* from = reinterpret_cast<const unsigned char*>(&record);
  copy_words(slot, from, 2 * sizeof(std::uint64_t), kRecordLine);
  for (RecordLines rest = (lines | slot_lines_[index]) & ~RecordLines{1}; rest != 0;
       rest &= rest - 1) {
    const std::size_t begin = static_cast<std::size_t>(std::countr_zero(rest)) * kRecordLine;
    copy_words(slot, from, begin, begin + kRecordLine);
  }
  __atomic_store_n(word(slot), number, __ATOMIC_RELEASE);
  __atomic_store_n(&header.published, number, __ATOMIC_RELEASE);
  slot_lines_[index] = lines;
  prefetch_slot((number + 1) & mask_, lines);
}

// The slot after the next was written a whole ring ago, so it is in no cache. Its record will
// likely be as long as this one.
void RingWriter::prefetch_slot(std::size_t index, RecordLines lines) const {
  const unsigned char* slot = base_ + kHeaderSize + index * std::size_t{IMDS_ALERT_RECORD_SIZE};
  for (RecordLines rest = lines | slot_lines_[index]; rest != 0; rest &= rest - 1) {
    constexpr int kForWriting = 1;
    __builtin_prefetch(slot + static_cast<std::size_t>(std::countr_zero(rest)) * kRecordLine,
                       kForWriting);
  }
}

void RingWriter::beat() {
  __atomic_store_n(&reinterpret_cast<imds_alert_ring_header*>(base_)->heartbeat_ns, monotonic_ns(),
                   __ATOMIC_RELAXED);
}

std::uint64_t RingWriter::last_sequence() const {
  return __atomic_load_n(&reinterpret_cast<const imds_alert_ring_header*>(base_)->published,
                         __ATOMIC_RELAXED);
}

RingWriter::RingWriter(RingWriter&& other) noexcept {
  *this = std::move(other);
}

RingWriter& RingWriter::operator=(RingWriter&& other) noexcept {
  if (this != &other) {
    release();
    fd_ = std::exchange(other.fd_, -1);
    base_ = std::exchange(other.base_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mask_ = other.mask_;
    epoch_ = other.epoch_;
    at_start_ = other.at_start_;
    slot_lines_ = std::move(other.slot_lines_);
  }
  return *this;
}

RingWriter::~RingWriter() {
  release();
}

void RingWriter::release() noexcept {
  if (base_ != nullptr) {
    __atomic_store_n(&reinterpret_cast<imds_alert_ring_header*>(base_)->writer_state,
                     std::uint32_t{IMDS_ALERT_WRITER_STOPPED}, __ATOMIC_RELEASE);
    munmap(base_, size_);
    base_ = nullptr;
  }
  if (fd_ >= 0) {
    close(fd_);
    fd_ = -1;
  }
}

}  // namespace imds::alert
