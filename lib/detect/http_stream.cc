// One direction of a TCP stream, read as HTTP/1 requests.
#include <algorithm>
#include <array>
#include <cstring>

#include "detect/inspector.h"
#include "http/http2_frames.h"
#include "http/ordinary_head.h"
#include "http/probe.h"
#include "http/sketch.h"

namespace imds::detect {

namespace {

// More than starts_like_request() and read_preamble() ever need.
constexpr std::size_t kProbeBytes = http::kLongestPreamble + 40;
static_assert(kProbeBytes > http::kMaxLeadingBlank + http::kMaxMethodLength + 16);
// HTTP/0.9 requests longer than this are not waited for.
constexpr std::size_t kLongestSimpleRequest = 4096;

bool ends_a_line(ByteSpan bytes) {
  return std::memchr(bytes.data(), '\n', bytes.size()) != nullptr;
}

http::LineTrust trust_of(const DirectionState& stream) {
  return stream.strict ? http::LineTrust::guessed : http::LineTrust::any;
}

// For sure, and no other beginning: nothing else that is looked for begins with these bytes.
bool begins_answer(ByteSpan bytes) {
  return !bytes.empty() && bytes[0] == 'H' && http::starts_like_response(bytes) == http::Probe::yes;
}

// The first word of a request's head.
std::string_view method_of(ByteSpan head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  const std::size_t begin = std::min(text.find_first_not_of("\r\n"), text.size());
  return text.substr(begin, text.find_first_of(" \t", begin) - begin);
}

// Blank lines before a request or between requests mean nothing, however many.
ByteSpan without_blank_lines(ByteSpan bytes) {
  const auto first = std::find_if(bytes.begin(), bytes.end(),
                                  [](std::uint8_t c) { return c != '\r' && c != '\n'; });
  return bytes.subspan(static_cast<std::size_t>(first - bytes.begin()));
}

// The quick look at bytes that are otherwise skipped.
bool looks_like_request(ByteSpan bytes) {
  return http::may_start_http(http::first8(bytes)) &&
         http::starts_like_request(bytes) == http::Probe::yes;
}

}  // namespace

void Inspector::consume(const Step& step, ByteSpan segment) {
  DirectionState& stream = step.stream;
  if (stream.phase == Phase::opaque && looks_like_request(segment)) {
    counters_.segments_reprobed.add();
    restart_probe(stream, true);
  }
  if (stream.phase == Phase::opaque && segment[0] == 'H' && follows_answers(step) &&
      http::starts_like_response(segment) == http::Probe::yes) {
    restart_probe(stream, false);
  }
  const bool undecided = stream.phase == Phase::opaque || stream.phase == Phase::probe;
  if (undecided && stream.strict && !step.flow.http2 && http::may_be_http2_frame(segment) &&
      http::looks_like_http2_frames(segment)) {
    note_http2_mid_stream(step);
  }
  // The side reads a segment once, from where its request begins to the segment's end.
  bool side_has_read = false;
  const bool in_body = stream.phase == Phase::http_body || stream.phase == Phase::answer_body;
  if (stream.side_active && !in_body && stream.phase != Phase::hunt) {
    side_has_read = consume_side(step, segment, 0);
  }
  for (ByteSpan bytes = segment; !bytes.empty();) {
    switch (stream.phase) {
      case Phase::probe:
        if (const std::size_t size = consume_ordinary_head(step, bytes); size > 0) {
          bytes = bytes.subspan(size);
        } else {
          bytes = consume_probe(step, bytes);
        }
        break;
      case Phase::http_head:
        bytes = consume_head(step, bytes);
        break;
      case Phase::http_body:
      case Phase::answer_body: {
        // Here a body or a segment of it begins.
        const ByteSpan body = bytes;
        if (!stream.side_active && looks_like_request(body)) {
          counters_.segments_reprobed.add();
          stream.side_active = true;
          stream.side_second = step.packet.second_reading;
        }
        bytes = stream.phase == Phase::http_body ? consume_body(step, body)
                                                 : consume_answer_body(step, body);
        if (stream.side_active && !side_has_read && stream.phase != Phase::hunt) {
          side_has_read = consume_side(step, body, body.size() - bytes.size());
        }
        break;
      }
      case Phase::http2:
        bytes = consume_http2(step, bytes);
        break;
      case Phase::answer_waits:
        bytes = hold_answer(step, bytes);
        break;
      case Phase::answer_head:
        bytes = consume_answer_head(step, bytes);
        break;
      case Phase::hunt:
        hunt(step, bytes);
        bytes = {};
        break;
      case Phase::opaque:
        scan_raw(step, bytes);
        bytes = {};
        break;
    }
  }
}

// What nearly every client sends: a whole head without anything odd. Returns its size; 0 if it is
// something else, of which nothing was read.
std::size_t Inspector::consume_ordinary_head(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (!stream.head.buffer.empty()) {
    return 0;
  }
  const http::OrdinaryHead found = http::read_ordinary_head(bytes, options_.head_bytes_max, head_);
  if (found.size == 0) {
    return 0;
  }
  const ByteSpan head = bytes.first(found.size);
  remember(step, head);
  counters_.http_heads.add();
  if (found.disguise != 0) {
    counters_.http_heads_disguised.add();
  }
  const bool needs_judging = this->needs_judging(step, head, found.disguise != 0, found.body);
  note_requester(step);
  if (needs_judging) {
    counters_.http_heads_parsed.add();
    inspect_parsed_head(step, Place::stream);
  } else {
    counters_.http_heads_passed_over.add();
    note_passed_request(step, head_.method);
  }
  follow_body(step, head, found.body);
  return found.size;
}

// Returns the bytes still to be read: all of them once it is decided that a request begins.
ByteSpan Inspector::consume_probe(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (stream.head.buffer.empty() && begins_answer(bytes)) {
    return consume_first_of_answer(step, bytes);
  }
  std::array<std::uint8_t, kProbeBytes> joined;
  ByteSpan first = bytes;
  std::size_t from_kept = 0;
  if (!stream.head.buffer.empty()) {
    const ByteSpan kept = arena_.bytes(stream.head.buffer);
    from_kept = std::min(kept.size(), joined.size());
    const std::size_t from_new = std::min(bytes.size(), joined.size() - from_kept);
    std::copy_n(kept.begin(), from_kept, joined.begin());
    std::copy_n(bytes.begin(), from_new, joined.begin() + static_cast<std::ptrdiff_t>(from_kept));
    first = ByteSpan(joined).first(from_kept + from_new);
  }
  const http::Preamble preamble = http::read_preamble(first, stream.preamble);
  if (preamble.verdict == http::Probe::yes) {
    return pass_preamble(step, preamble, bytes.subspan(preamble.size - from_kept));
  }
  if (preamble.verdict == http::Probe::no && without_blank_lines(first.first(from_kept)).empty()) {
    arena_.release(stream.head.buffer);
    bytes = first = without_blank_lines(bytes);
    if (bytes.empty()) {
      return {};
    }
  }
  const http::Probe http2 = http::starts_like_http2(first);
  const http::Probe response = http::starts_like_response(first);
  const http::Probe request = http::starts_like_request(first);
  if (http2 == http::Probe::yes) {
    const std::size_t kept = stream.head.buffer.size();
    begin_http2(step);
    return bytes.subspan(http::kHttp2Preface.size() - kept);
  }
  if (response == http::Probe::yes) {
    return consume_first_of_answer(step, bytes);
  }
  if (request == http::Probe::yes && http2 == http::Probe::no) {
    stream.phase = Phase::http_head;
    if (!stream.head.buffer.empty()) {
      (void)stream.head.finder.feed(arena_.bytes(stream.head.buffer), options_.head_bytes_max);
    }
    return bytes;
  }
  const bool undecided = request != http::Probe::no || response == http::Probe::need_more ||
                         http2 == http::Probe::need_more ||
                         preamble.verdict == http::Probe::need_more;
  if (undecided && first.size() < joined.size() && keep(step, stream.head, bytes)) {
    return {};
  }
  if (stream.strict && step.flow.endpoint != classify::kNoEndpoint && follows_answers(step) &&
      !step.flow.http2) {
    judge_raw(step, bytes);
    begin_unseen_answer(step);
    return bytes;
  }
  become_opaque(step, bytes);
  return {};
}

// `bytes`, behind what stream.head holds, begin like an answer.
ByteSpan Inspector::consume_first_of_answer(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  if (begin_answer(step, bytes)) {
    return stream.phase == Phase::answer_head ? bytes : ByteSpan();
  }
  // A server's answer is not an unknown protocol; a client that sends one speaks such.
  stream.raw_done = stream.raw_done || step.flow.client != step.index();
  become_opaque(step, bytes);
  return {};
}

ByteSpan Inspector::consume_head(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  HeadCollector& collector = stream.head;
  const auto found = collector.finder.feed(bytes, options_.head_bytes_max);
  const ByteSpan part = bytes.first(found.consumed);
  const bool complete = found.status == http::HeadEndFinder::Status::complete;
  // In one segment, as nearly always: looked at in place.
  if (complete && collector.buffer.empty()) {
    head_complete(step, part);
    return bytes.subspan(found.consumed);
  }
  if (!keep(step, collector, part)) {
    const ByteSpan head = joined(collector, part);
    if (complete) {
      head_complete(step, head);
      return bytes.subspan(found.consumed);
    }
    end_partial_head(step, head);
    return {};
  }
  const ByteSpan head = arena_.bytes(collector.buffer);
  if (complete) {
    head_complete(step, head);
    return bytes.subspan(found.consumed);
  }
  if (found.status == http::HeadEndFinder::Status::too_long) {
    counters_.head_too_long.add();
    end_partial_head(step, head);
    return {};
  }
  if (!stream.strict && head.size() <= kLongestSimpleRequest) {
    const std::size_t size =
        ends_a_line(part) ? http::simple_request_size(head) : http::bare_cr_head_size(head);
    if (size > 0) {
      const std::size_t unread = head.size() - size;
      head_complete(step, head.first(size));
      return bytes.last(std::min(unread, bytes.size()));
    }
  }
  return {};
}

ByteSpan Inspector::consume_body(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  const http::Skipped skipped = stream.body.consume(bytes);
  const bool in_doubt = stream.body.ambiguous() || skipped.status == http::SkipStatus::malformed;
  if (in_doubt) {
    flush_side(step);
    begin_hunt(step, {});
    return bytes;
  }
  if (skipped.status != http::SkipStatus::more) {
    restart_probe(stream, stream.strict);
  }
  return bytes.subspan(skipped.consumed);
}

// The other reading of the first `body_size` bytes: they hold requests. One that begins there may
// go on behind the body; those that begin behind it are the main reading's. True if a head is not
// complete yet: all bytes are read.
bool Inspector::consume_side(const Step& step, ByteSpan bytes, std::size_t body_size) {
  DirectionState& stream = step.stream;
  HeadCollector& side = stream.side;
  PacketContext packet = step.packet;
  packet.second_reading = stream.side_second;
  const Step reading{packet, step.flow, step.direction, stream};
  ByteSpan rest = bytes;
  while (stream.side_active) {
    const auto found = side.finder.feed(rest, options_.head_bytes_max);
    const ByteSpan part = rest.first(found.consumed);
    const bool whole = found.status == http::HeadEndFinder::Status::complete;
    const bool in_place = whole && side.buffer.empty();
    const bool kept = !in_place && keep(step, side, part);
    if (kept && found.status == http::HeadEndFinder::Status::need_more) {
      return true;
    }
    const ByteSpan head = in_place ? part : kept ? arena_.bytes(side.buffer) : joined(side, part);
    (void)inspect_partial_head(reading, head, http::LineTrust::versioned);
    arena_.release(side.buffer);
    side.finder.reset();
    rest = rest.subspan(found.consumed);
    stream.side_active = whole && bytes.size() - rest.size() < body_size &&
                         http::starts_like_request(rest) == http::Probe::yes;
  }
  return false;
}

// Whether a rule may hold for the head, or the prefilter cannot tell.
bool Inspector::needs_judging(const Step& step, ByteSpan head, bool disguised,
                              const http::BodyPlan& body) {
  return step.flow.of_interest || parses_every_head_ || step.stream.strict || disguised ||
         body.conflicting || !tunnel_host(step.stream).empty() ||
         seat_->evaluator().prefilter(head);
}

void Inspector::head_complete(const Step& step, ByteSpan head) {
  DirectionState& stream = step.stream;
  remember(step, head);
  counters_.http_heads.add();
  const http::RequestSketch sketch = http::sketch_request(head);
  if (!sketch.valid) {
    counters_.http_heads_unparsable.add();
    take_as_raw(step, head);
    return;
  }
  if (sketch.disguise != 0) {
    counters_.http_heads_disguised.add();
  }
  const bool needs_parsing = needs_judging(step, head, sketch.disguise != 0, sketch.body);
  http::BodyPlan plan = sketch.body;
  if (needs_parsing) {
    counters_.http_heads_parsed.add();
    if (!parse(head, trust_of(stream))) {
      counters_.http_heads_unparsable.add();
      take_as_raw(step, head);
      return;
    }
    plan = http::plan_request_body(head_);
  } else {
    counters_.http_heads_passed_over.add();
  }
  note_requester(step);
  if (needs_parsing) {
    inspect_parsed_head(step, Place::stream);
  } else {
    note_passed_request(step, method_of(head));
  }
  follow_body(step, head, plan);
}

// `head` is judged: what follows is its body, or another message.
void Inspector::follow_body(const Step& step, ByteSpan head, const http::BodyPlan& plan) {
  DirectionState& stream = step.stream;
  if (plan.conflicting) {
    // With a bare CR, what looks like a header may be another request.
    const std::size_t line = head_.fields.bare_cr ? head_.fields.bytes.data() - head.data() : 0;
    begin_hunt(step, line > 0 ? head.subspan(line) : ByteSpan{});
    return;
  }
  restart_probe(stream, false);
  switch (plan.kind) {
    case http::BodyKind::none:
    case http::BodyKind::tunnel:
    case http::BodyKind::upgrade:
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

// What began like a request and was none takes part in the raw scan of its stream. `head` may lie
// in the arena.
void Inspector::take_as_raw(const Step& step, ByteSpan head) {
  if (head.data() != raw_buffer_.data()) {
    std::copy(head.begin(), head.end(), raw_buffer_.begin());
  }
  become_opaque(step, {});
  scan_raw(step, ByteSpan(raw_buffer_).first(head.size()));
}

// What there is of the head, which will not be completed.
void Inspector::flush(const Step& step) {
  DirectionState& stream = step.stream;
  if (!stream.head.buffer.empty()) {
    end_partial_head(step, arena_.bytes(stream.head.buffer));
  }
  restart_probe(stream, true);
}

void Inspector::end_partial_head(const Step& step, ByteSpan head) {
  if (inspect_partial_head(step, head, trust_of(step.stream))) {
    become_opaque(step, {});
  } else {
    take_as_raw(step, head);
  }
}

void Inspector::flush_side(const Step& step) {
  HeadCollector& side = step.stream.side;
  if (step.stream.phase == Phase::hunt) {
    flush_hunt(step);
    return;
  }
  if (step.stream.side_active && !side.buffer.empty()) {
    PacketContext packet = step.packet;
    packet.second_reading = step.stream.side_second;
    (void)inspect_partial_head({packet, step.flow, step.direction, step.stream},
                               arena_.bytes(side.buffer), http::LineTrust::versioned);
  }
  arena_.release(side.buffer);
  side.finder.reset();
  step.stream.side_active = false;
}

void Inspector::restart_probe(DirectionState& stream, bool strict) {
  arena_.release(stream.head.buffer);
  stream.head.finder.reset();
  stream.phase = Phase::probe;
  stream.strict = strict;
  forget_tunnel(stream);
}

void Inspector::become_opaque(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  stream.phase = Phase::opaque;
  step.flow.last_raw_byte[step.index()] = FlowState::kNoByte;
  forget_tunnel(stream);
  if (!stream.head.buffer.empty()) {
    // Short beginnings that turned out not to be a request take part in the raw scan.
    if (!bytes.empty() && raw_scan_bytes_ > 0) {
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

// What the collector holds and the bytes behind it, `most` in all, in one piece of working memory.
ByteSpan Inspector::joined(const HeadCollector& collector, ByteSpan bytes, std::size_t most) {
  std::size_t size = 0;
  if (!collector.buffer.empty()) {
    const ByteSpan kept = arena_.bytes(collector.buffer);
    std::copy(kept.begin(), kept.end(), raw_buffer_.begin());
    size = kept.size();
  }
  const std::size_t more = std::min(bytes.size(), most - std::min(size, most));
  std::copy_n(bytes.begin(), more, raw_buffer_.begin() + static_cast<std::ptrdiff_t>(size));
  return ByteSpan(raw_buffer_).first(size + more);
}

}  // namespace imds::detect
