// The answering direction of a stream, read as HTTP/1 responses: only where a request mattered, or
// the flow touches an endpoint. What an answer delivers is told by exchange_events.cc.
//
// An answer that comes before its request (the taps of two directions drain unevenly) waits in the
// arena, up to its largest block; its acknowledgment number says that there was a request. One
// whose request is never seen is read all the same.
#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "detect/inspector.h"
#include "http/ordinary_head.h"
#include "http/probe.h"

namespace imds::detect {

namespace {

// How long an answer waits for its request, as for bytes that the receiver has acknowledged.
constexpr std::int64_t kRequestGraceNs = 100'000'000;
constexpr std::uint32_t kRequestGracePackets = 16;

constexpr std::uint16_t kSwitchingProtocols = 101;

// Where nothing tells where the body ends.
constexpr http::BodyPlan kUnframed{http::BodyKind::until_close, true, 0};
constexpr std::uint64_t kEndless = ~std::uint64_t{0};  // BodySkipper::skippable() of it

// "text/plain; charset=utf-8" without parameters.
std::string_view mime_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') {
    content_type.remove_suffix(1);
  }
  return content_type;
}

std::string_view value_of(const http::Header* header) {
  return header != nullptr ? header->value : std::string_view();
}

evidence::Coding coding_of(const http::HeaderBlock& fields) {
  const std::string_view transfer = value_of(fields.find("transfer-encoding"));
  if (!transfer.empty() && !iequals(transfer, "chunked") && !iequals(transfer, "identity")) {
    return evidence::Coding::unknown;  // compressed on the way: nobody does, and not followed
  }
  return evidence::coding_of(value_of(fields.find("content-encoding")));
}

}  // namespace

// Whether responses of this stream are read.
bool Inspector::follows_answers(const Step& step) {
  return step.flow.client != step.index() && (step.flow.endpoint != classify::kNoEndpoint ||
                                              step.flow.exchange != FlowState::kNoExchange);
}

// Whether the server has acknowledged bytes of the client that were not read yet.
bool Inspector::is_request_under_way(const Step& step) {
  const unsigned client = 1 - step.index();
  const auto bit = static_cast<std::uint8_t>(1u << client);
  const flow::StreamCursor& cursor = step.flow.cursors[client];
  if ((step.flow.has_acknowledged & bit) == 0 || !cursor.started()) {
    return false;
  }
  const std::int32_t beyond = cursor.distance(step.flow.acknowledged[client]);
  const std::int32_t fin = (step.flow.closed & bit) != 0 ? 1 : 0;  // takes a number, too
  return beyond > fin && beyond <= static_cast<std::int32_t>(flow::StreamCursor::kPlausible);
}

// The stream's next bytes begin like a response, of which stream.head may hold the first. False: it
// is not to be read.
bool Inspector::begin_answer(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  const Exchange* const known = exchanges_.find(step.flow);
  const bool is_expected = known != nullptr && known->expects_answer();
  if (!is_expected && !waits_no_more_ && step.flow.client != step.index() &&
      is_request_under_way(step)) {
    if (keep(step, stream.head, bytes)) {
      Exchange& exchange = exchanges_.open(step.flow);
      exchange.held_since = step.packet.view->time;
      exchange.held_packets = 0;
      stream.phase = Phase::answer_waits;
      counters_.answers_waited.add();
      return true;
    }
    counters_.answers_waited_in_vain.add();
  }
  if (!follows_answers(step)) {
    return false;
  }
  stream.phase = Phase::answer_head;
  if (!stream.head.buffer.empty()) {
    (void)stream.head.finder.feed(arena_.bytes(stream.head.buffer), options_.head_bytes_max);
  }
  return true;
}

// More of an answer that waits. Returns what could not be kept, once the rest was read.
ByteSpan Inspector::hold_answer(const Step& step, ByteSpan bytes) {
  if (keep(step, step.stream.head, bytes)) {
    return {};
  }
  counters_.answers_waited_in_vain.add();
  release_answer(step);
  return bytes;
}

