// The capture reader: any file is read to an end or refused with an error; every record is what
// the reader counted, in memory it owns. Read many at a time the file gives the same.
#include "port/capture.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include "fuzz.h"
#include "temp_input.h"

namespace {

using namespace imds;

struct Seen {
  std::uint64_t packets = 0;
  std::uint64_t sum = 0;
  std::uint64_t order = 0;  // a digest of times and lengths

  void add(const port::CaptureRecord& record) {
    fuzz::require(record.original_length >= record.bytes.size(), "no more is here than was sent");
    ++packets;
    sum = std::accumulate(record.bytes.begin(), record.bytes.end(), sum);
    order = order * 1099511628211u + static_cast<std::uint64_t>(record.time.ns) +
            record.bytes.size() + record.original_length + record.link_type;
  }
  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen read_one_by_one(port::CaptureReader& reader) {
  Seen seen;
  while (const port::CaptureRecord* record = reader.next()) {
    seen.add(*record);
  }
  return seen;
}

// Looks at records only when the reader has been asked for more that must not touch them.
Seen read_many(port::CaptureReader& reader) {
  Seen seen;
  std::array<port::CaptureRecord, 7> records;
  while (std::size_t count = reader.next(std::span(records).first(3), false)) {
    count += reader.next(std::span(records).subspan(count), true);
    count += reader.next(std::span(records).subspan(count), true);
    std::for_each_n(records.begin(), count, [&](const auto& record) { seen.add(record); });
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::TempInput file(ByteSpan(data, size));
  auto reader = port::CaptureReader::open({fuzz::TempInput::path()});
  if (!reader) {
    fuzz::require(!reader.error().message.empty(), "an error says something");
    return 0;
  }
  const Seen seen = read_one_by_one(**reader);
  fuzz::require((*reader)->progress().packets == seen.packets, "every packet is counted");
  fuzz::require(seen.sum <= seen.packets * 255 * (size + 1), "records are no larger than the file");

  auto again = port::CaptureReader::open({fuzz::TempInput::path()});
  fuzz::require(again.has_value(), "what could be opened can be opened again");
  fuzz::require(read_many(**again) == seen, "many at a time are the same as one by one");
  fuzz::require((*again)->errors().size() == (*reader)->errors().size(), "and end the same way");
  return 0;
}
