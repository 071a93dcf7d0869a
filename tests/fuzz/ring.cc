// The ring's reader against a segment whose writer is hostile: every size and number in it is
// checked, records handed out are valid, and records passed are read, lost or damaged.
//
// Input: pieces of (offset, bytes) written over a well-formed ring of 16 records.
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "alert/record.h"
#include "alert/ring_reader.h"
#include "alert/ring_writer.h"
#include "fuzz.h"

namespace {

using namespace imds;

const std::string& ring_name() {
  static const std::string name = "/imds-fuzz-" + std::to_string(getpid());
  return name;
}

imds_alert_record sample() {
  event::Finding finding{};
  finding.source.ip = IpAddress::v4(0x0a000001);
  finding.destination.ip = IpAddress::v4(0xa9fea9fe);
  finding.type = event::EventType::connection;
  alert::RecordMaker maker;
  maker.take(finding, {"host", "port"});
  return maker.make({"id", "name", "low", 2}).record;
}

void write_ring(fuzz::Input& input) {
  shm_unlink(ring_name().c_str());
  std::size_t bytes = 0;
  {
    auto writer = alert::RingWriter::open({ring_name(), 16, 0600});
    fuzz::require(writer.has_value(), "the ring can be made");
    static const imds_alert_record record = sample();
    for (unsigned n = input.byte() % 40; n > 0; --n) {
      writer->publish(record);
    }
    bytes = sizeof(imds_alert_ring_header) + std::size_t{16} * IMDS_ALERT_RECORD_SIZE;
  }
  const int fd = shm_open(ring_name().c_str(), O_RDWR, 0);
  fuzz::require(fd >= 0, "the ring can be opened");
  while (!input.empty()) {
    // Half of the pieces go to the header, the rest to a record's first bytes.
    const std::size_t place = input.byte();
    const std::size_t offset =
        place < 128 ? place * 2
                    : sizeof(imds_alert_ring_header) +
                          (place % 16) * std::size_t{IMDS_ALERT_RECORD_SIZE} + input.byte() * 2u;
    const ByteSpan piece = input.bytes(input.byte() % 16 + 1u);
    if (offset + piece.size() <= bytes && !piece.empty()) {
      fuzz::require(pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset)) ==
                        static_cast<ssize_t>(piece.size()),
                    "the ring can be written over");
    }
  }
  close(fd);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  write_ring(input);
  for (const auto from : {alert::RingReader::From::oldest, alert::RingReader::From::newest}) {
    auto reader = alert::RingReader::attach(ring_name(), from);
    if (!reader) {
      continue;
    }
    const std::uint64_t start = reader->cursor();
    imds_alert_record record;
    for (int i = 0; i < 200; ++i) {
      const auto next = reader->next(record);
      if (!next || next->kind == alert::ReadKind::nothing) {
        break;
      }
      if (next->kind == alert::ReadKind::record) {
        fuzz::require(alert::is_valid(record), "records handed out are valid");
      }
    }
    fuzz::require(reader->cursor() - start == reader->read() + reader->lost() + reader->damaged(),
                  "records passed are read, lost or damaged");
    (void)reader->facts();
  }
  shm_unlink(ring_name().c_str());
  return 0;
}
