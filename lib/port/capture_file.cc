#include "capture_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "port/packet_meta.h"

namespace imds::port {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// libpcap's DLT_ numbers differ from the LINKTYPE_ numbers in files for raw IP only.
std::optional<std::uint16_t> link_type_of(int dlt) {
  switch (dlt) {
    case DLT_EN10MB:
      return kLinkEthernet;
    case DLT_LINUX_SLL:
      return kLinkLinuxSll;
    case DLT_LINUX_SLL2:
      return kLinkLinuxSll2;
    case 12:  // DLT_RAW of most systems
    case 14:  // DLT_RAW of OpenBSD
    case 101:
    case DLT_IPV4:
    case DLT_IPV6:
      return kLinkRawIp;
    default:
      return std::nullopt;
  }
}

std::string link_type_name(int dlt) {
  const char* name = pcap_datalink_val_to_name(dlt);
  return (name != nullptr ? std::string(name) + " " : std::string()) + "(" + std::to_string(dlt) +
         ")";
}

// A file may claim any time. Kept between 1970 and 2116, so that differences never overflow.
Timestamp to_timestamp(const timeval& nano) {
  constexpr std::int64_t kLastSecond = INT64_MAX / 2 / kNanosPerSecond - 1;
  const auto seconds = std::clamp<std::int64_t>(nano.tv_sec, 0, kLastSecond);
  const auto fraction = std::clamp<std::int64_t>(nano.tv_usec, 0, kNanosPerSecond - 1);
  return {seconds * kNanosPerSecond + fraction};
}

bool is_gzip(std::FILE* stream) {
  std::uint8_t magic[2] = {};
  return std::fseek(stream, 0, SEEK_SET) == 0 && std::fread(magic, 1, 2, stream) == 2 &&
         magic[0] == 0x1f && magic[1] == 0x8b;
}

}  // namespace

Result<std::unique_ptr<CaptureFile>> CaptureFile::open(const std::string& path,
                                                       std::size_t buffer_bytes) {
  std::unique_ptr<CaptureFile> file(new CaptureFile);
  file->name_ = path == "-" ? "standard input" : "'" + path + "'";
  if (Status s = file->open_stream(path, buffer_bytes); !s) {
    return pass_on(s);
  }
  if (Status s = file->open_pcap(); !s) {
    return pass_on(s);
  }
  return file;
}

Status CaptureFile::open_stream(const std::string& path, std::size_t buffer_bytes) {
  stream_.reset(path == "-" ? fdopen(dup(STDIN_FILENO), "rb") : std::fopen(path.c_str(), "rb"));
  if (!stream_) {
    const int error = errno;
    switch (error) {
      case ENOENT:
        return fail(ErrorKind::runtime, "capture " + name_ + " does not exist");
      case EACCES:
        return fail(ErrorKind::runtime, "capture " + name_ +
                                            " cannot be read: permission denied; change its "
                                            "permissions or run as a user who may read it");
      case EMFILE:
        return fail(ErrorKind::runtime, "capture " + name_ +
                                            " cannot be opened: too many open files; raise the "
                                            "limit (ulimit -n)");
      default:
        return fail(ErrorKind::runtime,
                    "capture " + name_ + " cannot be opened: " + std::strerror(error));
    }
  }
  buffer_ = std::make_unique_for_overwrite<char[]>(buffer_bytes);
  std::setvbuf(stream_.get(), buffer_.get(), _IOFBF, buffer_bytes);
  struct stat info = {};
  if (fstat(fileno(stream_.get()), &info) == 0 && S_ISREG(info.st_mode)) {
    regular_ = path != "-";
    size_ = static_cast<std::uint64_t>(info.st_size);
    if (size_ == 0) {
      return fail(ErrorKind::runtime, "capture " + name_ + " is empty: not even a file header");
    }
  }
  return {};
}

Status CaptureFile::open_pcap() {
  char text[PCAP_ERRBUF_SIZE] = {};
  pcap_.reset(
      pcap_fopen_offline_with_tstamp_precision(stream_.get(), PCAP_TSTAMP_PRECISION_NANO, text));
  if (!pcap_) {
    const std::string_view reason(text);
    if (contains(reason, "unknown file format")) {
      if (regular_ && is_gzip(stream_.get())) {
        return fail(ErrorKind::runtime, "capture " + name_ +
                                            " is gzip-compressed: unpack it, or pipe it in with "
                                            "zcat and '-'");
      }
      return fail(ErrorKind::runtime,
                  "capture " + name_ + " is neither pcap nor pcapng (unknown file format)");
    }
    if (contains(reason, "truncated")) {
      return fail(ErrorKind::runtime, "capture " + name_ + " ends inside its file header");
    }
    return fail(ErrorKind::runtime, "capture " + name_ + " cannot be read: " + text);
  }
  (void)stream_.release();  // pcap_close() closes it
  const int dlt = pcap_datalink(pcap_.get());
  const std::optional<std::uint16_t> link_type = link_type_of(dlt);
  if (!link_type) {
    return fail(ErrorKind::runtime,
                "capture " + name_ + " has link type " + link_type_name(dlt) +
                    ", which is not supported; expected Ethernet, Linux cooked v1 or v2, or raw "
                    "IP");
  }
  link_type_ = *link_type;
  return {};
}

Result<bool> CaptureFile::next(CaptureRecord& out) {
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  const int result = pcap_next_ex(pcap_.get(), &header, &data);
  if (result == 1) {
    ++packets_;
    out.bytes = ByteSpan(data, header->caplen);
    out.time = to_timestamp(header->ts);
    out.original_length = std::max(header->len, header->caplen);
    out.link_type = link_type_;
    return true;
  }
  if (result == PCAP_ERROR_BREAK || contains(pcap_geterr(pcap_.get()), std::strerror(EINTR))) {
    return false;
  }
  return tl::unexpected<Error>(describe_read_error());
}

Error CaptureFile::describe_read_error() const {
  const std::string_view reason(pcap_geterr(pcap_.get()));
  const std::string after = " after packet " + std::to_string(packets_);
  std::string message = "capture " + name_;
  if (contains(reason, "truncated")) {
    message += " is truncated: it ends in the middle of a record" + after;
  } else if (contains(reason, "different from the type of the first interface")) {
    message += " holds interfaces of different link types, which cannot be read together (" +
               std::string(reason) + ")" + after +
               "; split it by interface, for example with tshark -Y 'frame.interface_id == 0' -w";
  } else {
    message += " is damaged" + after + ": " + std::string(reason);
  }
  return Error{ErrorKind::runtime, std::move(message), {}};
}

}  // namespace imds::port
