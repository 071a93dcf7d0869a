// What a Defragmenter holds, and what gives way.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "flow/defragmenter.h"

namespace imds::flow {

namespace {

constexpr std::size_t kBlockBytes = PartialDatagram::kBlockBytes;
constexpr std::size_t kMapBytes = kBlockBytes / 8;
// Memory per datagram that can be in progress: one small fragment needs a block, most need more.
constexpr std::size_t kShare = 2048;

TableOptions table_options(const DefragmenterOptions& options) {
  TableOptions table;
  table.flows = static_cast<std::uint32_t>(
      std::clamp<std::size_t>(options.memory_bytes / kShare, 64, 1u << 24));
  table.secret = options.secret;
  table.memory = options.memory;
  return table;
}

// As many as fit into what the table leaves.
std::uint32_t blocks_for(std::size_t memory_bytes, std::size_t table_bytes) {
  constexpr std::size_t kEach = kBlockBytes + kMapBytes + sizeof(PartialDatagram::Block);
  const std::size_t left = memory_bytes > table_bytes ? memory_bytes - table_bytes : 0;
  return static_cast<std::uint32_t>(
      std::clamp<std::size_t>(left / kEach, PartialDatagram::kBlocks, 1u << 26));
}

std::size_t table_bytes(const DefragmenterOptions& options) {
  // An entry, its part of the buckets and of the free list.
  constexpr std::size_t kEach = sizeof(PartialDatagram::Entry) + 32;
  return table_options(options).flows * kEach;
}

}  // namespace

Defragmenter::Defragmenter(const DefragmenterOptions& options)
    : options_(options),
      table_(table_options(options)),
      memory_(blocks_for(options.memory_bytes, table_bytes(options)) * (kBlockBytes + kMapBytes) +
                  kCacheLine,
              options.memory),
      data_(static_cast<std::uint8_t*>(memory_.data())),
      lost_(2 * std::size_t{65536}) {
  const std::uint32_t blocks = blocks_for(options.memory_bytes, table_bytes(options));
  present_ = reinterpret_cast<std::uint64_t*>(data_ + std::size_t{blocks} * kBlockBytes);
  free_.reserve(blocks);
  for (Block block = blocks; block > 0; --block) {
    free_.push_back(block);
  }
  counters_.bytes_capacity.set(std::size_t{blocks} * kBlockBytes);
}

std::size_t Defragmenter::memory_bytes() const {
  return table_.memory_bytes() + memory_.size() + free_.capacity() * sizeof(Block) + lost_.size();
}

void Defragmenter::expire(Seconds now, std::uint32_t budget) {
  if (table_.counters().live.get() != 0) {
    table_.expire(now, budget, [this](Entry& entry, Removal why) { on_remove(entry, why); });
  }
}

void Defragmenter::clear() {
  table_.clear([this](Entry& entry, Removal) { remove(entry, counters_.timed_out); });
}

Defragmenter::Entry& Defragmenter::entry_for(const packet::PacketView& fragment,
                                             const FragmentContext& context) {
  const Seconds now = context.now;
  const Key key = make_fragment_key(fragment);
  const std::uint64_t hash = table_.hash(key);
  Entry* entry = table_.find(key, hash);
  if (entry != nullptr && entry->idle(now)) {
    table_.erase(*entry, [this](Entry& gone, Removal) { remove(gone, counters_.timed_out); });
    entry = nullptr;
  }
  if (entry == nullptr) {
    // The table would take any of a few; the oldest goes.
    if (table_.counters().live.get() >= table_.capacity()) {
      (void)evict_one(nullptr, context.of_interest ? Datagram::kOfInterest : Datagram::kOrdinary);
    }
    entry =
        &table_.insert(key, hash, now, [this](Entry& gone, Removal why) { on_remove(gone, why); });
    begin(*entry, fragment, context);
    return *entry;
  }
  // A complete one whose identification is in use for others by now: after many contradictions, or
  // for fragments found inside it.
  Datagram& datagram = entry->state;
  if (datagram.list == Datagram::kDone && (context.depth > 0 || at_limit(datagram))) {
    const Fit how = fit(datagram, fragment.fragment.offset, fragment.payload);
    if (how.adds || how.conflicts) {
      unlink(*entry);
      release_all(datagram);
      datagram = Datagram{};
      entry->last_seen = now;
      begin(*entry, fragment, context);
    }
  }
  return *entry;
}

void Defragmenter::begin(Entry& entry, const packet::PacketView& fragment,
                         const FragmentContext& context) {
  entry.timeout = options_.timeout;
  entry.state.time = fragment.time;
  entry.state.protocol = fragment.protocol;
  entry.state.label = context.label;
  link(entry, context.of_interest ? Datagram::kOfInterest : Datagram::kOrdinary);
  counters_.waiting.add();
  if (!context.of_interest) {
    return;
  }
  static_assert(sizeof(packet::PacketView) <= kBlockBytes);
  static_assert(std::is_trivially_copyable_v<packet::PacketView>);
  if ((entry.state.note = take(entry)) != 0) {
    std::memcpy(data(entry.state.note), &fragment, sizeof fragment);
  }
}

void Defragmenter::on_remove(Entry& entry, Removal why) {
  const bool in_time = why != Removal::expired && why != Removal::evicted_idle;
  remove(entry, in_time ? counters_.evicted : counters_.timed_out);
}

// `counter` is for those that are incomplete.
void Defragmenter::remove(Entry& entry, Counter& counter) {
  if (entry.state.list != Datagram::kDone) {
    counter.add();
    counters_.waiting.set(counters_.waiting.get() - 1);
    tell_lost(entry);
  }
  unlink(entry);
  release_all(entry.state);
}

// Complete: what it holds is there to know duplicates by, as long as nobody else needs it.
void Defragmenter::finish(Entry& entry) {
  counters_.completed.add();
  counters_.waiting.set(counters_.waiting.get() - 1);
  counters_.bytes_used.set(counters_.bytes_used.get() - entry.state.block_count * kBlockBytes);
  unlink(entry);
  link(entry, Datagram::kDone);
}

void Defragmenter::release_all(Datagram& datagram) {
  if (datagram.second != 0) {
    for (std::size_t i = 0; i < Datagram::kBlocks; ++i) {
      Block block = second_block(datagram, i);
      release(datagram, block);
    }
    release(datagram, datagram.second);
  }
  for (Block& block : datagram.blocks) {
    release(datagram, block);
  }
  release(datagram, datagram.header);
  release(datagram, datagram.note);
}

void Defragmenter::tell_lost(const Entry& entry) {
  if (options_.on_lost == nullptr) {
    return;
  }
  const packet::PacketView view = stand_in(entry);
  options_.on_lost(options_.on_lost_context, view, gather(entry.state, false), entry.state.label);
  if (entry.state.second != 0) {
    options_.on_lost(options_.on_lost_context, view, gather(entry.state, true), entry.state.label);
  }
}

packet::PacketView Defragmenter::stand_in(const Entry& entry) const {
  const Datagram& datagram = entry.state;
  packet::PacketView view;
  if (datagram.note != 0) {
    std::memcpy(static_cast<void*>(&view), data(datagram.note), sizeof view);
  } else {
    const AddressFamily family = entry.key.is_v6() ? AddressFamily::ipv6 : AddressFamily::ipv4;
    view.source = {entry.key.lower_address, family};
    view.destination = {entry.key.higher_address, family};
    view.vlan = entry.key.vlan();
    view.time = datagram.time;
  }
  view.protocol = datagram.protocol;
  view.reason = DecodeReason::none;
  view.anomaly = DecodeReason::none;
  view.is_fragment = false;
  view.network = {};
  view.payload = {};
  view.payload_length = 0;
  if (datagram.prefix >= 4 &&
      (view.is(packet::IpProtocol::tcp) || view.is(packet::IpProtocol::udp))) {
    view.source_port = load_be16(data(datagram.blocks[0]));
    view.destination_port = load_be16(data(datagram.blocks[0]) + 2);
  }
  return view;
}

ByteSpan Defragmenter::gather(const Datagram& datagram, bool second) {
  std::size_t size = 0;
  const auto hole = [&] {
    if (size > 0 && lost_[size - 1] != 0) {
      lost_[size++] = 0;
    }
  };
  for (std::size_t i = 0; i < Datagram::kBlocks; ++i) {
    const Block base = datagram.blocks[i];
    if (base == 0) {
      hole();
      continue;
    }
    const Block other = second ? second_block(datagram, i) : 0;
    const std::uint8_t* bytes = data(other != 0 ? other : base);
    for (std::size_t word = 0; word < kBlockBytes / 64; ++word, bytes += 64) {
      const std::uint64_t map = present(base)[word];
      if (map == ~std::uint64_t{0}) {
        std::memcpy(&lost_[size], bytes, 64);
        size += 64;
        continue;
      }
      for (std::size_t k = 0; map != 0 && k < 64; ++k) {
        if (((map >> k) & 1) != 0) {
          lost_[size++] = bytes[k];
        } else {
          hole();
        }
      }
      hole();
    }
  }
  return {lost_.data(), size};
}

bool Defragmenter::evict_one(const Entry* but, List up_to) {
  for (std::size_t list = 0; list <= up_to; ++list) {
    Entry* entry = oldest_[list];
    if (entry != nullptr && entry == but) {
      entry = entry->state.newer;
    }
    if (entry != nullptr) {
      table_.erase(*entry, [this](Entry& gone, Removal) { remove(gone, counters_.evicted); });
      return true;
    }
  }
  return false;
}

Defragmenter::Block Defragmenter::take(Entry& entry) {
  Datagram& datagram = entry.state;
  const bool of_interest = datagram.note != 0 || datagram.list == Datagram::kOfInterest;
  while (free_.empty()) {
    if (!evict_one(&entry, of_interest ? Datagram::kOfInterest : Datagram::kOrdinary)) {
      return 0;
    }
  }
  const Block block = free_.back();
  free_.pop_back();
  ++datagram.block_count;
  if (datagram.list != Datagram::kDone) {
    counters_.bytes_used.add(kBlockBytes);
  }
  return block;
}

void Defragmenter::release(Datagram& datagram, Block& block) {
  if (block == 0) {
    return;
  }
  free_.push_back(block);
  block = 0;
  --datagram.block_count;
  if (datagram.list != Datagram::kDone) {
    counters_.bytes_used.set(counters_.bytes_used.get() - kBlockBytes);
  }
}

// Blocks for every byte of the fragment.
bool Defragmenter::reserve(Entry& entry, std::size_t offset, ByteSpan bytes) {
  Datagram& datagram = entry.state;
  const std::size_t last = (offset + bytes.size() - 1) / kBlockBytes;
  for (std::size_t i = offset / kBlockBytes; i <= last; ++i) {
    if (datagram.blocks[i] != 0) {
      continue;
    }
    datagram.blocks[i] = take(entry);
    if (datagram.blocks[i] == 0) {
      return false;
    }
    std::memset(present(datagram.blocks[i]), 0, kMapBytes);
  }
  return true;
}

// Second blocks where the fragment contradicts what is there. A part of them may stay behind when
// there is no room for all; it says the same as the first.
bool Defragmenter::reserve_second(Entry& entry, std::size_t offset, ByteSpan bytes) {
  Datagram& datagram = entry.state;
  static_assert(Datagram::kBlocks * sizeof(Block) <= kBlockBytes);
  if (datagram.second == 0) {
    datagram.second = take(entry);
    if (datagram.second == 0) {
      return false;
    }
    std::memset(data(datagram.second), 0, kBlockBytes);
  }
  const std::size_t last = (offset + bytes.size() - 1) / kBlockBytes;
  for (std::size_t i = offset / kBlockBytes; i <= last; ++i) {
    const std::size_t from = std::max(offset, i * kBlockBytes);
    const std::size_t to = std::min(offset + bytes.size(), (i + 1) * kBlockBytes);
    const ByteSpan piece = bytes.subspan(from - offset, to - from);
    if (second_block(datagram, i) != 0 ||
        !fit_block(datagram, i, from % kBlockBytes, piece).conflicts) {
      continue;
    }
    const Block block = take(entry);
    if (block == 0) {
      return false;
    }
    std::memcpy(data(block), data(datagram.blocks[i]), kBlockBytes);
    std::memcpy(data(datagram.second) + i * sizeof block, &block, sizeof block);
  }
  return true;
}

Defragmenter::Block Defragmenter::second_block(const Datagram& datagram, std::size_t i) const {
  Block block = 0;
  if (datagram.second != 0) {
    std::memcpy(&block, data(datagram.second) + i * sizeof block, sizeof block);
  }
  return block;
}

void Defragmenter::link(Entry& entry, List list) {
  Datagram& datagram = entry.state;
  datagram.list = list;
  datagram.newer = nullptr;
  datagram.older = newest_[list];
  (datagram.older != nullptr ? datagram.older->state.newer : oldest_[list]) = &entry;
  newest_[list] = &entry;
}

void Defragmenter::unlink(Entry& entry) {
  Datagram& datagram = entry.state;
  (datagram.older != nullptr ? datagram.older->state.newer : oldest_[datagram.list]) =
      datagram.newer;
  (datagram.newer != nullptr ? datagram.newer->state.older : newest_[datagram.list]) =
      datagram.older;
}

}  // namespace imds::flow
