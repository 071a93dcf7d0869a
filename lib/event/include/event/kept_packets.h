// Where the packets of an alerted exchange are kept: a file of evidence, and their numbers in it as
// every reader of captures counts them, from 1. Plain data; it travels from a worker in findings.
//
// Files are named after the run that made them, the worker, and their number among that worker's,
// so that a record of fixed size can name one. Names never change once released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace imds::event {

struct KeptPackets {
  std::uint32_t run = 0;     // seconds since the Unix epoch when the run began; 0: nothing is kept
  std::uint32_t file = 0;    // of the worker, from 1
  std::uint32_t last = 0;    // number of the exchange's last packet so far
  bool completes = false;    // that packet completed the event
  std::uint64_t before = 0;  // bit i: packet last - 1 - i is of the exchange, too

  [[nodiscard]] bool is_set() const { return run != 0 && file != 0 && last != 0; }
  // Another packet of the exchange, behind the last one. In another file it begins anew.
  void note(std::uint32_t in_file, std::uint32_t number);

  friend bool operator==(const KeptPackets&, const KeptPackets&) = default;
};

inline constexpr std::size_t kMostKeptNumbers = 65;

// "imds-20251008T120000Z-w0-000001.pcapng"
[[nodiscard]] std::string kept_file_name(std::uint32_t run, unsigned worker, std::uint32_t file);
// What all names of a run begin with: "imds-20251008T120000Z-w".
[[nodiscard]] std::string kept_file_prefix(std::uint32_t run);

// Ascending, at most kMostKeptNumbers: of a longer exchange its last packets in the file.
[[nodiscard]] std::vector<std::uint32_t> kept_numbers(const KeptPackets& kept);

}  // namespace imds::event
