// IPv4 and IPv6 datagrams put together again from copied fragments (RFC 791, RFC 815, RFC 8200
// 4.5), in any order.
//
// One per worker, not shared; the counters may be read by anyone. All memory is taken at
// construction, within DefragmenterOptions::memory_bytes; add() never allocates.
//
// Fragments belong together by addresses, identification, VLAN stack and virtual network (or tunnel
// id); IPv4 adds the protocol. The header is the first fragment's, with its lengths made those of
// the whole; the payload is what the fragments say of it.
//
// Bytes that come twice: if equal, nothing happens. If they differ, what the receiver makes of it
// depends on its system, so there are two readings, in which the first and the last to arrive wins.
// For two fragments that overlap, every policy in use (first, last, BSD, BSD-right, Linux) gives
// one of these two. Fragments that name different ends give a reading at each end that is reached.
// Hosts drop overlapping IPv6 fragments (RFC 5722); the inspector reads them like IPv4's.
//
// A datagram stays until its time-out, also when it is complete: duplicates of its fragments are
// then known for what they are, and a late contradiction still gives its second reading. Complete
// ones are the first to go when room is needed, then incomplete ones from the oldest, those of
// interest last. A datagram that goes incomplete is handed to `on_lost`, with the bytes there are
// of it, so that it can be looked at as far as it came. A fragment that cannot be kept is
// `refused`: the caller looks at it alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/counter.h"
#include "base/cursor.h"
#include "base/time.h"
#include "flow/clock.h"
#include "flow/key.h"
#include "flow/memory.h"
#include "flow/table.h"
#include "packet/view.h"

namespace imds::flow {

inline constexpr std::size_t kLongestDatagram = 65535;
// Headers in front of a fragment's data that are kept: IPv4 has 60 bytes at most; IPv6 extension
// headers may be longer, and are refused.
inline constexpr std::size_t kLongestFragmentHeader = 1024;
// Fragments inside a datagram that was itself put together from fragments.
inline constexpr unsigned kMaxFragmentDepth = 4;

// What became of one fragment.
enum class FragmentOutcome : std::uint8_t {
  kept = 0,
  duplicate,        // says nothing new
  conflicting,      // says other bytes than one before it; kept for the second reading
  conflict_unkept,  // the same, without room for a second reading (any more)
  truncated,        // the capture cut it
  empty,            // carries nothing
  oversized,        // reaches beyond 65535 bytes (ping of death)
  header_too_long,
  too_many,   // its datagram has as many fragments as allowed
  too_deep,   // nested in more reassembled datagrams than allowed
  no_memory,  // nothing else could give way
};
inline constexpr std::size_t kFragmentOutcomeCount = 11;

// Metric label value.
[[nodiscard]] std::string_view name(FragmentOutcome outcome);

// The fragment's bytes are not (all) kept: the caller looks at them alone.
[[nodiscard]] constexpr bool is_refused(FragmentOutcome outcome) {
  return outcome > FragmentOutcome::conflicting;
}

struct DefragmenterOptions {
  std::size_t memory_bytes = std::size_t{16} << 20;  // at least kLeastMemory
  std::uint16_t timeout = 30;                        // seconds from the first fragment seen
  std::uint32_t fragments_per_datagram = 1024;
  HashSecret secret{};  // HashSecret::random() unless results must repeat
  MemorySource memory{};
  // An incomplete datagram goes. `fragment` stands for it: addresses, protocol, VLANs, time, ports
  // if they were seen, and for one of interest all else its first fragment told; no payload.
  // `bytes` is what came of it, pieces that are not adjacent parted by a zero byte; where
  // fragments contradicted each other there is a second call with the other reading. Both are
  // valid during the call, which must not call the defragmenter.
  void (*on_lost)(void* context, const packet::PacketView& fragment, ByteSpan bytes,
                  std::uint16_t label) = nullptr;
  void* on_lost_context = nullptr;
};

struct DefragmenterCounters {
  std::array<Counter, kFragmentOutcomeCount> fragments;  // by FragmentOutcome
  Counter waiting;                                       // gauge: incomplete datagrams
  Counter completed;
  Counter second_readings;
  Counter conflicting;     // datagrams with contradicting fragments
  Counter different_ends;  // datagrams whose fragments name more than one end
  Counter oversized;       // complete, but with their header longer than IP allows
  Counter timed_out;       // incomplete
  Counter evicted;         // incomplete, for want of room
  Counter bytes_used;      // gauge, of incomplete datagrams: complete ones only keep what is free
  Counter bytes_capacity;
};

// Where the readings of one datagram are put together.
class ReadingBuffers {
 public:
  ReadingBuffers() : bytes_(2 * kEach) {}
  [[nodiscard]] std::uint8_t* of(unsigned reading) { return &bytes_[reading * kEach]; }