// After each packet of the flow: whether the request has come, or is waited for no longer.
void Inspector::review_waiting_answers(const PacketContext& packet, flow::Direction direction,
                                       FlowState& flow) {
  for (DirectionState& stream : flow.directions) {
    if (stream.phase != Phase::answer_waits) {
      continue;
    }
    const Step waiting{packet, flow, direction, stream};
    Exchange* const exchange = exchanges_.find(flow);
    const bool is_waiting =
        exchange != nullptr && !exchange->expects_answer() && is_request_under_way(waiting);
    if (is_waiting) {
      const std::int64_t waited = packet.view->time.ns - exchange->held_since.ns;
      const bool is_over = ++exchange->held_packets > kRequestGracePackets ||
                           waited > kRequestGraceNs || waited < -kRequestGraceNs;
      if (!is_over) {
        continue;
      }
      counters_.answers_waited_in_vain.add();
    }
    release_answer(waiting);
  }
}

// Reads what has waited. If no request mattered by now, none of it is followed.
void Inspector::release_answer(const Step& step) {
  DirectionState& stream = step.stream;
  const ByteSpan kept = arena_.bytes(stream.head.buffer);
  std::copy(kept.begin(), kept.end(), answer_buffer_.begin());
  const ByteSpan bytes = ByteSpan(answer_buffer_).first(kept.size());
  arena_.wipe(stream.head.buffer);
  const Exchange* const exchange = exchanges_.find(step.flow);
  const bool is_endpoints = step.flow.endpoint != classify::kNoEndpoint;
  if (exchange != nullptr && exchange->answers == 0 && !exchange->awaits_what_matters() &&
      !is_endpoints) {
    exchanges_.close(step.flow);
  }
  restart_probe(stream, false);
  waits_no_more_ = true;
  consume(step, bytes);
  waits_no_more_ = false;
  explicit_bzero(answer_buffer_.data(), bytes.size());
}

ByteSpan Inspector::consume_answer_head(const Step& step, ByteSpan bytes) {
  HeadCollector& collector = step.stream.head;
  if (collector.buffer.empty()) {
    const std::size_t size =
        http::read_ordinary_answer(bytes, options_.head_bytes_max, answer_head_);
    if (size > 0) {
      take_answer_head(step, true);
      return bytes.subspan(size);
    }
  }
  const auto found = collector.finder.feed(bytes, options_.head_bytes_max);
  const ByteSpan part = bytes.first(found.consumed);
  const bool whole = found.status == http::HeadEndFinder::Status::complete;
  const bool in_place = whole && collector.buffer.empty();
  const bool kept = !in_place && keep(step, collector, part);
  if (kept && found.status == http::HeadEndFinder::Status::need_more) {
    return {};
  }
  const ByteSpan head = in_place ? part
                        : kept   ? arena_.bytes(collector.buffer)
                                 : joined(collector, part);
  if (found.status == http::HeadEndFinder::Status::too_long) {
    counters_.head_too_long.add();
  }
  read_answer_head(step, head, whole);
  return bytes.subspan(found.consumed);
}

void Inspector::read_answer_head(const Step& step, ByteSpan head, bool whole) {
  DirectionState& stream = step.stream;
  if (http::parse_response_head(head, unfold_buffer_, answer_head_) != http::HeadStatus::ok) {
    counters_.answers_unparsable.add();
    stream.raw_done = true;
    become_opaque(step, {});
    return;
  }
  take_answer_head(step, whole);
}

