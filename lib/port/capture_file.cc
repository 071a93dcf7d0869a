#include "capture_file.h"

#include "base/link_type.h"

namespace imds::port {
namespace {

std::string unsupported(const std::string& name, std::uint32_t link_type) {
  return "capture " + name + " has link type " + std::to_string(link_type) +
         ", which is not supported; expected Ethernet, raw IP, Linux cooked, 802.11, PPP or "
         "another that carries IP (the manual lists them)";
}

}  // namespace

Result<std::unique_ptr<CaptureFile>> CaptureFile::open(const std::string& path,
                                                       std::size_t buffer_bytes) {
  std::unique_ptr<CaptureFile> file(new CaptureFile);
  file->name_ = path == "-" ? "standard input" : "'" + path + "'";
  auto stream = CaptureStream::open(path, file->name_, buffer_bytes);
  if (!stream) {
    return pass_on(stream);
  }
  file->stream_ = std::move(*stream);
  if (Status s = file->read_file_header(); !s) {
    return pass_on(s);
  }
  return file;
}

Status CaptureFile::read_file_header() {
  const std::string subject = "capture " + name_;
  std::uint8_t magic[4];
  if (stream_->read(magic) < sizeof magic) {
    return fail(ErrorKind::runtime, subject + " ends inside its file header");
  }
  if (const auto pcap = PcapFormat::from_magic(load_be32(magic))) {
    return read_pcap_header(*pcap);
  }
  if (load_be32(magic) != PcapngFormat::kMagic) {
    return fail(ErrorKind::runtime, subject + " is neither pcap nor pcapng (unknown file format)");
  }
  PcapngFormat pcapng;
  const FormatResult section = pcapng.begin(*stream_);
  switch (section.kind) {
    case FormatResult::Kind::record:
      format_ = std::move(pcapng);
      return {};
    case FormatResult::Kind::damaged:
      return fail(ErrorKind::runtime, subject + " cannot be read: " + section.why);
    default:
      return fail(ErrorKind::runtime, subject + " ends inside its file header");
  }
}

Status CaptureFile::read_pcap_header(PcapFormat format) {
  std::uint8_t rest[PcapFormat::kHeaderSize - 4];
  if (stream_->read(rest) < sizeof rest) {
    return fail(ErrorKind::runtime, "capture " + name_ + " ends inside its file header");
  }
  std::string why;
  if (!format.read_header(rest, why)) {
    return fail(ErrorKind::runtime, "capture " + name_ + " " + why);
  }
  if (!find_link_type(format.link_type())) {
    return fail(ErrorKind::runtime, unsupported(name_, format.link_type()));
  }
  format_ = format;
  return {};
}

Result<bool> CaptureFile::next(CaptureRecord& out) {
  const FormatResult result =
      std::visit([&](auto& format) { return format.next(*stream_, buffer_, out); }, format_);
  if (result.kind == FormatResult::Kind::record) {
    ++packets_;
    decodable_ += find_link_type(out.link_type) ? 1 : 0;
    latest_link_type_ = out.link_type;
    return true;
  }
  if (result.kind == FormatResult::Kind::end) {
    return at_end();
  }
  const std::string after = " after packet " + std::to_string(packets_);
  if (result.kind == FormatResult::Kind::truncated) {
    return fail(ErrorKind::runtime,
                "capture " + name_ + " is truncated: it ends in the middle of a record" + after);
  }
  return fail(ErrorKind::runtime, "capture " + name_ + " is damaged" + after + ": " + result.why);
}

// In pcapng each interface has its link type: packets of one nobody knows are counted, but a file
// that has no others was not inspected at all.
Result<bool> CaptureFile::at_end() const {
  if (packets_ > 0 && decodable_ == 0) {
    return fail(ErrorKind::runtime, unsupported(name_, latest_link_type_));
  }
  return false;
}

}  // namespace imds::port
