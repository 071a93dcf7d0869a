// The capture reader: any file is read to an end or refused with an error; every record is what
// the reader counted, in memory it owns.
#include "port/capture.h"

#include <numeric>

#include "fuzz.h"
#include "temp_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imds;
  const fuzz::TempInput file(ByteSpan(data, size));
  auto reader = port::CaptureReader::open({fuzz::TempInput::path()});
  if (!reader) {
    fuzz::require(!reader.error().message.empty(), "an error says something");
    return 0;
  }
  std::uint64_t packets = 0;
  std::uint64_t sum = 0;
  while (const port::CaptureRecord* record = (*reader)->next()) {
    ++packets;
    fuzz::require(record->original_length >= record->bytes.size(), "no more is here than was sent");
    sum = std::accumulate(record->bytes.begin(), record->bytes.end(), sum);
  }
  fuzz::require((*reader)->progress().packets == packets, "every packet is counted");
  fuzz::require(sum <= packets * 255 * (size + 1), "records are no larger than the file");
  return 0;
}
