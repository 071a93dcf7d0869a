#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <queue>
#include <set>
#include <sys/stat.h>
#include <utility>

#include "base/counter.h"
#include "base/text.h"
#include "capture_file.h"
#include "port/capture.h"

namespace imds::port {
namespace {

// Read-ahead per open file; less when many are open together.
constexpr std::size_t kBigBuffer = 1 << 20;
constexpr std::size_t kSmallBuffer = 64 << 10;
constexpr std::size_t kBigBufferFiles = 16;

// A path of the command line, or a file of a folder given there.
struct Found {
  std::string path;
  bool in_folder = false;
};

constexpr std::uint64_t kRecordOverhead = 16;  // pcap's record header; pcapng's is a little more

bool has_capture_suffix(const std::filesystem::path& path) {
  const std::string suffix = path.extension().string();
  if (iequals(suffix, ".gz")) {
    return has_capture_suffix(path.stem());
  }
  return iequals(suffix, ".pcap") || iequals(suffix, ".pcapng") || iequals(suffix, ".cap");
}

Result<std::vector<std::string>> files_in_folder(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (has_capture_suffix(it->path()) && !it->is_directory(ignored)) {
      files.push_back(it->path().string());
    }
  }
  if (error) {
    return fail(ErrorKind::runtime, "folder '" + folder + "' cannot be read: " + error.message());
  }
  if (files.empty()) {
    return fail(ErrorKind::runtime, "folder '" + folder +
                                        "' holds no capture (*.pcap, *.pcapng or *.cap, also "
                                        "with .gz; folders inside it are not searched)");
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Files in the order given; folders replaced by what they hold. The same file twice would show
// every packet twice, so it is refused.
Result<std::vector<Found>> expand(const std::vector<std::string>& paths) {
  std::vector<Found> files;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path != "-" && std::filesystem::is_directory(path, ignored)) {
      auto found = files_in_folder(path);
      if (!found) {
        return pass_on(found);
      }
      for (std::string& file : *found) {
        files.push_back({std::move(file), true});
      }
    } else {
      files.push_back({path, false});
    }
  }
  std::set<std::pair<dev_t, ino_t>> seen;
  bool stdin_seen = false;
  for (const Found& found : files) {
    const std::string& file = found.path;
    struct stat info = {};
    bool twice = false;
    if (file == "-") {
      twice = std::exchange(stdin_seen, true);
    } else if (stat(file.c_str(), &info) == 0) {
      twice = !seen.emplace(info.st_dev, info.st_ino).second;
    }
    if (twice) {
      return fail(ErrorKind::usage, "capture '" + file + "' is given twice");
    }
  }
  return files;
}

struct Input {
  std::string path;
  std::unique_ptr<CaptureFile> file;  // closed until its first packet is due, if reopenable
  CaptureRecord record;               // of `file`, when open
  std::uint64_t size = 0;
  std::uint64_t bytes_read = 0;
};

// Earlier time first; at the same time, the order in which the files were given.
struct Due {
  Timestamp time;
  std::size_t input;
  friend bool operator>(const Due& a, const Due& b) {
    return std::pair(a.time, a.input) > std::pair(b.time, b.input);
  }
};

}  // namespace

struct CaptureReader::Impl {
  std::vector<Input> inputs;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  Input* current = nullptr;  // whose record was returned last
  std::size_t open_files = 0;
  std::vector<Error> errors;
  std::uint64_t bytes_total = 0;  // 0: unknown
  Counter bytes_done;
  Counter packets;
  Counter files_done;

  [[nodiscard]] Status open_input(Input& input, std::size_t buffer_bytes);
  [[nodiscard]] std::size_t buffer_bytes() const;
  [[nodiscard]] bool advance(Input& input);
  void finish(Input& input);
  [[nodiscard]] bool resume(Input& input);
  [[nodiscard]] Status probe(std::size_t index);
  [[nodiscard]] const CaptureRecord* deliver(Input& input);
};

std::size_t CaptureReader::Impl::buffer_bytes() const {
  return open_files < kBigBufferFiles ? kBigBuffer : kSmallBuffer;
}

Status CaptureReader::Impl::open_input(Input& input, std::size_t buffer_bytes) {
  if (open_files >= kMaxOpenCaptures) {
    return fail(ErrorKind::runtime, "capture '" + input.path + "' cannot be opened: more than " +
                                        std::to_string(kMaxOpenCaptures) +
                                        " captures overlap in time; merge them first (mergecap)");
  }
  auto file = CaptureFile::open(input.path, buffer_bytes);
  if (!file) {
    return pass_on(file);
  }
  input.file = std::move(*file);
  ++open_files;
  return {};
}