 private:
  static constexpr std::size_t kEach = kLongestFragmentHeader + kLongestDatagram + 1;
  std::vector<std::uint8_t> bytes_;
};

// What add() did. Readings are whole IP datagrams in the caller's ReadingBuffers; empty if there
// is none (new).
struct Added {
  FragmentOutcome outcome = FragmentOutcome::kept;
  bool overlap = false;  // the first contradiction within its datagram
  ByteSpan first;        // what came first wins
  ByteSpan second;       // what came last wins; only with contradictions
};

// One datagram being put together; the Defragmenter's own. Blocks are counted from 1; 0 is none.
struct PartialDatagram {
  using Block = std::uint32_t;
  using Entry = TableEntry<PartialDatagram>;
  static constexpr std::size_t kBlockBytes = 1024;
  static constexpr std::size_t kBlocks = 65536 / kBlockBytes;
  static constexpr std::size_t kShortHeader = 64;
  static constexpr std::size_t kMaxEnds = 4;
  // In the order they give way.
  enum List : std::uint8_t { kDone, kOrdinary, kOfInterest };
  static constexpr std::size_t kLists = 3;

  std::array<Block, kBlocks> blocks{};
  Block second = 0;  // holds the block numbers of the second reading, where it differs
  Block header = 0;  // if longer than kShortHeader
  Block note = 0;    // PacketView of the first fragment seen; only of interest
  Entry* older = nullptr;
  Entry* newer = nullptr;
  Timestamp time;                                 // of the first fragment seen
  std::array<std::uint32_t, kMaxEnds> ends{};     // as named by last fragments, newest last
  std::array<std::uint8_t, kShortHeader> head{};  // the header, if it fits
  std::uint32_t prefix = 0;                       // bytes from the beginning without a hole
  std::uint32_t emitted = 0;                      // length of the longest first reading so far
  std::uint16_t label = 0;
  std::uint16_t header_size = 0;  // 0: the first fragment is not here
  std::uint16_t fragments = 0;
  std::uint16_t block_count = 0;  // all that it holds
  std::uint8_t end_count = 0;
  std::uint8_t protocol = 0;  // the first fragment's, else that of the first seen
  std::uint8_t second_readings = 0;
  List list = kOrdinary;
  bool second_due = false;  // the second reading says something it has not said yet
  bool conflict = false;
  bool overlap_reported = false;
};

// What the caller knows of a fragment beside its view.
struct FragmentContext {
  Seconds now = 0;
  bool of_interest = false;  // touches a watched address
  std::uint8_t depth = 0;    // reassembled datagrams it was found in
  std::uint16_t label = 0;   // the caller's; on_lost gets that of the first fragment seen
};

class Defragmenter {
 public:
  static constexpr std::size_t kLeastMemory = std::size_t{1} << 20;

  // Throws std::bad_alloc if the memory cannot be had.
  explicit Defragmenter(const DefragmenterOptions& options);

  // `fragment` as the decoder left it (is_fragment).
  Added add(const packet::PacketView& fragment, const FragmentContext& context,
            ReadingBuffers& buffers);

