#include "capture_file.h"

#include <algorithm>

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
  constexpr std::size_t kMagic = 4;
  if (!stream_->have(kMagic)) {
    return fail(ErrorKind::runtime, subject + " ends inside its file header");
  }
  const std::uint32_t magic = load_be32(stream_->buffered().data());
  if (const auto pcap = PcapFormat::from_magic(magic)) {
    return read_pcap_header(*pcap);
  }
  if (magic != PcapngFormat::kMagic) {
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
  if (!stream_->have(PcapFormat::kHeaderSize)) {
    return fail(ErrorKind::runtime, "capture " + name_ + " ends inside its file header");
  }
  std::string why;
  if (!format.read_header(stream_->buffered().data(), why)) {
    return fail(ErrorKind::runtime, "capture " + name_ + " " + why);
  }
  stream_->consume(PcapFormat::kHeaderSize);
  if (!find_link_type(format.link_type())) {
    return fail(ErrorKind::runtime, unsupported(name_, format.link_type()));
  }
  format_ = format;
  return {};
}

Result<std::size_t> CaptureFile::next(std::span<CaptureRecord> out, bool keep) {
  stream_->hold(keep);
  std::size_t count = 0;
  const FormatResult result =
      std::visit([&](auto& format) { return format.next(*stream_, out, count); }, format_);
  if (count == 0) {
    return end_of(result);
  }
  note(out.first(count));
  return count;
}

void CaptureFile::note(std::span<const CaptureRecord> records) {
  packets_ += records.size();
  latest_link_type_ = records.back().link_type;
  decodable_ = decodable_ || std::any_of(records.begin(), records.end(), [](const auto& record) {
                 return find_link_type(record.link_type).has_value();
               });
}

Result<std::size_t> CaptureFile::end_of(const FormatResult& result) const {
  if (stream_->held()) {
    return 0;  // told by the next call that may end the file
  }
  const std::string after = " after packet " + std::to_string(packets_);
  switch (result.kind) {
    case FormatResult::Kind::truncated:
      return fail(ErrorKind::runtime,
                  "capture " + name_ + " is truncated: it ends in the middle of a record" + after);
    case FormatResult::Kind::damaged:
      return fail(ErrorKind::runtime,
                  "capture " + name_ + " is damaged" + after + ": " + result.why);
    case FormatResult::Kind::end:
      // In pcapng each interface has its link type: packets of one nobody knows are counted, but a
      // file that has no others was not inspected at all.
      if (packets_ > 0 && !decodable_) {
        return fail(ErrorKind::runtime, unsupported(name_, latest_link_type_));
      }
      return 0;
    default:
      return 0;
  }
}

}  // namespace imds::port
