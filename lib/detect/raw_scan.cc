// Streams that are not HTTP: the rules' strings are looked for in their first bytes. A string cut
// by a segment boundary is found, because the end of one piece is scanned again with the next.
#include <algorithm>
#include <cstring>

#include "detect/inspector.h"

namespace imds::detect {

namespace {

// Protocols in which no plain string can stand: TLS records (RFC 8446, 5.1) and SSH (RFC 4253,
// 4.2). Segments that pretend are still compared with request methods, one by one.
bool is_encrypted(ByteSpan first) {
  const bool tls = first.size() >= 3 && first[0] >= 0x14 && first[0] <= 0x17 && first[1] == 0x03 &&
                   first[2] <= 0x04;
  const bool ssh = first.size() >= 4 && std::memcmp(first.data(), "SSH-", 4) == 0;
  return tls || ssh;
}

}  // namespace

void Inspector::scan_raw(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (stream.raw_done) {
    return;
  }
  // Flows with an endpoint are never bypassed: nothing encrypted has any business there.
  const bool bypass =
      stream.raw_scanned == 0 && step.flow.endpoint == classify::kNoEndpoint && is_encrypted(bytes);
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
