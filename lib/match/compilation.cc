#include "match/compilation.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <hs.h>

#include "match/database.h"

namespace imds::match {
namespace {

constexpr std::string_view kMagic = "IMDSHSDB";
constexpr std::uint64_t kFormat = 1;
constexpr std::string_view kNameBegin = "imds-";
constexpr std::string_view kNameEnd = ".hsdb";
constexpr std::size_t kLargestFile = std::size_t{1} << 30;

// The header: magic, then these in the machine's byte order, as the file never leaves it.
struct Sizes {
  std::uint64_t key = 0;
  std::uint64_t database = 0;
  std::uint64_t checksum = 0;  // of key and database
};
constexpr std::size_t kHeaderBytes = kMagic.size() + sizeof(Sizes);

// FNV-1a. Against accidents only; that a file is the right one, its key tells.
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211u;
  }
  return hash;
}

void add_number(std::string& out, std::uint64_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void add_text(std::string& out, std::string_view text) {
  add_number(out, text.size());
  out += text;
}

// All that decides what a compilation results in.
std::string key_of(std::span<const Pattern> patterns) {
  std::string key;
  add_number(key, kFormat);
  add_text(key, hs_version());
  hs_platform_info_t platform{};
  (void)hs_populate_platform(&platform);
  add_number(key, platform.tune);
  add_number(key, platform.cpu_features);
  add_number(key, patterns.size());
  for (const Pattern& pattern : patterns) {
    add_number(key, pattern.id);
    add_number(key, static_cast<std::uint64_t>(pattern.syntax));
    add_number(key, pattern.flags);
    add_text(key, pattern.text);
  }
  return key;
}

std::string name_of(const std::string& key) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name(kNameBegin);
  const std::uint64_t hash = checksum(key);
  for (int shift = 60; shift >= 0; shift -= 4) {
    name += kHex[(hash >> shift) & 0x0f];
  }
  return name.append(kNameEnd);
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

bool read_all(int fd, std::string& out) {
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t got = ::read(fd, out.data() + done, out.size() - done);
    if (got <= 0) {
      return false;
    }
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace

Compilation::Compilation(CompilationOptions options) : options_(std::move(options)) {
  if (!options_.cache_folder.empty()) {
    open_folder();
  }
}

Compilation::~Compilation() {
  if (folder_ >= 0) {
    close(folder_);
  }
}

void Compilation::note(const std::string& file, const std::string& what) {
  const std::string separator = file.empty() ? "" : "/";
  notes_.push_back("compile cache " + options_.cache_folder + separator + file + ": " + what);
}

void Compilation::open_folder() {
  const char* const path = options_.cache_folder.c_str();
  (void)mkdir(path, 0700);  // whether it is there now, open() tells
  folder_ = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) {
    note("", std::string("not used: ") + std::strerror(errno));
    return;
  }
  struct stat about {};
  const bool known = fstat(folder_, &about) == 0;
  if (!known || about.st_uid != geteuid() || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    note("", "not used: it must belong to the inspector's user, and nobody else may write to it");
    close(folder_);
    folder_ = -1;
  }
}

Status Compilation::admit(std::span<const Pattern> patterns) {
  patterns_ += patterns.size();
  for (const Pattern& pattern : patterns) {
    pattern_bytes_ += pattern.text.size();
  }
  if (patterns_ > options_.patterns_max) {
    return fail(ErrorKind::config, "the rules make more than " +
                                       std::to_string(options_.patterns_max) +
                                       " strings and expressions to search for: load fewer rules");
  }
  if (pattern_bytes_ > options_.pattern_bytes_max) {
    return fail(ErrorKind::config, "the rules' strings and expressions are longer than " +
                                       std::to_string(options_.pattern_bytes_max) +
                                       " bytes in all: load fewer rules, or shorten their values");
  }
  return options_.deadline.check("compiling the rules");
}

// The file's contents, if it is there and nobody else can have written it.
std::optional<std::string> Compilation::read(const std::string& name) {
  const File file(openat(folder_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (file.fd() < 0) {
    if (errno != ENOENT) {
      note(name, std::string("ignored: ") + std::strerror(errno));
    }
    return std::nullopt;
  }
  struct stat about {};
  if (fstat(file.fd(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_uid != geteuid() ||
      (about.st_mode & 0077) != 0) {
    note(name, "ignored: not a file of the inspector's user with permissions 0600");
    return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size < kHeaderBytes || size > kLargestFile) {
    note(name, "ignored: damaged (its size)");
    return std::nullopt;
  }
  std::string bytes(size, '\0');
  if (!read_all(file.fd(), bytes)) {
    note(name, "ignored: it cannot be read");
    return std::nullopt;
  }
  (void)futimens(file.fd(), nullptr);  // tidy() goes by the last use
  return bytes;
}

hs_database* Compilation::load(std::span<const Pattern> patterns) {
  if (folder_ < 0) {
    return nullptr;
  }
  const std::string key = key_of(patterns);
  const std::string name = name_of(key);
  const auto bytes = read(name);
  if (!bytes) {
    return nullptr;
  }
  const std::string_view all = *bytes;
  Sizes sizes;
  std::memcpy(&sizes, &all[kMagic.size()], sizeof sizes);
  const std::string_view body = all.substr(kHeaderBytes);
  if (!all.starts_with(kMagic) || sizes.key > body.size() ||
      sizes.database != body.size() - sizes.key || sizes.checksum != checksum(body)) {
    note(name, "ignored: damaged");
    return nullptr;
  }
  if (body.substr(0, sizes.key) != key) {
    note(name, "ignored: of other rules, another CPU or another version");
    return nullptr;
  }
  const std::string_view serialized = body.substr(sizes.key);
  hs_database_t* database = nullptr;
  if (const hs_error_t error =
          hs_deserialize_database(serialized.data(), serialized.size(), &database);
      error != HS_SUCCESS) {
    note(name, "ignored: the library refuses it (error " + std::to_string(error) + ")");
    return nullptr;
  }
  ++from_cache_;
  return database;
}

void Compilation::keep(std::span<const Pattern> patterns, const hs_database* database) {
  ++compiled_;
  if (folder_ < 0) {
    return;
  }
  const std::string key = key_of(patterns);
  const std::string name = name_of(key);
  char* serialized = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database, &serialized, &size) != HS_SUCCESS) {
    note(name, "not kept: no memory");
    return;
  }
  std::string body = key;
  body.append(serialized, size);
  std::free(serialized);  // the library allocates with malloc unless it was told otherwise
  const Sizes sizes{key.size(), size, checksum(body)};
  std::string header(kMagic);
  header.append(reinterpret_cast<const char*>(&sizes), sizeof sizes);
  // Under another name until it is whole: others may read, or we may be ended, at any moment.
  const std::string partial = name + '.' + std::to_string(getpid());
  (void)unlinkat(folder_, partial.c_str(), 0);
  bool done = false;
  {
    const File file(openat(folder_, partial.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    done = file.fd() >= 0 && fchmod(file.fd(), 0600) == 0 && write_all(file.fd(), header) &&
           write_all(file.fd(), body);
  }
  if (!done || renameat(folder_, partial.c_str(), folder_, name.c_str()) != 0) {
    note(name, std::string("not kept: ") + std::strerror(errno));
    (void)unlinkat(folder_, partial.c_str(), 0);
  }
}

void Compilation::tidy() {
  if (folder_ < 0) {
    return;
  }
  DIR* const listing = fdopendir(openat(folder_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (listing == nullptr) {
    return;
  }
  std::vector<std::pair<std::int64_t, std::string>> files;  // by last use
  while (const dirent* entry = readdir(listing)) {
    const std::string name = entry->d_name;
    struct stat about {};
    if (name.starts_with(kNameBegin) && name.find(kNameEnd) != std::string::npos &&
        fstatat(folder_, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0) {
      constexpr std::int64_t kNanos = 1'000'000'000;
      files.emplace_back(about.st_mtim.tv_sec * kNanos + about.st_mtim.tv_nsec, name);
    }
  }
  closedir(listing);
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i + kFilesMax < files.size(); ++i) {
    (void)unlinkat(folder_, files[i].second.c_str(), 0);
  }
}

}  // namespace imds::match
