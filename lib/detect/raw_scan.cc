// Streams that are not HTTP: the rules' strings are looked for in their first bytes. A string cut
// by a segment boundary is found, because the end of one piece is scanned again with the next.
#include <algorithm>

#include "detect/inspector.h"
#include "tls.h"

namespace imds::detect {

void Inspector::scan_raw(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (stream.raw_done) {
    return;
  }
  // Flows with an endpoint are never bypassed: nothing encrypted has any business there.
  const bool bypass =
      stream.raw_scanned == 0 && step.flow.endpoint == classify::kNoEndpoint && is_tls(bytes);
  if (options_.raw_scan_bytes == 0 || bypass) {
    stream.raw_done = true;
    return;
  }
  const std::size_t left = options_.raw_scan_bytes - stream.raw_scanned;
  const ByteSpan piece = bytes.first(std::min(bytes.size(), left));
  stream.raw_scanned += static_cast<std::uint32_t>(piece.size());

  ByteSpan joined = piece;
  if (!stream.head.buffer.empty()) {
    const ByteSpan tail = arena_.bytes(stream.head.buffer);
    std::copy(tail.begin(), tail.end(), raw_buffer_.begin());
    std::copy(piece.begin(), piece.end(),
              raw_buffer_.begin() + static_cast<std::ptrdiff_t>(tail.size()));
    joined = ByteSpan(raw_buffer_).first(tail.size() + piece.size());
    arena_.release(stream.head.buffer);
  }
  judge_raw(step, joined);
  if (stream.raw_scanned >= options_.raw_scan_bytes) {
    stream.raw_done = true;
  } else if (raw_overlap_ > 0) {
    (void)keep(step, stream.head, joined.last(std::min(raw_overlap_, joined.size())));
  }
}

void Inspector::judge_raw(const Step& step, ByteSpan bytes) {
  if (!evaluator_.prefilter_raw(bytes)) {
    return;
  }
  event::Event event = base_event(step, event::EventType::raw_match);
  event.raw = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  judge(step, event);
}

}  // namespace imds::detect
