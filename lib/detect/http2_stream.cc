// The client's direction of an HTTP/2 connection: its frames are walked, its header blocks
// decompressed and judged. Whatever makes that impossible leaves the connection blind: counted by
// reason, then read like any unknown protocol. Servers' directions are not decompressed.
#include "detect/inspector.h"

namespace imds::detect {

// The connection preface was read.
void Inspector::begin_http2(const Step& step) {
  counters_.http2_prefaces.add();
  note_requester(step);
  step.flow.http2 = true;
  arena_.release(step.stream.head.buffer);
  // The server's side is known not to be an unknown protocol.
  DirectionState& answers = step.flow.directions[&step.stream == &step.flow.directions[0] ? 1 : 0];
  if (answers.phase == Phase::opaque) {
    arena_.release(answers.head.buffer);
    answers.raw_done = true;
  }
  http2_.close(step.stream);
  if (http2_.open(step.stream, step.flow.of_interest) == nullptr) {
    blind_http2(step, Http2Blind::memory);
    return;
  }
  step.stream.phase = Phase::http2;
  step.stream.http2_skippable = 0;
  step.stream.strict = false;
}

// Returns what is left once the connection can no longer be followed; else nothing.
ByteSpan Inspector::consume_http2(const Step& step, ByteSpan bytes) {
  Http2Connection* const connection = http2_.find(step.stream);
  if (connection == nullptr) {
    blind_http2(step, Http2Blind::evicted);
    return bytes;
  }
  while (!bytes.empty()) {
    const http::Http2Piece piece = connection->walker.next(bytes);
    bytes = bytes.subspan(piece.consumed);
    if (piece.kind == http::Http2Piece::Kind::malformed) {
      end_http2_block(step);
      blind_http2(step, Http2Blind::malformed_frame);
      return bytes;
    }
    if (piece.kind == http::Http2Piece::Kind::fragment &&
        !take_http2_piece(step, *connection, piece)) {
      return bytes;
    }
  }
  step.stream.http2_skippable = connection->walker.skippable();
  return {};
}

// A header block that is whole in one segment, as nearly always, is decompressed where it lies.
// False: the connection went blind.
bool Inspector::take_http2_piece(const Step& step, Http2Connection& connection,
                                 const http::Http2Piece& piece) {
  HeadCollector& head = step.stream.head;
  ByteSpan block = piece.fragment;
  remember(step, block);
  if (!piece.begins_block || !piece.ends_block) {
    const bool fits = head.buffer.size() + block.size() <= options_.head_bytes_max;
    const bool kept = fits && keep(step, head, block);
    if (kept && !piece.ends_block) {
      return true;
    }
    block = kept ? arena_.bytes(head.buffer) : joined(head, block);
    if (!kept && (!fits || !piece.ends_block)) {
      if (!fits) {
        counters_.head_too_long.add();
      }
      (void)judge_http2_block(step, connection, block, false);
      blind_http2(step, fits ? Http2Blind::memory : Http2Blind::block_too_large);
      return false;
    }
  }
  const http::Http2Inflated inflated = judge_http2_block(step, connection, block, true);
  arena_.release(head.buffer);
  switch (inflated) {
    case http::Http2Inflated::ok:
      return true;
    case http::Http2Inflated::malformed:
      blind_http2(step, Http2Blind::compression);
      break;
    case http::Http2Inflated::table_too_large:
      blind_http2(step, Http2Blind::table_size);
      break;
    case http::Http2Inflated::no_memory:
      blind_http2(step, Http2Blind::memory);
      break;
  }
  return false;
}

// A block that is not whole, or is found faulty, is judged by what there is of it.
http::Http2Inflated Inspector::judge_http2_block(const Step& step, Http2Connection& connection,
                                                 ByteSpan bytes, bool whole) {
  http::Http2HeaderBlock block;
  const http::Http2Inflated inflated =
      http2_.inflate(connection, bytes, whole, {unfold_buffer_, headers_buffer_}, block);
  counters_.http2_header_blocks.add();
  if (block.truncated) {
    counters_.http2_blocks_cut.add();
  }
  if (block.is_request() && !connection.walker.is_promise()) {
    counters_.http_heads.add();
    counters_.http_heads_parsed.add();
    if (!whole || inflated != http::Http2Inflated::ok) {
      counters_.http_heads_incomplete.add();
    }
    inspect_http2_request(step, block);
  }
  return inflated;
}

// The same event as the same request in HTTP/1 raises, but for its version.
void Inspector::inspect_http2_request(const Step& step, const http::Http2HeaderBlock& block) {
  const std::string_view host = block.authority.data() != nullptr ? block.authority : block.host;
  event::Event event = request_event(step, block.method, block.target(), host);
  event.http.host = block.host;
  event.http.user_agent = block.user_agent;
  event.http.headers = block.headers;
  event.http.version = "2";
  judge(step, event);
}

// Judges the block under way; the connection cannot be followed after it.
void Inspector::end_http2_block(const Step& step) {
  HeadCollector& head = step.stream.head;
  if (head.buffer.empty()) {
    return;
  }
  if (Http2Connection* const connection = http2_.find(step.stream); connection != nullptr) {
    (void)judge_http2_block(step, *connection, arena_.bytes(head.buffer), false);
  }
  arena_.release(head.buffer);
}

// Bytes of the direction were lost: harmless inside DATA and everything else that is passed.
void Inspector::pass_http2_gap(const Step& step, bool countable, std::uint64_t missing) {
  Http2Connection* const connection = http2_.find(step.stream);
  if (connection == nullptr) {
    blind_http2(step, Http2Blind::evicted);
  } else if (!countable || !connection->walker.pass_gap(missing)) {
    end_http2_block(step);
    blind_http2(step, Http2Blind::gap);
  } else {
    step.stream.http2_skippable = connection->walker.skippable();
  }
}

// The flow is over. Only a block that stays unfinished makes more of it unreadable.
void Inspector::end_http2_stream(const Step& step) {
  if (step.stream.is_unfinished()) {
    end_http2_block(step);
    http2_.close(step.stream);
    become_opaque(step, {});
  }
}

// From here on the stream is read like an unknown protocol. A connection given up for another was
// counted then.
void Inspector::blind_http2(const Step& step, Http2Blind reason) {
  if (reason != Http2Blind::evicted) {
    counters_.http2_blind[static_cast<std::size_t>(reason)].add();
  }
  http2_.close(step.stream);
  become_opaque(step, {});
  report_http2_blind(step);
}

// Frames in the middle of a stream whose beginning was not seen. Counted once per flow, in
// whichever direction they are met first.
void Inspector::note_http2_mid_stream(const Step& step) {
  step.flow.http2 = true;
  counters_.http2_blind[static_cast<std::size_t>(Http2Blind::mid_stream)].add();
  report_http2_blind(step);
}

// Once per flow that touches an endpoint.
void Inspector::report_http2_blind(const Step& step) {
  if (step.flow.endpoint != classify::kNoEndpoint && !step.flow.http2_reported) {
    step.flow.http2_reported = true;
    judge(step, base_event(step, event::EventType::http2_mid_stream));
  }
}

std::uint64_t Inspector::http2_blind(Http2Blind reason) const {
  return reason == Http2Blind::evicted
             ? http2_.counters().evicted.get()
             : counters_.http2_blind[static_cast<std::size_t>(reason)].get();
}

}  // namespace imds::detect