// It was read into answer_head_.
void Inspector::take_answer_head(const Step& step, bool whole) {
  DirectionState& stream = step.stream;
  const std::uint16_t status = answer_head_.status;
  if (status < 200 && status != kSwitchingProtocols && whole) {
    counters_.answers_interim.add();
    restart_probe(stream, false);
    return;
  }
  counters_.answers.add();
  counters_.answers_incomplete.add(whole ? 0 : 1);
  Exchange& exchange = exchanges_.open(step.flow);
  begin_exchange_answer(exchange);
  const Answer& answer = exchange.answer;
  const bool matters = !answer.has_request || answer.request.mattered;
  if (matters) {
    tell_response(step, exchange);
  }
  const std::string_view method =
      answer.has_request ? note_text(answer.request, 0) : std::string_view();
  const http::BodyPlan plan = whole ? http::plan_response_body(answer_head_, method) : kUnframed;
  const evidence::Coding coding = coding_of(answer_head_.fields);
  restart_probe(stream, false);
  stream.body = http::BodySkipper(plan);
  if (matters) {
    read_answer_body(step, exchange, coding, whole);
  } else {
    exchanges_.drop(exchange.answer);
    skip_answer_body(step);
  }
}

// The stream goes on inside an answer whose head was not seen, or is something else altogether.
void Inspector::begin_unseen_answer(const Step& step) {
  Exchange& exchange = exchanges_.open(step.flow);
  exchanges_.drop(exchange.answer);
  exchange.answer = {};
  ++exchange.answers;
  counters_.answers_without_request.add();
  restart_probe(step.stream, true);
  step.stream.body = http::BodySkipper(kUnframed);
  read_answer_body(step, exchange, evidence::Coding::identity, false);
}

// The request it answers, and what its head says of it.
void Inspector::begin_exchange_answer(Exchange& exchange) {
  Answer& answer = exchange.answer;
  exchanges_.drop(answer);
  answer.delivery_told = answer.token_told = answer.is_at_end = false;
  ++exchange.answers;
  if (exchange.count > 0) {
    answer.request = exchange.waiting[exchange.first];
    exchange.waiting[exchange.first] = {};
    exchange.first = static_cast<std::uint8_t>((exchange.first + 1) % exchange.waiting.size());
    --exchange.count;
    answer.has_request = true;
  } else {
    exchange.unnoted -= exchange.unnoted > 0 ? 1 : 0;
    counters_.answers_without_request.add();
  }
  const http::HeaderBlock& fields = answer_head_.fields;
  answer.status = answer_head_.status;
  answer.server.assign(fields.server);
  answer.mime_type.assign(mime_type(fields.content_type));
  answer.token_ttl = 0;
  for (const char c : value_of(fields.find("x-aws-ec2-metadata-token-ttl-seconds"))) {
    if (c < '0' || c > '9' || answer.token_ttl > UINT32_MAX / 10 - 1) {
      answer.token_ttl = 0;
      break;
    }
    answer.token_ttl = answer.token_ttl * 10 + static_cast<std::uint32_t>(c - '0');
  }
}

// stream.body says how long it is; `whole`: its head was read to the end.
void Inspector::read_answer_body(const Step& step, Exchange& exchange, evidence::Coding coding,
                                 bool whole) {
  DirectionState& stream = step.stream;
  Answer& answer = exchange.answer;
  const bool is_user_data =
      answer.has_request && answer.request.asked == evidence::Asked::user_data;
  answer.body.begin(coding, options_.body_bytes_max, exchanges_.inflaters(), is_user_data);
  if (!whole) {
    answer.body.note_gap(0);
  }
  answer.is_open = true;
  if (stream.body.consume({}).status == http::SkipStatus::complete) {
    finish_answer(step, exchange);
  } else if (answer.body.is_over()) {
    finish_answer(step, exchange);
    skip_answer_body(step);
  } else {
    stream.phase = Phase::answer_body;
  }
}

// By its framing, unread.
void Inspector::skip_answer_body(const Step& step) {
  DirectionState& stream = step.stream;
  if (stream.body.skippable() == kEndless) {
    stream.raw_done = true;
    become_opaque(step, {});
  } else if (stream.body.consume({}).status == http::SkipStatus::complete) {
    restart_probe(stream, false);
  } else {
    stream.phase = Phase::http_body;
  }
}

