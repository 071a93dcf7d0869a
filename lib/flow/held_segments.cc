#include "flow/held_segments.h"

#include <algorithm>
#include <cstring>

#include "base/age_list.h"

namespace imds::flow {

namespace {

constexpr std::int64_t kPatience = 10 * kNanosPerSecond;
// A held run grows no longer than this by appending, so that growing never copies much.
constexpr std::size_t kLongestRun = 4096;

// Most segments are at most an Ethernet frame's worth: they need blocks of 4 KiB or 1 KiB.
Arena::Options blocks(std::uint32_t memory_mib) {
  const std::size_t eighth = (std::size_t{memory_mib} << 20) / 8;
  Arena::Options options;
  options.blocks = {static_cast<std::uint32_t>(2 * eighth / Arena::kBlockSize[0]),
                    static_cast<std::uint32_t>(4 * eighth / Arena::kBlockSize[1]),
                    static_cast<std::uint32_t>(eighth / Arena::kBlockSize[2]),
                    static_cast<std::uint32_t>(eighth / Arena::kBlockSize[3])};
  return options;
}

std::uint32_t block_count(const Arena::Options& options) {
  std::uint32_t count = 0;
  for (const std::uint32_t blocks : options.blocks) {
    count += blocks;
  }
  return count;
}

// a comes before b in sequence space.
bool before(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace

HeldSegments::HeldSegments(const Options& options, const MemorySource& memory)
    : options_(options), arena_(blocks(options.memory_mib), memory) {
  const std::uint32_t count = block_count(blocks(options.memory_mib));
  nodes_.resize(count);
  streams_.resize(count);
  for (std::uint32_t i = count; i > 0; --i) {
    nodes_[i - 1].next = free_node_;
    free_node_ = i - 1;
    streams_[i - 1].newer = free_stream_;
    free_stream_ = i - 1;
  }
}

bool HeldSegments::is_repeated(const Stream& waiting, const Segment& segment) const {
  for (std::uint32_t i = waiting.first; i != kNone; i = nodes_[i].next) {
    const Node& node = nodes_[i];
    const ByteSpan held = arena_.bytes(node.buffer);
    const auto into = static_cast<std::int32_t>(segment.sequence - node.sequence);
    if (into < 0) {
      return false;
    }
    const auto at = static_cast<std::size_t>(into);
    const bool inside = at <= held.size() && segment.bytes.size() <= held.size() - at;
    const bool same =
        inside && (segment.bytes.empty() ||
                   std::memcmp(held.data() + at, segment.bytes.data(), segment.bytes.size()) == 0);
    const bool same_end = node.fin && segment.end() == node.sequence + held.size();
    if (same && (!segment.fin || same_end)) {
      return true;
    }
  }
  return false;
}

// The stream's segment that `segment` continues exactly takes its bytes, if it is short.
bool HeldSegments::append_to_predecessor(Stream& waiting, const Segment& segment) {
  for (std::uint32_t i = waiting.first; i != kNone; i = nodes_[i].next) {
    Node& node = nodes_[i];
    const auto end = node.sequence + static_cast<std::uint32_t>(node.buffer.size());
    if (before(segment.sequence, node.sequence)) {
      return false;
    }
    if (end == segment.sequence && !node.fin && !node.buffer.empty() &&
        node.buffer.size() + segment.bytes.size() <= kLongestRun &&
        arena_.append(node.buffer, segment.bytes) == AppendResult::ok) {
      node.fin = segment.fin;
      return true;
    }
  }
  return false;
}

HeldSegments::Result HeldSegments::hold(Handle& handle, const Segment& segment, Timestamp now,
                                        std::uint64_t share, void* owner) {
  if (handle != 0) {
    Stream& waiting = stream(handle);
    if (is_repeated(waiting, segment)) {
      return Result::repeated;
    }
    if (waiting.bytes + segment.bytes.size() > options_.stream_bytes) {
      return Result::stream_full;
    }
    if (append_to_predecessor(waiting, segment)) {
      waiting.bytes += static_cast<std::uint32_t>(segment.bytes.size());
      return Result::held;
    }
    if (waiting.segments >= options_.stream_segments) {
      return Result::stream_full;
    }
  } else if (segment.bytes.size() > options_.stream_bytes || options_.stream_segments == 0) {
    return Result::stream_full;
  }
  if (free_node_ == kNone || arena_.counters().bytes_in_use.get() > share) {
    return Result::store_full;
  }
  const std::uint32_t index = free_node_;
  Node& node = nodes_[index];
  if (arena_.append(node.buffer, segment.bytes) != AppendResult::ok) {
    return Result::store_full;
  }
  free_node_ = node.next;
  node.sequence = segment.sequence;
  node.fin = segment.fin;
  if (handle == 0) {
    // There are as many records as segments.
    handle = begin_stream(now, owner);
  }
  Stream& waiting = stream(handle);
  insert(waiting, index);
  waiting.bytes += static_cast<std::uint32_t>(segment.bytes.size());
  ++waiting.segments;
  counters_.segments.add();
  counters_.segments_total.add();
  return Result::held;
}

// Behind all that begin before it or where it does.
void HeldSegments::insert(Stream& waiting, std::uint32_t node) {
  std::uint32_t* link = &waiting.first;
  while (*link != kNone && !before(nodes_[node].sequence, nodes_[*link].sequence)) {
    link = &nodes_[*link].next;
  }
  nodes_[node].next = *link;
  *link = node;
}

HeldSegments::Handle HeldSegments::begin_stream(Timestamp now, void* owner) {
  const std::uint32_t index = free_stream_;
  free_stream_ = streams_[index].newer;
  streams_[index] = Stream{};
  streams_[index].owner = owner;
  streams_[index].since = now;
  link_newest(index);
  counters_.streams.add();
  return index + 1;
}

void HeldSegments::link_newest(std::uint32_t index) {
  imds::link_newest(streams_, index, oldest_, newest_);
}

void HeldSegments::unlink(std::uint32_t index) {
  imds::unlink(streams_, index, oldest_, newest_);
}

HeldSegments::Segment HeldSegments::front(Handle handle) const {
  const Node& node = nodes_[stream(handle).first];
  return {node.sequence, node.fin, arena_.bytes(node.buffer)};
}

void HeldSegments::pop(Handle& handle) {
  Stream& waiting = stream(handle);
  const std::uint32_t index = waiting.first;
  Node& node = nodes_[index];
  waiting.first = node.next;
  waiting.bytes -= static_cast<std::uint32_t>(node.buffer.size());
  --waiting.segments;
  arena_.wipe(node.buffer);
  node.next = free_node_;
  free_node_ = index;
  counters_.segments.set(counters_.segments.get() - 1);
  if (waiting.first == kNone) {
    end_stream(handle);
  }
}

void HeldSegments::end_stream(Handle& handle) {
  const std::uint32_t index = handle - 1;
  unlink(index);
  streams_[index].newer = free_stream_;
  free_stream_ = index;
  counters_.streams.set(counters_.streams.get() - 1);
  handle = 0;
}

void HeldSegments::release(Handle& handle) {
  while (handle != 0) {
    pop(handle);
  }
}

void HeldSegments::progress(Handle handle, Timestamp now) {
  Stream& waiting = stream(handle);
  waiting.since = now;
  waiting.acknowledged_times = 0;
  unlink(handle - 1);
  link_newest(handle - 1);
}

HeldSegments::Acknowledged HeldSegments::acknowledged(Handle handle, Timestamp now) {
  Stream& waiting = stream(handle);
  if (waiting.acknowledged_times++ == 0) {
    waiting.acknowledged_at = now;
  }
  return {now.ns - waiting.acknowledged_at.ns, waiting.acknowledged_times};
}

void* HeldSegments::overdue(Timestamp now) const {
  if (oldest_ == kNone) {
    return nullptr;
  }
  const Stream& oldest = streams_[oldest_];
  const std::uint64_t used = arena_.counters().bytes_in_use.get();
  const std::uint64_t all = arena_.counters().bytes_capacity.get();
  std::int64_t patience = kPatience;
  for (const std::uint64_t quarters : {1u, 2u, 3u}) {
    const bool crowded =
        used > all / 4 * quarters || counters_.segments.get() > nodes_.size() / 4 * quarters;
    patience = crowded ? patience / 10 : patience;
  }
  const std::int64_t waited = now.ns - oldest.since.ns;
  // Time that ran backwards (another capture) is as good as time passed.
  return waited > patience || waited < -kPatience ? oldest.owner : nullptr;
}

}  // namespace imds::flow
