// A stream whose framing is in doubt: Content-Length against Transfer-Encoding, sizes written
// oddly, lines that end in a bare CR. Readers differ in where the next request begins, so none is
// followed: every place where a request line stands is taken for the beginning of a request.
#include <algorithm>
#include <cstring>

#include "detect/inspector.h"
#include "http/find_request.h"

namespace imds::detect {

namespace {

// Requests looked for inside another's head before going on behind it.
constexpr unsigned kMostNested = 16;

}  // namespace

// From here on. `behind` are bytes already read that another reader may take for what follows the
// head; they may lie in the arena.
void Inspector::begin_hunt(const Step& step, ByteSpan behind) {
  DirectionState& stream = step.stream;
  counters_.framings_in_doubt.add();
  flush_side(step);
  if (!behind.empty()) {  // null otherwise, which memmove may not be given
    std::memmove(raw_buffer_.data(), behind.data(), behind.size());
  }
  release(stream);
  stream.side_active = false;
  stream.phase = Phase::hunt;
  hunt_in(step, ByteSpan(raw_buffer_).first(behind.size()), false);
}

void Inspector::hunt(const Step& step, ByteSpan segment) {
  HeadCollector& side = step.stream.side;
  const bool was_collecting = step.stream.side_active;
  if (was_collecting) {
    const auto found = side.finder.feed(segment, options_.head_bytes_max);
    if (found.status == http::HeadEndFinder::Status::need_more && keep(step, side, segment)) {
      return;
    }
  }
  ByteSpan text = segment;
  if (!side.buffer.empty()) {
    text = joined(side, segment, raw_buffer_.size());
    arena_.release(side.buffer);
  }
  step.stream.side_active = false;
  if (!hunt_in(step, text, false)) {
    take_hunted_as_raw(step, was_collecting ? text : segment);
  }
}

// Bytes in which no request was found.
void Inspector::take_hunted_as_raw(const Step& step, ByteSpan bytes) {
  if (bytes.data() == raw_buffer_.data()) {
    arena_.release(step.stream.head.buffer);  // no room to join the overlap in front
  }
  scan_raw(step, bytes);
}

// Judges the requests in `text`, and with `is_all` also what there is of the last. What may go on
// is kept. False if there was none.
bool Inspector::hunt_in(const Step& step, ByteSpan text, bool is_all) {
  HeadCollector& side = step.stream.side;
  side.finder.reset();
  std::size_t at = 0;
  std::size_t behind = 0;  // the last head
  unsigned nested = 0;
  bool any = false;
  while (const auto request = http::find_request(text, at)) {
    const ByteSpan rest = text.subspan(request->begin);
    http::HeadEndFinder finder;
    const auto found = finder.feed(rest, options_.head_bytes_max);
    if (found.status == http::HeadEndFinder::Status::need_more && !is_all &&
        keep(step, side, rest)) {
      side.finder = finder;
      step.stream.side_active = true;
      return true;
    }
    any |= inspect_partial_head(step, rest.first(found.consumed), http::LineTrust::versioned);
    nested = request->begin < behind ? nested + 1 : 0;
    behind = std::max(behind, request->begin + found.consumed);
    at = nested < kMostNested ? request->next : behind;
  }
  if (!is_all) {
    const ByteSpan unread = text.subspan(std::min(at, text.size()));
    (void)keep(step, side, unread.last(std::min(unread.size(), http::kRequestTail)));
  }
  return any;
}

// What was kept will not go on.
void Inspector::flush_hunt(const Step& step) {
  HeadCollector& side = step.stream.side;
  const ByteSpan text = joined(side, {}, raw_buffer_.size());
  arena_.release(side.buffer);
  if (step.stream.side_active) {
    step.stream.side_active = false;
    if (!hunt_in(step, text, true)) {
      take_hunted_as_raw(step, text);
    }
  }
  side.finder.reset();
}

}  // namespace imds::detect
