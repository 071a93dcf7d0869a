// Bytes of a stream that are sent again. Equal ones are a repetition. Of different ones nobody on
// the path can tell which the receiver keeps: both readings are inspected. What was delivered first
// goes on as the stream; the other is put together here and read beside it.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"
#include "detect/inspector.h"
#include "http/probe.h"
#include "http/sketch.h"

namespace imds::detect {

namespace {

// Of what is kept for comparison: an ordinary segment's heads, and all of an endpoint's.
constexpr std::size_t kRemembered = 4096;
constexpr std::size_t kMostRecords = 16;  // looked through for one repeated segment
constexpr std::size_t kMostHeads = 64;    // of one reading

struct HeadPlace {
  std::size_t begin = 0;
  std::size_t size = 0;
  bool whole = false;
};

// The next request head of a reading, from `at` on, which moves behind it and its body.
bool next_head(ByteSpan bytes, std::size_t& at, std::uint32_t limit, HeadPlace& place) {
  const ByteSpan rest = bytes.subspan(at);
  if (rest.empty() || http::starts_like_request(rest) != http::Probe::yes) {
    return false;
  }
  http::HeadEndFinder finder;
  const auto found = finder.feed(rest, limit);
  place = {at, found.consumed, found.status == http::HeadEndFinder::Status::complete};
  at += found.consumed;
  if (place.whole) {
    http::BodySkipper body(http::sketch_request(rest.first(found.consumed)).body);
    at += body.consume(bytes.subspan(at)).consumed;
  }
  return true;
}

bool has_head_at(ByteSpan bytes, const HeadPlace& wanted, std::uint32_t limit) {
  std::size_t at = 0;
  HeadPlace place;
  for (std::size_t i = 0; i < kMostHeads && next_head(bytes, at, limit, place); ++i) {
    if (place.begin >= wanted.begin) {
      return place.begin == wanted.begin;
    }
  }
  return false;
}

bool equal(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// Where two runs of sequence numbers meet: offsets into each, and how many bytes.
struct Meeting {
  std::size_t in_a = 0;
  std::size_t in_b = 0;
  std::size_t size = 0;
};
Meeting meet(std::uint32_t a, std::size_t a_size, std::uint32_t b, std::size_t b_size) {
  const auto ahead = static_cast<std::int32_t>(b - a);  // of b
  const auto in_a = static_cast<std::size_t>(std::max<std::int32_t>(ahead, 0));
  const std::size_t in_b = ahead < 0 ? static_cast<std::size_t>(-std::int64_t{ahead}) : 0;
  if (in_a >= a_size || in_b >= b_size) {
    return {};
  }
  return {in_a, in_b, std::min(a_size - in_a, b_size - in_b)};
}

}  // namespace

// From the head of the segment being read that is complete first, to the segment's end.
void Inspector::remember(const Step& step, ByteSpan head) {
  if (remembered_ || segment_.empty()) {
    return;
  }
  remembered_ = true;
  const std::size_t most = step.flow.of_interest ? flow::Arena::kLargest : kRemembered;
  flow::Delivered::Mark& mark = step.stream.delivered;
  const std::uint8_t* const begin = segment_.data();
  if (head.data() >= begin && head.data() < begin + segment_.size()) {
    const auto at = static_cast<std::size_t>(head.data() - begin);
    const ByteSpan rest = segment_.subspan(at);
    delivered_.record(mark, segment_sequence_ + static_cast<std::uint32_t>(at),
                      rest.first(std::min(rest.size(), most)), {});
    return;
  }
  // A head over several segments: what follows it in this one, too.
  const std::uint32_t end = head_sequence_ + static_cast<std::uint32_t>(head.size());
  const auto used = static_cast<std::size_t>(
      std::max<std::int32_t>(static_cast<std::int32_t>(end - segment_sequence_), 0));
  head = head.first(std::min(head.size(), most));
  ByteSpan rest = segment_.subspan(std::min(used, segment_.size()));
  rest = rest.first(std::min(rest.size(), most - head.size()));
  delivered_.record(mark, head_sequence_, head, rest);
}

// `old` begins at `sequence` and was, by its place, delivered before (or `late`: passed over).
void Inspector::check_overlap(const Step& step, std::uint32_t sequence, ByteSpan old, bool late) {
  DirectionState& stream = step.stream;
  const unsigned d = step.index();
  if (!late && (step.flow.has_acknowledged & (1u << d)) != 0) {
    // What the receiver has acknowledged it will not take again.
    const auto taken = static_cast<std::int32_t>(step.flow.acknowledged[d] - sequence);
    if (taken >= static_cast<std::int64_t>(old.size())) {
      return;
    }
    if (taken > 0) {
      old = old.subspan(static_cast<std::size_t>(taken));
      sequence += static_cast<std::uint32_t>(taken);
    }
  }
  bool compared = false;
  // True if `delivered` has other bytes there: then both readings have been seen to.
  const auto differs = [&](std::uint32_t begin, ByteSpan delivered) {
    const Meeting m = meet(begin, delivered.size(), sequence, old.size());
    compared = compared || m.size > 0;
    const ByteSpan again = old.subspan(m.in_b, m.size);
    if (m.size == 0 || equal(delivered.subspan(m.in_a, m.size), again)) {
      return false;
    }
    conflict(step, begin, delivered, sequence + static_cast<std::uint32_t>(m.in_b), again);
    return true;
  };
  const bool collecting = stream.phase == Phase::probe || stream.phase == Phase::http_head;
  if (collecting && !stream.head.buffer.empty()) {
    const ByteSpan head = arena_.bytes(stream.head.buffer);
    const auto size = static_cast<std::uint32_t>(head.size());
    if (differs(expected_ - size, head)) {
      return;
    }
  }
  flow::Delivered::Mark mark = stream.delivered;
  for (std::size_t i = 0; i < kMostRecords && mark != 0; ++i) {
    const auto record = delivered_.find(mark);
    if (!record) {
      break;
    }
    if (differs(record->sequence, record->bytes)) {
      return;
    }
    mark = record->previous;
  }
  if (!compared) {
    const bool request = http::may_start_http(http::first8(old)) &&
                         http::starts_like_request(old) == http::Probe::yes;
    if (!late && (request || collecting)) {
      counters_.overlap_unchecked.add();
    }
    if (request) {
      read_late(step, sequence, old);
    } else if (collecting) {
      judge_raw(step, old);
    }
  }
}

// `delivered`, which begins at `begin`, has other bytes than `bytes` at `sequence`.
void Inspector::conflict(const Step& step, std::uint32_t begin, ByteSpan delivered,
                         std::uint32_t sequence, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  counters_.overlap_conflicts.add();
  if (!step.flow.overlap_reported) {
    step.flow.overlap_reported = true;
    judge(step, base_event(step, event::EventType::tcp_overlap_conflict));
  }
  // A second reading that is still being collected takes the bytes, too.
  ByteSpan base = delivered;
  std::uint32_t base_begin = begin;
  if (stream.side_active && stream.side_second && !stream.side.buffer.empty()) {
    const ByteSpan side = arena_.bytes(stream.side.buffer);
    const std::uint32_t side_begin = expected_ - static_cast<std::uint32_t>(side.size());
    const Meeting m = meet(side_begin, side.size(), sequence, bytes.size());
    if (m.size == bytes.size()) {
      if (equal(side.subspan(m.in_a, m.size), bytes)) {
        return;
      }
      base = side;
      base_begin = side_begin;
    }
  }
  base = base.first(std::min(base.size(), overlay_buffer_.size() / 2));
  const Meeting m = meet(base_begin, base.size(), sequence, bytes.size());
  std::uint8_t* const overlay = overlay_buffer_.data();
  std::uint8_t* const original = overlay + overlay_buffer_.size() / 2;
  std::memcpy(overlay, base.data(), base.size());
  std::memcpy(overlay + m.in_a, bytes.data() + m.in_b, m.size);
  // The first reading may lie in the arena, where the second one is going to be kept.
  const std::size_t compare =
      base_begin == begin ? std::min(delivered.size(), overlay_buffer_.size() / 2) : 0;
  if (compare > 0) {
    std::memcpy(original, delivered.data(), compare);
  }
  const bool goes_on = base_begin + static_cast<std::uint32_t>(base.size()) == expected_;
  read_again(step, ByteSpan(overlay, base.size()), ByteSpan(original, compare), goes_on);
  if (stream.phase == Phase::http2) {
    // Its compression would have to be followed in both readings from here on.
    end_http2_block(step);
    blind_http2(step, Http2Blind::conflict);
  }
}

// Bytes at a place that was passed over, or whose first copy is not known: read by themselves, with
// what follows them if that is still kept.
void Inspector::read_late(const Step& step, std::uint32_t sequence, ByteSpan bytes) {
  if (bytes.empty()) {
    return;
  }
  if (http::starts_like_request(bytes) != http::Probe::yes) {
    judge_raw(step, bytes);
    return;
  }
  const std::size_t most = overlay_buffer_.size() / 2;
  std::size_t size = std::min(bytes.size(), most);
  std::memcpy(overlay_buffer_.data(), bytes.data(), size);
  std::uint32_t end = sequence + static_cast<std::uint32_t>(size);
  if (const auto record = delivered_.find(step.stream.delivered); record) {
    const Meeting m = meet(record->sequence, record->bytes.size(), end, most - size);
    if (m.size > 0 && m.in_b == 0) {
      std::memcpy(overlay_buffer_.data() + size, record->bytes.data() + m.in_a, m.size);
      size += m.size;
      end += static_cast<std::uint32_t>(m.size);
    }
  }
  read_again(step, ByteSpan(overlay_buffer_).first(size), {}, end == expected_);
}

// The heads of another reading, `bytes` (in overlay_buffer_), that are not heads of `delivered`,
// which began at the same place. With `goes_on` the last one may be completed by what the stream
// brings next.
void Inspector::read_again(const Step& step, ByteSpan bytes, ByteSpan delivered, bool goes_on) {
  DirectionState& stream = step.stream;
  const std::uint32_t sum = crc32c(0, bytes.data(), bytes.size());
  if (sum == step.flow.second_reading) {
    return;  // the second copy, seen twice
  }
  step.flow.second_reading = sum;
  PacketContext packet = step.packet;
  packet.second_reading = true;
  const Step reading{packet, step.flow, step.direction, stream};
  std::size_t at = 0;
  HeadPlace place;
  std::size_t heads = 0;
  for (; heads < kMostHeads && next_head(bytes, at, options_.head_bytes_max, place); ++heads) {
    const ByteSpan head = bytes.subspan(place.begin, place.size);
    if (place.whole || !goes_on) {
      const bool known = delivered.size() >= place.begin + place.size &&
                         equal(delivered.subspan(place.begin, place.size), head) &&
                         has_head_at(delivered, place, options_.head_bytes_max);
      if (!known) {
        (void)inspect_partial_head(reading, head, http::LineTrust::any);
      }
      continue;
    }
    // The rest comes with the stream's next bytes.
    flush_side(step);
    stream.side_active = true;
    stream.side_second = true;
    (void)stream.side.finder.feed(head, options_.head_bytes_max);
    if (!keep(step, stream.side, head)) {
      (void)inspect_partial_head(reading, head, http::LineTrust::any);
      stream.side.finder.reset();
      stream.side_active = false;
    }
    return;
  }
  if (heads == 0 || heads == kMostHeads) {
    judge_raw(reading, bytes.subspan(std::min(at, bytes.size())));
  }
}

}  // namespace imds::detect