// Reads the input's next packet into its record; on the end or damage, closes it.
bool CaptureReader::Impl::advance(Input& input) {
  const Result<bool> more = input.file->next(input.record);
  if (more && *more) {
    return true;
  }
  if (!more) {
    errors.push_back(more.error());
  }
  finish(input);
  return false;
}

void CaptureReader::Impl::finish(Input& input) {
  if (input.file) {
    input.file.reset();
    --open_files;
  }
  if (input.size > input.bytes_read) {
    bytes_done.add(input.size - input.bytes_read);
    input.bytes_read = input.size;
  }
  files_done.add();
}

// At open(): format, link type and the time of the first packet.
Status CaptureReader::Impl::probe(std::size_t index) {
  Input& input = inputs[index];
  const bool only = inputs.size() == 1;
  if (Status s = open_input(input, only ? kBigBuffer : kSmallBuffer); !s) {
    return s;
  }
  input.size = input.file->size();
  if (!advance(input)) {
    return {};  // no packets, or damaged in the first: errors has it
  }
  due.push({input.record.time, index});
  if (!only && input.file->reopenable()) {
    input.file.reset();
    --open_files;
  }
  return {};
}

// Opens an input whose first packet is due; true when its record is there.
bool CaptureReader::Impl::resume(Input& input) {
  if (input.file) {
    return true;
  }
  if (Status s = open_input(input, buffer_bytes()); !s) {
    errors.push_back(s.error());
    finish(input);
    return false;
  }
  return advance(input);
}

const CaptureRecord* CaptureReader::Impl::deliver(Input& input) {
  const std::uint64_t bytes = input.record.bytes.size() + kRecordOverhead;
  if (input.size != 0) {
    const std::uint64_t counted = std::min(bytes, input.size - input.bytes_read);
    input.bytes_read += counted;
    bytes_done.add(counted);
  } else {
    bytes_done.add(bytes);
  }
  packets.add();
  return &input.record;
}

Result<std::unique_ptr<CaptureReader>> CaptureReader::open(const std::vector<std::string>& paths) {
  auto files = expand(paths);
  if (!files) {
    return pass_on(files);
  }
  auto impl = std::make_unique<Impl>();
  impl->inputs.resize(files->size());
  bool total_known = true;
  for (std::size_t i = 0; i < files->size(); ++i) {
    impl->inputs[i].path = (*files)[i].path;
    if (Status s = impl->probe(i); !s) {
      if (!(*files)[i].in_folder) {
        return pass_on(s);
      }
      impl->errors.push_back(s.error());  // one bad file does not keep a folder from being read
      impl->finish(impl->inputs[i]);
      continue;
    }
    impl->bytes_total += impl->inputs[i].size;
    total_known = total_known && impl->inputs[i].size != 0;
  }
  if (!total_known) {
    impl->bytes_total = 0;
  }
  return std::unique_ptr<CaptureReader>(new CaptureReader(std::move(impl)));
}

CaptureReader::CaptureReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CaptureReader::~CaptureReader() = default;

const CaptureRecord* CaptureReader::next() {
  Impl& r = *impl_;
  if (r.current != nullptr) {
    Input& input = *std::exchange(r.current, nullptr);
    if (r.advance(input)) {
      const Due again{input.record.time, static_cast<std::size_t>(&input - r.inputs.data())};
      if (r.due.empty() || !(again > r.due.top())) {
        r.current = &input;
        return r.deliver(input);
      }
      r.due.push(again);
    }
  }
  while (!r.due.empty()) {
    Input& input = r.inputs[r.due.top().input];
    r.due.pop();
    if (r.resume(input)) {
      r.current = &input;
      return r.deliver(input);
    }
  }
  return nullptr;
}

bool CaptureReader::is_stream() const {
  return std::any_of(impl_->inputs.begin(), impl_->inputs.end(),
                     [](const Input& input) { return input.size == 0; });
}

const std::vector<Error>& CaptureReader::errors() const {
  return impl_->errors;
}

CaptureProgress CaptureReader::progress() const {
  return {.bytes_done = impl_->bytes_done.get(),
          .bytes_total = impl_->bytes_total,
          .packets = impl_->packets.get(),
          .files_done = static_cast<std::size_t>(impl_->files_done.get()),
          .files_total = impl_->inputs.size()};
}

}  // namespace imds::port
