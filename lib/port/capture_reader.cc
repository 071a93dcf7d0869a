#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <queue>
#include <set>
#include <span>
#include <sys/stat.h>
#include <utility>

#include "base/counter.h"
#include "base/text.h"
#include "capture_file.h"
#include "port/capture.h"

namespace imds::port {
namespace {

// Read at once from each file: half of what second-level caches hold today. Less when many are open
// together.
constexpr std::size_t kBigBuffer = 512 << 10;
constexpr std::size_t kSmallBuffer = 64 << 10;
constexpr std::size_t kBigBufferFiles = 16;

constexpr std::size_t kRecordsAhead = 64;  // taken from a file's buffer at once

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
  std::unique_ptr<CaptureFile> file;   // closed until its first packet is due, if reopenable
  std::vector<CaptureRecord> records;  // of `file`: those from `at` to `count` come next
  std::size_t at = 0;
  std::size_t count = 0;
  std::uint64_t size = 0;
  std::uint64_t bytes_read = 0;

  [[nodiscard]] bool empty() const { return at == count; }
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
  Input* current = nullptr;  // whose record was returned last; it is not in `due`
  CaptureRecord single;      // of next()
  std::size_t open_files = 0;
  std::vector<Error> errors;
  std::uint64_t bytes_total = 0;  // 0: unknown
  Counter bytes_done;
  Counter packets;
  Counter files_done;

  [[nodiscard]] Status open_input(Input& input, std::size_t buffer_bytes);
  [[nodiscard]] std::size_t buffer_bytes() const;
  [[nodiscard]] bool refill(Input& input, bool keep);
  void close(Input& input);
  void finish(Input& input);
  [[nodiscard]] bool resume(Input& input);
  [[nodiscard]] Status probe(std::size_t index);
  [[nodiscard]] std::size_t read(std::span<CaptureRecord> out, bool keep);
  [[nodiscard]] std::size_t take_due(Input& input, std::span<CaptureRecord> out);
  void count(Input& input, std::span<const CaptureRecord> records);
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
  input.records.resize(kRecordsAhead);
  ++open_files;
  return {};
}

void CaptureReader::Impl::close(Input& input) {
  if (input.file) {
    input.file.reset();
    input.records = {};
    input.at = input.count = 0;
    --open_files;
  }
}

// Reads the input's next packets into its records, which are none; on the end or damage, closes it.
// `keep` as in CaptureReader::next(): then it stays open in any case.
bool CaptureReader::Impl::refill(Input& input, bool keep) {
  const Result<std::size_t> count = input.file->next(input.records, keep);
  input.at = 0;
  input.count = count.value_or(0);
  if (input.count > 0) {
    return true;
  }
  if (keep) {
    return false;
  }
  if (!count) {
    errors.push_back(count.error());
  }
  finish(input);
  return false;
}

void CaptureReader::Impl::finish(Input& input) {
  close(input);
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
  if (!refill(input, false)) {
    return {};  // no packets, or damaged in the first: errors has it
  }
  due.push({input.records[0].time, index});
  if (!only && input.file->reopenable()) {
    close(input);
  }
  return {};
}

// Opens an input whose first packet is due; true when it has a record.
bool CaptureReader::Impl::resume(Input& input) {
  if (input.file) {
    return true;
  }
  if (Status s = open_input(input, buffer_bytes()); !s) {
    errors.push_back(s.error());
    finish(input);
    return false;
  }
  return refill(input, false);
}

void CaptureReader::Impl::count(Input& input, std::span<const CaptureRecord> records) {
  std::uint64_t bytes = 0;
  for (const CaptureRecord& record : records) {
    bytes += record.bytes.size() + kRecordOverhead;
  }
  if (input.size != 0) {
    bytes = std::min(bytes, input.size - input.bytes_read);
    input.bytes_read += bytes;
  }
  bytes_done.add(bytes);
  packets.add(records.size());
}

// Hands out what the input has before the other inputs' next.
std::size_t CaptureReader::Impl::take_due(Input& input, std::span<CaptureRecord> out) {
  const auto index = static_cast<std::size_t>(&input - inputs.data());
  std::size_t n = 0;
  while (n < out.size() && !input.empty() &&
         (due.empty() || !(Due{input.records[input.at].time, index} > due.top()))) {
    out[n++] = input.records[input.at++];
  }
  return n;
}

std::size_t CaptureReader::Impl::read(std::span<CaptureRecord> out, bool keep) {
  std::size_t n = 0;
  while (n < out.size()) {
    if (current == nullptr) {
      if (due.empty()) {
        break;
      }
      Input& input = inputs[due.top().input];
      due.pop();
      current = resume(input) ? &input : nullptr;
      continue;
    }
    Input& input = *current;
    if (!input.empty()) {
      const std::size_t taken = take_due(input, out.subspan(n));
      if (taken == 0) {
        due.push({input.records[input.at].time, static_cast<std::size_t>(&input - inputs.data())});
        current = nullptr;
      }
      count(input, out.subspan(n, taken));
      n += taken;
      continue;
    }
    const bool held = keep || n > 0;
    if (!refill(input, held)) {
      if (held) {
        break;
      }
      current = nullptr;
    }
  }
  return n;
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
  return impl_->read({&impl_->single, 1}, false) == 1 ? &impl_->single : nullptr;
}

std::size_t CaptureReader::next(std::span<CaptureRecord> out, bool keep) {
  return impl_->read(out, keep);
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
