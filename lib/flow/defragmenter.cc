#include "flow/defragmenter.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace imds::flow {

namespace {

constexpr std::size_t kBlock = PartialDatagram::kBlockBytes;
constexpr std::size_t kWord = 64;  // bytes one word of a presence map speaks of
constexpr std::size_t kIpv6Size = 40;
constexpr std::uint8_t kFragmentHeader = 44;
constexpr std::uint8_t kAuthentication = 51;

// act(block, offset in it, bytes) for each block that `bytes` at `offset` of a datagram touch.
template <class Act>
void for_blocks(std::size_t offset, ByteSpan bytes, Act&& act) {
  while (!bytes.empty()) {
    const std::size_t at = offset % kBlock;
    const std::size_t size = std::min(bytes.size(), kBlock - at);
    act(offset / kBlock, at, bytes.first(size));
    offset += size;
    bytes = bytes.subspan(size);
  }
}

// act(word, its bits, offset in the block, bytes) for each word of a block's presence map.
template <class Act>
void for_words(std::size_t at, ByteSpan bytes, Act&& act) {
  while (!bytes.empty()) {
    const std::size_t bit = at % kWord;
    const std::size_t size = std::min(bytes.size(), kWord - bit);
    const std::uint64_t ones = size == kWord ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
    act(at / kWord, ones << bit, at, bytes.first(size));
    at += size;
    bytes = bytes.subspan(size);
  }
}

std::uint16_t ipv4_checksum(const std::uint8_t* header, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    sum += load_be16(header + i);
  }
  while ((sum >> 16) != 0) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

// Makes the header one of a whole datagram of `total` bytes. A length that does not fit its field
// becomes 0, which decoders take as "to the end".
void finish_ipv4(std::uint8_t* header, std::size_t header_size, std::size_t total) {
  store_be16(header + 2, total > kLongestDatagram ? 0 : static_cast<std::uint16_t>(total));
  store_be16(header + 6, 0);
  store_be16(header + 10, 0);
  store_be16(header + 10, ipv4_checksum(header, header_size));
}

// The field that named the fragment header now names what follows it.
void finish_ipv6(std::uint8_t* header, std::size_t header_size, std::size_t total,
                 std::uint8_t protocol) {
  const std::size_t payload = total - kIpv6Size;
  store_be16(header + 4, payload > kLongestDatagram ? 0 : static_cast<std::uint16_t>(payload));
  std::size_t field = 6;
  std::size_t at = kIpv6Size;
  while (at + 2 <= header_size) {
    const std::uint8_t type = header[field];
    field = at;
    at += type == kFragmentHeader   ? 8
          : type == kAuthentication ? (std::size_t{header[at + 1]} + 2) * 4
                                    : (std::size_t{header[at + 1]} + 1) * 8;
  }
  header[field] = protocol;
}

// The longest named end within `prefix`, and of the ends within it the one named last.
struct ReachedEnds {
  std::uint32_t longest = 0;
  std::uint32_t newest = 0;
};

ReachedEnds reached_ends(const PartialDatagram& datagram) {
  ReachedEnds reached;
  for (std::size_t i = 0; i < datagram.end_count; ++i) {
    if (datagram.ends[i] <= datagram.prefix) {
      reached.longest = std::max(reached.longest, datagram.ends[i]);
      reached.newest = datagram.ends[i];
    }
  }
  return reached;
}

enum class EndNote : std::uint8_t { known, added, no_room };

EndNote note_end(PartialDatagram& datagram, std::uint32_t end) {
  const auto begin = datagram.ends.begin();
  const auto stop = begin + datagram.end_count;
  if (const auto known = std::find(begin, stop, end); known != stop) {
    std::rotate(known, known + 1, stop);
    return EndNote::known;
  }
  if (datagram.end_count == PartialDatagram::kMaxEnds) {
    return EndNote::no_room;
  }
  datagram.ends[datagram.end_count++] = end;
  return EndNote::added;
}

}  // namespace

std::string_view name(FragmentOutcome outcome) {
  static constexpr std::array<std::string_view, kFragmentOutcomeCount> kNames = {
      "kept",      "duplicate",       "conflicting", "conflict_unkept", "truncated", "empty",
      "oversized", "header_too_long", "too_many",    "too_deep",        "no_memory"};
  return kNames[static_cast<std::size_t>(outcome)];
}

