#include "exhibit/writer.h"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "event/kept_packets.h"
#include "evidence_file.h"
#include "exhibit/redaction.h"

namespace imds::exhibit {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPacketsAtOnce = 64;  // of one lane, before the next one's turn
constexpr std::size_t kFlushBytes = 256u << 10;

Error folder_error(const std::string& folder, const std::string& what) {
  return {ErrorKind::environment, "evidence.capture.directory " + folder + ": " + what, {}};
}

// Opened, or what is wrong with it.
Result<int> open_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    const std::string hint = errno == ENOENT ? "; make it, for this user only (mode 0700)" : "";
    return tl::unexpected(folder_error(folder, std::strerror(errno) + hint));
  }
  struct stat facts {};
  std::string wrong;
  if (::fstat(descriptor, &facts) != 0) {
    wrong = std::strerror(errno);
  } else if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    wrong = "others may write in it; take that away (chmod go-w)";
  } else if (facts.st_uid != ::geteuid() && facts.st_uid != 0) {
    wrong = "it belongs to another user; give it to the one the inspector runs as";
  } else if (::faccessat(descriptor, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    wrong = "files cannot be made in it: " + std::string(std::strerror(errno));
  }
  if (!wrong.empty()) {
    (void)::close(descriptor);
    return tl::unexpected(folder_error(folder, wrong));
  }
  return descriptor;
}

// Whether any name in the folder begins so.
bool has_files_of(int folder, const std::string& prefix) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = again >= 0 ? ::fdopendir(again) : nullptr;
  if (entries == nullptr) {
    if (again >= 0) {
      (void)::close(again);
    }
    return false;
  }
  bool found = false;
  while (const dirent* entry = ::readdir(entries)) {
    found = found || std::string_view(entry->d_name).starts_with(prefix);
  }
  (void)::closedir(entries);
  return found;
}

}  // namespace

struct Writer::Track {
  Lane* lane = nullptr;
  unsigned worker = 0;
  EvidenceFile file;
  std::uint32_t number = 0;  // of the file that is open, or was last tried; 0: none yet
  bool failed = false;       // it was given up
  std::uint32_t oldest = 0;  // of this run's that is still there; 0: none
  Clock::time_point retry_at;
};

Result<std::uint32_t> Writer::choose_run(const std::string& folder, std::uint32_t wanted) {
  auto descriptor = open_folder(folder);
  if (!descriptor) {
    return pass_on(descriptor);
  }
  std::uint32_t run = wanted > 0 ? wanted : 1;
  while (has_files_of(*descriptor, event::kept_file_prefix(run))) {
    ++run;
  }
  (void)::close(*descriptor);
  return run;
}

Result<std::unique_ptr<Writer>> Writer::create(Options options, std::vector<Lane*> lanes) {
  auto folder = open_folder(options.folder);
  if (!folder) {
    return pass_on(folder);
  }
  return std::unique_ptr<Writer>(new Writer(std::move(options), std::move(lanes), *folder));
}

Writer::Writer(Options options, std::vector<Lane*> lanes, int folder)
    : options_(std::move(options)), folder_(folder) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    tracks_.push_back(std::make_unique<Track>());
    tracks_.back()->lane = lanes[i];
    tracks_.back()->worker = static_cast<unsigned>(i);
  }
}

Writer::~Writer() {
  (void)::close(folder_);
}

const std::string& Writer::name_of_port(std::uint16_t port) const {
  static const std::string kUnknown;
  return port < options_.port_names.size() ? options_.port_names[port] : kUnknown;
}

std::size_t Writer::poll() {
  std::size_t taken = 0;
  for (const auto& track : tracks_) {
    try_again(*track);
    for (std::size_t i = 0; i < kPacketsAtOnce && !track->lane->ring.front().empty(); ++i) {
      take(*track);
      ++taken;
    }
    if (track->file.waiting() >= kFlushBytes) {
      flush(*track);
    }
  }
  for (const auto& track : tracks_) {
    if (taken == 0 && track->file.waiting() > 0) {
      flush(*track);
    }
  }
  return taken;
}

void Writer::take(Track& track) {
  const std::span<std::uint8_t> record = track.lane->ring.front();
  FrameNote note;
  std::memcpy(&note, record.data(), sizeof note);
  const std::span<std::uint8_t> frame = record.subspan(sizeof note);
  const Redacted redacted =
      redact(frame, note.link, note.original_length, note.flags, options_.decode);
  if (turn_to(track, note.file)) {
    track.file.add(note, frame.first(redacted.size), redacted, name_of_port(note.port));
    counters_.overwritten.add(redacted.overwritten);
    counters_.cut.add(redacted.is_cut ? 1 : 0);
    if (track.file.packets() != note.number) {
      give_up(track, EPROTO, "its packets are not in order");  // a defect
    }
  } else {
    counters_.lost.add();
  }
  track.lane->ring.pop();
}

// Whether packets of that file of the worker can be added now.
bool Writer::turn_to(Track& track, std::uint32_t file) {
  if (track.number == file) {
    return !track.failed;
  }
  flush(track);
  track.file.close();
  track.number = file;
  track.failed = false;
  const std::string name = event::kept_file_name(options_.run, track.worker, file);
  if (const int problem = track.file.create(folder_, name, options_.application); problem != 0) {
    give_up(track, problem, "cannot be made");
    return false;
  }
  counters_.files.add();
  track.oldest = track.oldest == 0 ? file : track.oldest;
  for (; file - track.oldest >= options_.files; ++track.oldest) {
    const std::string old = event::kept_file_name(options_.run, track.worker, track.oldest);
    counters_.deleted.add(::unlinkat(folder_, old.c_str(), 0) == 0 ? 1 : 0);
  }
  return true;
}

void Writer::flush(Track& track) {
  if (!track.file.is_open() || track.file.waiting() == 0) {
    return;
  }
  const std::uint64_t before = track.file.bytes();
  const std::uint32_t packets = track.file.packets_waiting();
  if (const int problem = track.file.flush(); problem != 0) {
    give_up(track, problem, "cannot be written");
    return;
  }
  counters_.packets.add(packets);
  counters_.bytes.add(track.file.bytes() - before);
  reported_ = false;
}

void Writer::give_up(Track& track, int problem, const char* what) {
  counters_.errors.add();
  counters_.lost.add(track.file.packets_waiting());
  track.file.close();
  track.failed = true;
  track.retry_at = Clock::now() + options_.retry;
  track.lane->failed_file.store(track.number, std::memory_order_release);
  track.lane->blocked.store(true, std::memory_order_release);
  if (!std::exchange(reported_, true) && options_.report) {
    options_.report("evidence file " +
                    event::kept_file_name(options_.run, track.worker, track.number) + " " + what +
                    ": " + std::strerror(problem) +
                    "; inspection goes on, packets are not kept for now");
  }
}

void Writer::try_again(Track& track) {
  if (track.lane->blocked.load(std::memory_order_relaxed) && Clock::now() >= track.retry_at) {
    track.lane->blocked.store(false, std::memory_order_release);
  }
}

void Writer::finish() {
  while (poll() > 0) {
  }
  for (const auto& track : tracks_) {
    flush(*track);
    track->file.close();
  }
}

void Writer::run(const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kIdleSleep{5};
  while (!stop.stop_requested()) {
    if (poll() == 0) {
      std::this_thread::sleep_for(kIdleSleep);
    }
  }
  finish();
}

}  // namespace imds::exhibit
