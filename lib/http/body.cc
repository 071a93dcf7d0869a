#include "http/body.h"

#include <algorithm>
#include <limits>

#include "text.h"

namespace imds::http {

namespace {

BodyPlan plan_framed(const Framing& framing, BodyKind otherwise) {
  BodyPlan plan;
  plan.conflicting =
      framing.bad_content_length || framing.ambiguous ||
      (framing.has_transfer_encoding && (framing.has_content_length || !framing.chunked));
  if (framing.has_transfer_encoding) {
    plan.kind = framing.chunked ? BodyKind::chunked : BodyKind::none;
  } else if (framing.bad_content_length) {
    plan.kind = BodyKind::none;
  } else if (framing.has_content_length) {
    plan.kind = framing.content_length > 0 ? BodyKind::length : BodyKind::none;
    plan.length = framing.content_length;
  } else {
    plan.kind = otherwise;
  }
  return plan;
}

}  // namespace

BodyPlan plan_body(std::string_view method, const Framing& framing) {
  if (method == "CONNECT") {
    return {BodyKind::tunnel, false, 0};
  }
  return plan_framed(framing, framing.upgrade() ? BodyKind::upgrade : BodyKind::none);
}

BodyPlan plan_request_body(const RequestHead& head) {
  BodyPlan plan = plan_body(head.method, head.fields.framing);
  // HTTP/1.0 knows no transfer codings: its framing is faulty (RFC 9112, 6.1).
  plan.conflicting = plan.conflicting || head.fields.bare_cr ||
                     (head.version != Version::http11 && head.fields.framing.has_transfer_encoding);
  return plan;
}

BodyPlan plan_response_body(const ResponseHead& head, std::string_view request_method) {
  if (head.status == 101) {
    return {BodyKind::upgrade, false, 0};
  }
  if (head.status < 200 || head.status == 204 || head.status == 304 || request_method == "HEAD") {
    return {};
  }
  if (request_method == "CONNECT" && head.status < 300) {
    return {BodyKind::tunnel, false, 0};
  }
  BodyPlan plan = plan_framed(head.fields.framing, BodyKind::until_close);
  // Faulty framing of an answer ends with the connection (RFC 9112, 6.3).
  if (plan.conflicting && plan.kind == BodyKind::none) {
    plan.kind = BodyKind::until_close;
  }
  return plan;
}

void ChunkSkipper::skip(std::uint64_t count) {
  remaining_ -= std::min(count, skippable());
  if (state_ == State::data && remaining_ == 0) {
    state_ = State::data_end;
  }
}

ChunkSkipper::State ChunkSkipper::after_size() {
  line_ = 0;
  ambiguous_ = ambiguous_ || remaining_ >= kUnlikelyChunk;
  return remaining_ == 0 ? State::trailer_first : State::data;
}

ChunkSkipper::State ChunkSkipper::step(std::uint8_t byte) {
  const char c = static_cast<char>(byte);
  const bool in_trailer = state_ == State::trailer_first || state_ == State::trailer;
  if (++line_ > (in_trailer ? kMostTrailerBytes : kLongestLine)) {
    return State::malformed;
  }
  switch (state_) {
    case State::size_first: {
      const int digit = hex_value(c);
      remaining_ = static_cast<std::uint64_t>(std::max(digit, 0));
      return digit < 0 ? State::malformed : State::size;
    }
    case State::size:
      if (const int digit = hex_value(c); digit >= 0) {
        // Another digit would reach 2^63.
        if (remaining_ >> 59 != 0) {
          return State::malformed;
        }
        remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
        return State::size;
      }
      [[fallthrough]];
    case State::size_blank:
      switch (c) {
        case ';':
          return State::extension;
        case '\r':
          return State::size_lf;
        case '\n':
          ambiguous_ = true;
          return after_size();
        default:
          return is_blank(c) ? State::size_blank : State::malformed;
      }
    case State::extension:
      // Its CR goes unseen here: a line feed that none preceded, or a CR that none followed.
      ambiguous_ = ambiguous_ || (c == '\n') != after_cr_;
      after_cr_ = c == '\r';
      return c == '\n' ? after_size() : State::extension;
    case State::size_lf:
      return c == '\n' ? after_size() : State::malformed;
    case State::data_end:
      if (c == '\r') {
        return State::data_lf;
      }
      ambiguous_ = true;
      [[fallthrough]];
    case State::data_lf:
      line_ = 0;
      return c == '\n' ? State::size_first : State::malformed;
    case State::trailer_first:
      if (c == '\n') {
        return State::complete;
      }
      return c == '\r' ? State::end_lf : State::trailer;
    case State::trailer:
      return c == '\n' ? State::trailer_first : State::trailer;
    case State::end_lf:
      return c == '\n' ? State::complete : State::malformed;
    case State::data:
    case State::complete:
    case State::malformed:
      break;
  }
  return state_;
}

Skipped ChunkSkipper::consume(ByteSpan bytes) {
  std::size_t i = 0;
  while (state_ != State::complete && state_ != State::malformed && i < bytes.size()) {
    if (state_ == State::data) {
      const std::uint64_t count = std::min<std::uint64_t>(remaining_, bytes.size() - i);
      skip(count);
      i += static_cast<std::size_t>(count);
      continue;
    }
    state_ = step(bytes[i]);
    if (state_ != State::malformed) {
      ++i;
    }
  }
  switch (state_) {
    case State::complete:
      return {i, SkipStatus::complete};
    case State::malformed:
      return {i, SkipStatus::malformed};
    default:
      return {i, SkipStatus::more};
  }
}

BodySkipper::BodySkipper(const BodyPlan& plan) : kind_(plan.kind) {
  chunks_.remaining_ = plan.kind == BodyKind::length ? plan.length : 0;
}

std::uint64_t BodySkipper::skippable() const {
  switch (kind_) {
    case BodyKind::length:
      return chunks_.remaining_;
    case BodyKind::chunked:
      return chunks_.skippable();
    case BodyKind::until_close:
      return std::numeric_limits<std::uint64_t>::max();
    default:
      return 0;
  }
}

void BodySkipper::skip(std::uint64_t count) {
  if (kind_ == BodyKind::length) {
    chunks_.remaining_ -= std::min(count, chunks_.remaining_);
  } else if (kind_ == BodyKind::chunked) {
    chunks_.skip(count);
  }
}

Skipped BodySkipper::consume(ByteSpan bytes) {
  switch (kind_) {
    case BodyKind::length: {
      const std::uint64_t count = std::min<std::uint64_t>(chunks_.remaining_, bytes.size());
      chunks_.remaining_ -= count;
      return {static_cast<std::size_t>(count),
              chunks_.remaining_ == 0 ? SkipStatus::complete : SkipStatus::more};
    }
    case BodyKind::chunked:
      return chunks_.consume(bytes);
    case BodyKind::until_close:
      return {bytes.size(), SkipStatus::more};
    default:
      return {0, SkipStatus::complete};
  }
}

bool BodySkipper::pass_gap(std::uint64_t count) {
  if (count > skippable()) {
    return false;
  }
  skip(count);
  return true;
}

}  // namespace imds::http
