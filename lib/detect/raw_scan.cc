// Streams that are not HTTP: the rules' strings are looked for in their first bytes. A string cut
// by a segment boundary is found, because the end of one piece, from where a string may have begun
// in it, is scanned again with the next.
#include <algorithm>
#include <cstring>

#include "detect/inspector.h"
#include "tls.h"

namespace imds::detect {

void Inspector::scan_raw(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (step.flow.hello != 0) [[unlikely]] {
    continue_hello(step, bytes);
  }
  if (stream.raw_done) {
    return;
  }
  // Flows with an endpoint are never bypassed: nothing encrypted has any business there.
  const bool bypass =
      stream.raw_scanned == 0 && step.flow.endpoint == classify::kNoEndpoint && is_tls(bytes);
  if (bypass && may_be_hello(stream)) [[unlikely]] {
    begin_hello(step, bytes);
  }
  if (raw_scan_bytes_ == 0 || bypass) {
    stream.raw_done = true;
    stream.raw_skipped = bypass ? RawSkipped::bypassed : RawSkipped::unasked;
    return;
  }
  const std::size_t left = raw_scan_bytes_ - stream.raw_scanned;
  const rules::RawStarts& starts = seat_->policy().rules->raw_starts();
  const ByteSpan piece = bytes.first(std::min(bytes.size(), left));
  stream.raw_scanned += static_cast<std::uint32_t>(piece.size());

  ByteSpan text = piece;
  std::uint16_t& last = step.flow.last_raw_byte[step.index()];
  if (!stream.head.buffer.empty()) {
    text = joined(stream.head, piece, raw_buffer_.size());
    arena_.release(stream.head.buffer);
  } else if (last != FlowState::kNoByte && piece.size() < raw_buffer_.size() &&
             starts.may_begin(static_cast<std::uint8_t>(last), piece.front())) {
    std::memmove(&raw_buffer_[1], piece.data(), piece.size());
    raw_buffer_[0] = static_cast<std::uint8_t>(last);
    text = ByteSpan(raw_buffer_).first(piece.size() + 1);
  }
  last = text.back();
  judge_raw(step, text);
  if (stream.raw_scanned >= raw_scan_bytes_) {
    stream.raw_done = true;
    return;
  }
  const ByteSpan again = starts.unfinished(text.last(std::min(raw_overlap_, text.size())));
  if (!again.empty()) {
    (void)keep(step, stream.head, again);
  }
}

void Inspector::judge_raw(const Step& step, ByteSpan bytes) {
  if (!seat_->evaluator().prefilter_raw(bytes)) {
    return;
  }
  event::Event event = base_event(step, event::EventType::raw_match);
  event.raw = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  judge(step, event);
}

}  // namespace imds::detect
