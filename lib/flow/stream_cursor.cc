#include "flow/stream_cursor.h"

namespace imds::flow {

void StreamCursor::start(std::uint32_t sequence, bool syn) {
  next_offset_ = 0;
  next_sequence_ = sequence;
  flags_ = static_cast<std::uint8_t>(kStarted | (syn ? kSawSyn : 0));
}

// Takes `bytes` as the next ones of the stream.
void StreamCursor::advance(Accepted& accepted, ByteSpan bytes) {
  accepted.bytes = bytes;
  accepted.offset = next_offset_;
  next_offset_ += bytes.size();
  next_sequence_ += static_cast<std::uint32_t>(bytes.size());
}

Accepted StreamCursor::accept(std::uint32_t sequence, bool syn, ByteSpan payload) {
  Accepted accepted;
  flags_ &= static_cast<std::uint8_t>(~kRestarted);
  if (syn) {
    ++sequence;  // the SYN itself takes the first number
    const auto first = static_cast<std::uint32_t>(next_sequence_ - next_offset_);
    if (!started()) {
      start(sequence, true);
    } else if (sequence != first) {
      start(sequence, true);
      flags_ |= kRestarted;
    }
  }
  if (payload.empty()) {
    accepted.offset = next_offset_;
    return accepted;
  }
  if (!started()) {
    start(sequence, false);
  }

  const auto distance = static_cast<std::int32_t>(sequence - next_sequence_);
  const std::int64_t ahead = distance;
  if (ahead > kPlausible || -ahead > kPlausible) {
    flags_ |= kLossy;
    next_sequence_ = sequence;
    accepted.kind = Accepted::Kind::resynchronised;
    advance(accepted, payload);
    return accepted;
  }
  if (distance > 0) {
    flags_ |= kLossy;
    accepted.kind = Accepted::Kind::gap;
    accepted.gap = static_cast<std::uint32_t>(distance);
    next_offset_ += accepted.gap;
    next_sequence_ = sequence;
    advance(accepted, payload);
    return accepted;
  }

  const auto seen = static_cast<std::size_t>(-ahead);
  if (seen >= payload.size()) {
    const bool probe = seen == 1 && payload.size() == 1;
    accepted.kind = probe ? Accepted::Kind::keep_alive : Accepted::Kind::retransmission;
    accepted.old = payload;
    accepted.offset = next_offset_;
    return accepted;
  }
  accepted.kind = seen == 0 ? Accepted::Kind::in_order : Accepted::Kind::trimmed;
  accepted.old = payload.first(seen);
  advance(accepted, payload.subspan(seen));
  return accepted;
}

}  // namespace imds::flow