Added Defragmenter::add(const packet::PacketView& fragment, const FragmentContext& context,
                        ReadingBuffers& buffers) {
  Added added;
  added.outcome = check(fragment, context.depth);
  if (!is_refused(added.outcome)) {
    Entry& entry = entry_for(fragment, context);
    const bool disagreed = entry.state.conflict;
    added.outcome = keep(entry, fragment);
    Datagram& datagram = entry.state;
    if (datagram.conflict && !disagreed) {
      counters_.conflicting.add();
    }
    // A complete datagram's identification may soon be used again (RFC 6864), which is no attempt
    // to deceive.
    if (datagram.conflict && !datagram.overlap_reported &&
        (datagram.list != Datagram::kDone || context.of_interest)) {
      datagram.overlap_reported = true;
      added.overlap = true;
    }
    make_readings(entry, buffers, added);
  }
  counters_.fragments[static_cast<std::size_t>(added.outcome)].add();
  return added;
}

FragmentOutcome Defragmenter::check(const packet::PacketView& fragment, unsigned depth) const {
  using enum FragmentOutcome;
  if (fragment.payload.size() < fragment.payload_length) {
    return truncated;
  }
  if (fragment.payload.empty()) {
    return empty;
  }
  if (fragment.fragment.offset + fragment.payload.size() > kLongestDatagram) {
    return oversized;
  }
  const std::size_t header_size = fragment.fragment.header_size;
  if (fragment.fragment.offset == 0 &&
      (header_size > kLongestFragmentHeader || header_size > fragment.network.size())) {
    return header_too_long;
  }
  return depth < kMaxFragmentDepth ? kept : too_deep;
}

FragmentOutcome Defragmenter::keep(Entry& entry, const packet::PacketView& fragment) {
  using enum FragmentOutcome;
  Datagram& datagram = entry.state;
  const std::size_t offset = fragment.fragment.offset;
  const ByteSpan bytes = fragment.payload;
  const auto end = static_cast<std::uint32_t>(offset + bytes.size());
  const Fit how = fit(datagram, offset, bytes);
  const EndNote named = fragment.fragment.more ? EndNote::known : note_end(datagram, end);
  if (!how.adds && !how.conflicts && named == EndNote::known) {
    return duplicate;
  }
  if (datagram.fragments >= options_.fragments_per_datagram) {
    return too_many;
  }
  if (!reserve(entry, offset, bytes) || (offset == 0 && !keep_header(entry, fragment))) {
    return no_memory;
  }
  ++datagram.fragments;
  if (named != EndNote::known && datagram.end_count > 1) {
    if (datagram.end_count == 2 && named == EndNote::added) {
      counters_.different_ends.add();
    }
    datagram.conflict = true;
  }
  const bool to_second = how.conflicts && datagram.second_readings < kMaxSecondReadings &&
                         reserve_second(entry, offset, bytes);
  datagram.conflict = datagram.conflict || how.conflicts;
  datagram.second_due = datagram.second_due || to_second;
  write(datagram, offset, bytes, to_second);
  advance_prefix(datagram);
  if ((how.conflicts && !to_second) || named == EndNote::no_room) {
    return conflict_unkept;
  }
  return how.conflicts ? conflicting : kept;
}

// Of several first fragments the first counts.
bool Defragmenter::keep_header(Entry& entry, const packet::PacketView& fragment) {
  Datagram& datagram = entry.state;
  const std::uint16_t size = fragment.fragment.header_size;
  if (datagram.header_size != 0) {
    return true;
  }
  std::uint8_t* to = datagram.head.data();
  if (size > Datagram::kShortHeader) {
    datagram.header = take(entry);
    if (datagram.header == 0) {
      return false;
    }
    to = data(datagram.header);
  }
  std::memcpy(to, fragment.network.data(), size);
  datagram.header_size = size;
  datagram.protocol = fragment.protocol;
  return true;
}

bool Defragmenter::at_limit(const Datagram& datagram) const {
  return datagram.fragments >= options_.fragments_per_datagram ||
         datagram.second_readings >= kMaxSecondReadings || datagram.end_count == Datagram::kMaxEnds;
}

Defragmenter::Fit Defragmenter::fit(const Datagram& datagram, std::size_t offset,
                                    ByteSpan bytes) const {
  Fit whole;
  for_blocks(offset, bytes, [&](std::size_t i, std::size_t at, ByteSpan piece) {
    const Fit part = fit_block(datagram, i, at, piece);
    whole.adds = whole.adds || part.adds;
    whole.conflicts = whole.conflicts || part.conflicts;
  });
  return whole;
}

// Against the bytes that came last.
Defragmenter::Fit Defragmenter::fit_block(const Datagram& datagram, std::size_t i, std::size_t at,
                                          ByteSpan bytes) const {
  const Block base = datagram.blocks[i];
  if (base == 0) {
    return {.adds = true};
  }
  const Block second = second_block(datagram, i);
  const std::uint8_t* last = data(second != 0 ? second : base);
  Fit fit;
  for_words(at, bytes, [&](std::size_t word, std::uint64_t bits, std::size_t from, ByteSpan piece) {
    const std::uint64_t here = present(base)[word] & bits;
    fit.adds = fit.adds || here != bits;
    if (here == bits) {
      fit.conflicts = fit.conflicts || std::memcmp(last + from, piece.data(), piece.size()) != 0;
      return;
    }
    for (std::size_t k = 0; here != 0 && k < piece.size(); ++k) {
      const bool is_here = ((here >> ((from + k) % kWord)) & 1) != 0;
      fit.conflicts = fit.conflicts || (is_here && last[from + k] != piece[k]);
    }
  });
  return fit;
}

