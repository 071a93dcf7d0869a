// One direction of a TCP stream, read as HTTP/1 requests.
#include <algorithm>
#include <array>
#include <cstring>

#include "detect/inspector.h"
#include "http/probe.h"
#include "http/sketch.h"

namespace imds::detect {

namespace {

// More than starts_like_request() ever needs.
constexpr std::size_t kProbeBytes = http::kMaxLeadingBlank + http::kMaxMethodLength + 16;
// HTTP/0.9 requests longer than this are not waited for.
constexpr std::size_t kLongestSimpleRequest = 4096;

bool ends_a_line(ByteSpan bytes) {
  return std::memchr(bytes.data(), '\n', bytes.size()) != nullptr;
}

}  // namespace

void Inspector::consume(const Step& step, ByteSpan segment) {
  DirectionState& stream = step.stream;
  const bool suspicious = (stream.phase == Phase::http_body || stream.phase == Phase::opaque) &&
                          http::may_start_http(http::first8(segment)) &&
                          http::starts_like_request(segment) == http::Probe::yes;
  if (suspicious && !stream.side_active) {
    counters_.segments_reprobed.add();
    if (stream.phase == Phase::opaque) {
      restart_probe(stream, true);
    } else {
      stream.side_active = true;
    }
  }

  // Where the main reading left the body it was in; up to there, requests are the side's.
  std::size_t main_from = stream.phase == Phase::http_body ? segment.size() : 0;
  for (ByteSpan bytes = segment; !bytes.empty();) {
    switch (stream.phase) {
      case Phase::probe:
        bytes = consume_probe(step, bytes);
        break;
      case Phase::http_head:
        bytes = consume_head(step, bytes);
        break;
      case Phase::http_body:
        bytes = consume_body(step, bytes);
        main_from = std::min(main_from, segment.size() - bytes.size());
        break;
      case Phase::opaque:
        scan_raw(step, bytes);
        bytes = {};
        break;
    }
  }
  if (stream.side_active) {
    consume_side(step, segment, main_from);
  }
}

// Returns the bytes still to be read: all of them once it is decided that a request begins.
ByteSpan Inspector::consume_probe(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  std::array<std::uint8_t, kProbeBytes> joined;
  ByteSpan first = bytes;
  if (!stream.head.buffer.empty()) {
    const ByteSpan kept = arena_.bytes(stream.head.buffer);
    const std::size_t from_kept = std::min(kept.size(), joined.size());
    const std::size_t from_new = std::min(bytes.size(), joined.size() - from_kept);
    std::copy_n(kept.begin(), from_kept, joined.begin());
    std::copy_n(bytes.begin(), from_new, joined.begin() + static_cast<std::ptrdiff_t>(from_kept));
    first = ByteSpan(joined).first(from_kept + from_new);
  }
  if (http::starts_like_http2(first) == http::Probe::yes) {
    counters_.http2_prefaces.add();
    become_opaque(step, bytes);
    return {};
  }
  if (http::starts_like_response(first) == http::Probe::yes) {
    stream.raw_done = true;
    become_opaque(step, bytes);
    return {};
  }
  switch (http::starts_like_request(first)) {
    case http::Probe::yes:
      stream.phase = Phase::http_head;
      if (!stream.head.buffer.empty()) {
        (void)stream.head.finder.feed(arena_.bytes(stream.head.buffer), options_.head_bytes_max);
      }
      return bytes;
    case http::Probe::need_more:
      if (first.size() < joined.size() && keep(step, stream.head, bytes)) {
        return {};
      }
      break;
    case http::Probe::no:
      break;
  }
  become_opaque(step, bytes);
  return {};
}

ByteSpan Inspector::consume_head(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  HeadCollector& collector = stream.head;
  const auto found = collector.finder.feed(bytes, options_.head_bytes_max);
  const ByteSpan part = bytes.first(found.consumed);
  // In one segment, as nearly always: looked at in place.
  if (found.status == http::HeadEndFinder::Status::complete && collector.buffer.empty()) {
    collector.finder.reset();
    head_complete(step, part);
    return bytes.subspan(found.consumed);
  }
  const bool kept = keep(step, collector, part);
  const ByteSpan head = kept || !collector.buffer.empty() ? arena_.bytes(collector.buffer) : part;
  if (!kept || found.status == http::HeadEndFinder::Status::too_long) {
    if (kept) {
      counters_.head_too_long.add();
    }
    inspect_partial_head(step, head);
    become_opaque(step, {});
    return {};
  }
  if (found.status == http::HeadEndFinder::Status::complete) {
    head_complete(step, head);
    arena_.release(collector.buffer);
    collector.finder.reset();
    return bytes.subspan(found.consumed);
  }
  if (!stream.strict && head.size() <= kLongestSimpleRequest && ends_a_line(part)) {
    if (const std::size_t size = http::simple_request_size(head); size > 0) {
      const std::size_t unread = head.size() - size;
      head_complete(step, head.first(size));
      arena_.release(collector.buffer);
      collector.finder.reset();
      return bytes.last(std::min(unread, bytes.size()));
    }
  }
  return {};
}

ByteSpan Inspector::consume_body(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  const http::Skipped skipped = stream.body.consume(bytes);
  if (skipped.status != http::SkipStatus::more) {
    restart_probe(stream, skipped.status == http::SkipStatus::malformed || stream.strict);
  }
  return bytes.subspan(skipped.consumed);
}

// The other reading of a segment in a body: it holds requests. Further requests that begin at or
// after `main_from` are the main reading's.
void Inspector::consume_side(const Step& step, ByteSpan segment, std::size_t main_from) {
  DirectionState& stream = step.stream;
  HeadCollector& side = stream.side;
  ByteSpan rest = segment;
  while (stream.side_active) {
    const auto found = side.finder.feed(rest, options_.head_bytes_max);
    const ByteSpan part = rest.first(found.consumed);
    const bool whole = found.status == http::HeadEndFinder::Status::complete;
    const bool in_place = whole && side.buffer.empty();
    const bool kept = in_place || keep(step, side, part);
    if (kept && found.status == http::HeadEndFinder::Status::need_more) {
      return;
    }
    const ByteSpan head = in_place || side.buffer.empty() ? part : arena_.bytes(side.buffer);
    inspect_partial_head(step, head);
    arena_.release(side.buffer);
    side.finder.reset();
    rest = rest.subspan(found.consumed);
    stream.side_active = whole && segment.size() - rest.size() < main_from &&
                         http::starts_like_request(rest) == http::Probe::yes;
  }
}

void Inspector::head_complete(const Step& step, ByteSpan head) {
  DirectionState& stream = step.stream;
  counters_.http_heads.add();
  const http::RequestSketch sketch = http::sketch_request(head);
  if (!sketch.valid) {
    counters_.http_heads_unparsable.add();
    become_opaque(step, {});
    return;
  }
  if (sketch.disguise != 0) {
    counters_.http_heads_disguised.add();
  }
  const bool needs_parsing = step.flow.of_interest || parses_every_head_ || stream.strict ||
                             sketch.disguise != 0 || evaluator_.prefilter(head);
  http::BodyPlan plan = sketch.body;
  if (needs_parsing) {
    counters_.http_heads_parsed.add();
    if (!parse(head, stream.strict)) {
      counters_.http_heads_unparsable.add();
      become_opaque(step, {});
      return;
    }
    plan = http::plan_request_body(head_);
  } else {
    counters_.http_heads_passed_over.add();
  }
  if (step.flow.client == FlowState::kClientUnknown) {
    step.flow.client = static_cast<std::uint8_t>(flow::index(step.direction));
  }
  if (needs_parsing) {
    inspect_parsed_head(step);
  }
  switch (plan.kind) {
    case http::BodyKind::none:
    case http::BodyKind::tunnel:
    case http::BodyKind::upgrade:
      restart_probe(stream, false);
      break;
    case http::BodyKind::length:
    case http::BodyKind::chunked:
      stream.body = http::BodySkipper(plan);
      stream.phase = Phase::http_body;
      break;
    case http::BodyKind::until_close:
      stream.phase = Phase::opaque;
      stream.raw_done = true;
      break;
  }
}

// What there is of a head that will not be completed.
void Inspector::flush(const Step& step, HeadCollector& collector) {
  if (!collector.buffer.empty()) {
    inspect_partial_head(step, arena_.bytes(collector.buffer));
  }
  arena_.release(collector.buffer);
  collector.finder.reset();
}

void Inspector::restart_probe(DirectionState& stream, bool strict) {
  arena_.release(stream.head.buffer);
  stream.head.finder.reset();
  stream.phase = Phase::probe;
  stream.strict = strict;
}

void Inspector::become_opaque(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  stream.phase = Phase::opaque;
  if (!stream.head.buffer.empty()) {
    // Short beginnings that turned out not to be a request take part in the raw scan.
    if (!bytes.empty() && options_.raw_scan_bytes > 0) {
      const ByteSpan kept = arena_.bytes(stream.head.buffer);
      std::array<std::uint8_t, kProbeBytes> copy;
      const std::size_t size = std::min(kept.size(), copy.size());
      std::copy_n(kept.begin(), size, copy.begin());
      arena_.release(stream.head.buffer);
      scan_raw(step, ByteSpan(copy).first(size));
    } else {
      arena_.release(stream.head.buffer);
    }
  }
  stream.head.finder.reset();
  if (!bytes.empty()) {
    scan_raw(step, bytes);
  }
}

// Bytes of the arena that may be in use for this stream to take more. What matters more finds room
// when the rest does not: nobody's unknown streams or unfinished heads crowd out an endpoint's.
std::uint64_t Inspector::arena_share(const Step& step) const {
  const std::uint64_t all = arena_.counters().bytes_capacity.get();
  if (step.flow.of_interest) {
    return all;
  }
  return step.stream.phase == Phase::opaque ? all / 2 : all - all / 8;
}

bool Inspector::keep(const Step& step, HeadCollector& collector, ByteSpan bytes) {
  if (arena_.counters().bytes_in_use.get() > arena_share(step)) {
    counters_.arena_exhausted.add();
    return false;
  }
  switch (arena_.append(collector.buffer, bytes)) {
    case flow::AppendResult::ok:
      return true;
    case flow::AppendResult::head_too_long:
      counters_.head_too_long.add();
      return false;
    case flow::AppendResult::arena_full:
      counters_.arena_exhausted.add();
      return false;
  }
  return false;
}

}  // namespace imds::detect