ByteSpan Inspector::consume_answer_body(const Step& step, ByteSpan bytes) {
  DirectionState& stream = step.stream;
  Exchange* const exchange = exchanges_.find(step.flow);
  if (exchange == nullptr || !exchange->answer.is_open) {
    skip_answer_body(step);  // given up for another
    return bytes;
  }
  Answer& answer = exchange->answer;
  const bool may_be_next =
      (answer.body.losses() & evidence::kGap) != 0 && stream.body.skippable() == kEndless;
  if (may_be_next && http::starts_like_response(bytes) == http::Probe::yes) {
    finish_answer(step, *exchange);
    restart_probe(stream, true);
    return bytes;
  }
  while (!bytes.empty() && !answer.body.is_over()) {
    if (const std::uint64_t data = stream.body.skippable(); data > 0) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(data, bytes.size()));
      answer.body.feed(bytes.first(size));
      stream.body.skip(size);
      bytes = bytes.subspan(size);
    }
    // Of chunk framing one byte at a time; of the rest only whether it is complete.
    const std::size_t framing = stream.body.skippable() == 0 && !bytes.empty() ? 1 : 0;
    const http::Skipped skipped = stream.body.consume(bytes.first(framing));
    bytes = bytes.subspan(skipped.consumed);
    if (skipped.status == http::SkipStatus::complete) {
      finish_answer(step, *exchange);
      restart_probe(stream, false);
      return bytes;
    }
    if (skipped.status == http::SkipStatus::malformed) {
      answer.body.note_gap(0);
      stream.body = http::BodySkipper(kUnframed);
    }
  }
  if (answer.body.is_over()) {
    finish_answer(step, *exchange);
    skip_answer_body(step);
    return bytes;
  }
  if (answer.body.json().credentials() != nullptr) {
    tell_delivery(step, *exchange);
  }
  return {};
}

// Bytes of the direction were lost.
void Inspector::pass_answer_gap(const Step& step, bool countable, std::uint64_t missing) {
  DirectionState& stream = step.stream;
  if (stream.phase == Phase::answer_waits) {
    release_answer(step);
  }
  if (stream.phase == Phase::answer_head) {
    read_answer_head(step, arena_.bytes(stream.head.buffer), false);
    return;
  }
  Exchange* const exchange = exchanges_.find(step.flow);
  if (stream.phase != Phase::answer_body) {
    return;
  }
  if (exchange == nullptr || !exchange->answer.is_open) {
    restart_probe(stream, true);
    return;
  }
  evidence::ResponseBody& body = exchange->answer.body;
  if (countable && stream.body.pass_gap(missing)) {
    body.note_gap(missing);
  } else {
    body.note_gap(0);
    stream.body = http::BodySkipper(kUnframed);
  }
  const bool ends = stream.body.consume({}).status == http::SkipStatus::complete;
  if (ends || body.is_over()) {
    finish_answer(step, *exchange);
    if (ends) {
      restart_probe(stream, false);
    } else {
      skip_answer_body(step);
    }
  }
}

// The direction's FIN: what ends with the connection is told; more may still come, as the FIN may
// be forged.
void Inspector::note_answer_end(const Step& step) {
  Exchange* const exchange = exchanges_.find(step.flow);
  if (exchange != nullptr && exchange->answer.is_open && step.stream.body.skippable() == kEndless) {
    exchange->answer.is_at_end = true;
    tell_delivery(step, *exchange);
    tell_token(step, *exchange);
  }
}

// The flow is over: what there is of an answer.
void Inspector::end_answer(const Step& step) {
  DirectionState& stream = step.stream;
  if (stream.phase == Phase::answer_waits) {
    release_answer(step);
  }
  if (stream.phase == Phase::answer_head) {
    read_answer_head(step, arena_.bytes(stream.head.buffer), false);
  }
  Exchange* const exchange = exchanges_.find(step.flow);
  if (stream.phase == Phase::answer_body && exchange != nullptr && exchange->answer.is_open) {
    if (stream.body.skippable() != kEndless) {
      exchange->answer.body.note_loss(evidence::kUnfinished);
    }
    finish_answer(step, *exchange);
  }
  restart_probe(stream, true);
}

}  // namespace imds::detect