void Defragmenter::write(Datagram& datagram, std::size_t offset, ByteSpan bytes, bool to_second) {
  for_blocks(offset, bytes, [&](std::size_t i, std::size_t at, ByteSpan piece) {
    write_block(datagram, i, at, piece, to_second);
  });
}

// New bytes count in both readings; bytes that were there already only in the second.
void Defragmenter::write_block(const Datagram& datagram, std::size_t i, std::size_t at,
                               ByteSpan bytes, bool to_second) {
  const Block base = datagram.blocks[i];
  const Block second = second_block(datagram, i);
  std::uint8_t* first_bytes = data(base);
  std::uint8_t* second_bytes = second != 0 ? data(second) : nullptr;
  for_words(at, bytes, [&](std::size_t word, std::uint64_t bits, std::size_t from, ByteSpan piece) {
    const std::uint64_t here = present(base)[word] & bits;
    present(base)[word] |= bits;
    if (here == 0) {
      std::memcpy(first_bytes + from, piece.data(), piece.size());
      if (second_bytes != nullptr) {
        std::memcpy(second_bytes + from, piece.data(), piece.size());
      }
      return;
    }
    for (std::size_t k = 0; k < piece.size(); ++k) {
      const bool is_here = ((here >> ((from + k) % kWord)) & 1) != 0;
      if (!is_here) {
        first_bytes[from + k] = piece[k];
      }
      if (second_bytes != nullptr && (!is_here || to_second)) {
        second_bytes[from + k] = piece[k];
      }
    }
  });
}

void Defragmenter::advance_prefix(Datagram& datagram) const {
  for (std::size_t i = datagram.prefix / kBlock; i < Datagram::kBlocks; ++i) {
    if (datagram.blocks[i] == 0) {
      return;
    }
    const std::uint64_t* map = present(datagram.blocks[i]);
    for (std::size_t word = datagram.prefix % kBlock / kWord; word < kBlock / kWord; ++word) {
      const auto whole = static_cast<std::uint32_t>(i * kBlock + word * kWord);
      const auto ones = static_cast<std::uint32_t>(std::countr_one(map[word]));
      datagram.prefix = std::max(datagram.prefix, whole + ones);
      if (ones < kWord) {
        return;
      }
    }
  }
}

// The first reading once it reaches an end, and again when it reaches a longer one; the second each
// time it says something new.
void Defragmenter::make_readings(Entry& entry, ReadingBuffers& buffers, Added& added) {
  Datagram& datagram = entry.state;
  const ReachedEnds reached = reached_ends(datagram);
  if (reached.longest == 0) {
    return;
  }
  if (reached.longest > datagram.emitted) {
    added.first = assemble(entry, reached.longest, false, buffers.of(0));
    datagram.emitted = reached.longest;
    datagram.second_due = datagram.second != 0;
  }
  if (datagram.second_due && datagram.second_readings < kMaxSecondReadings) {
    added.second = assemble(entry, reached.newest, true, buffers.of(1));
    ++datagram.second_readings;
    counters_.second_readings.add();
  }
  datagram.second_due = false;
  if (datagram.list != Datagram::kDone) {
    finish(entry);
  }
}

ByteSpan Defragmenter::assemble(const Entry& entry, std::uint32_t end, bool second,
                                std::uint8_t* out) {
  const Datagram& datagram = entry.state;
  const std::size_t header_size = datagram.header_size;
  std::memcpy(out, datagram.header != 0 ? data(datagram.header) : datagram.head.data(),
              header_size);
  for (std::size_t at = 0; at < end; at += kBlock) {
    const std::size_t i = at / kBlock;
    const Block other = second ? second_block(datagram, i) : 0;
    std::memcpy(out + header_size + at, data(other != 0 ? other : datagram.blocks[i]),
                std::min<std::size_t>(kBlock, end - at));
  }
  const std::size_t total = header_size + end;
  const bool is_v6 = entry.key.is_v6();
  if (total > kLongestDatagram + (is_v6 ? kIpv6Size : 0)) {
    counters_.oversized.add();
  }
  if (is_v6) {
    finish_ipv6(out, header_size, total, datagram.protocol);
  } else {
    finish_ipv4(out, header_size, total);
  }
  return {out, total};
}

}  // namespace imds::flow