  // Looks at the next `budget` datagrams in turn and gives up those out of time.
  void expire(Seconds now, std::uint32_t budget);
  // Gives up all.
  void clear();

  [[nodiscard]] const DefragmenterCounters& counters() const { return counters_; }
  // All memory taken.
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  // Readings in which the last wins, per datagram: each may cost 64 KiB of inspection.
  static constexpr unsigned kMaxSecondReadings = 8;

  using Datagram = PartialDatagram;
  using DatagramTable = Table<Datagram>;
  using Entry = Datagram::Entry;
  using Block = Datagram::Block;
  using List = Datagram::List;
  static constexpr std::size_t kBlock = Datagram::kBlockBytes;

  // How one fragment's bytes fit to what is there.
  struct Fit {
    bool adds = false;       // some bytes are new
    bool conflicts = false;  // some differ from the last that came
  };

  // defragmenter.cc
  [[nodiscard]] FragmentOutcome check(const packet::PacketView& fragment, unsigned depth) const;
  [[nodiscard]] FragmentOutcome keep(Entry& entry, const packet::PacketView& fragment);
  [[nodiscard]] bool keep_header(Entry& entry, const packet::PacketView& fragment);
  [[nodiscard]] Fit fit(const Datagram& datagram, std::size_t offset, ByteSpan bytes) const;
  [[nodiscard]] Fit fit_block(const Datagram& datagram, std::size_t i, std::size_t at,
                              ByteSpan bytes) const;
  [[nodiscard]] bool at_limit(const Datagram& datagram) const;
  void write(Datagram& datagram, std::size_t offset, ByteSpan bytes, bool to_second);
  void write_block(const Datagram& datagram, std::size_t i, std::size_t at, ByteSpan bytes,
                   bool to_second);
  void advance_prefix(Datagram& datagram) const;
  void make_readings(Entry& entry, ReadingBuffers& buffers, Added& added);
  [[nodiscard]] ByteSpan assemble(const Entry& entry, std::uint32_t end, bool second,
                                  std::uint8_t* out);

  // defragmenter_memory.cc
  Entry& entry_for(const packet::PacketView& fragment, const FragmentContext& context);
  void begin(Entry& entry, const packet::PacketView& fragment, const FragmentContext& context);
  void remove(Entry& entry, Counter& counter);
  void on_remove(Entry& entry, Removal why);
  void finish(Entry& entry);
  void release_all(Datagram& datagram);
  void tell_lost(const Entry& entry);
  [[nodiscard]] packet::PacketView stand_in(const Entry& entry) const;
  [[nodiscard]] ByteSpan gather(const Datagram& datagram, bool second);
  [[nodiscard]] bool evict_one(const Entry* but, List up_to);
  [[nodiscard]] Block take(Entry& entry);
  void release(Datagram& datagram, Block& block);
  [[nodiscard]] bool reserve(Entry& entry, std::size_t offset, ByteSpan bytes);
  [[nodiscard]] bool reserve_second(Entry& entry, std::size_t offset, ByteSpan bytes);
  void link(Entry& entry, List list);
  void unlink(Entry& entry);

  [[nodiscard]] std::uint8_t* data(Block block) const {
    return data_ + (std::size_t{block} - 1) * kBlock;
  }
  [[nodiscard]] std::uint64_t* present(Block block) const {
    return present_ + (std::size_t{block} - 1) * (kBlock / 64);
  }
  // The block of the second reading that stands for the first's block i, or 0.
  [[nodiscard]] Block second_block(const Datagram& datagram, std::size_t i) const;

  DefragmenterOptions options_;
  DatagramTable table_;
  OwnedMemory memory_;
  std::uint8_t* data_;
  std::uint64_t* present_;  // bit per byte of a block: it is there
  std::vector<Block> free_;
  std::array<Entry*, Datagram::kLists> oldest_{};
  std::array<Entry*, Datagram::kLists> newest_{};
  std::vector<std::uint8_t> lost_;  // bytes of a datagram that goes
  DefragmenterCounters counters_;
};

}  // namespace imds::flow
