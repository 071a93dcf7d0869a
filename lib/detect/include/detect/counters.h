// What one Inspector counts. Written by its worker only, read by anyone at any time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/counter.h"
#include "detect/http2_connections.h"
#include "event/event.h"
#include "evidence/response_body.h"

namespace imds::detect {

// ClientHellos of clients that credentials were delivered to.
enum class HelloOutcome : std::uint8_t {
  aws,       // asks for a service of AWS: credentials_used
  other,     // asks for another server
  nameless,  // asks for no name
  unread,    // parts of it were not seen, or did not fit
};
inline constexpr std::size_t kHelloOutcomeCount = 4;

struct Counters {
  // HTTP request heads met. heads = parsed + passed_over + what the sketch found unparsable; one
  // passed over was read for its framing only.
  Counter http_heads;
  Counter http_heads_parsed;
  Counter http_heads_passed_over;
  Counter http_heads_disguised;   // the structural trigger fired
  Counter http_heads_incomplete;  // judged before their end: connection over, gap, or too long
  Counter http_heads_unparsable;  // began like a request and was none
  Counter http_heads_abandoned;   // unfinished when their flow ended; among the incomplete
  Counter http2_prefaces;         // HTTP/2 connections whose beginning was seen
  Counter http2_header_blocks;    // decompressed; requests among them count as parsed heads, too
  Counter http2_blocks_cut;       // decompressed to more than is looked at
  // Connections whose requests can no longer be read, by Http2Blind; those given up for others are
  // counted by Http2Connections.
  std::array<Counter, kHttp2BlindCount> http2_blind;
  Counter http_datagrams;   // requests in UDP datagrams
  Counter proxy_preambles;  // SOCKS and PROXY messages passed over
  // Streams read without framing, because their heads or chunks say contradictory or odd things.
  Counter framings_in_doubt;
  Counter segments_reprobed;  // first bytes of a skipped segment looked like a request

  // Answers to requests that mattered, and of flows that touch an endpoint.
  Counter answers;                  // heads read
  Counter answers_interim;          // 1xx: not the answer yet
  Counter answers_unparsable;       // began like an answer and was none
  Counter answers_incomplete;       // heads judged before their end
  Counter answers_without_request;  // read for themselves
  Counter answers_waited;           // came before their request
  Counter answers_waited_in_vain;   // no room to wait, or it did not come in time
  Counter requests_unnoted;         // too many wait: their answers are read for themselves
  Counter request_texts_cut;        // no room for their texts
  // Bodies of those answers: read = whole + those that were not, for one reason at least.
  Counter bodies_read;
  Counter bodies_whole;
  std::array<Counter, evidence::kBodyLossCount> bodies_lost;  // by bit of BodyLoss
  Counter json_too_deep;                                      // objects not looked at
  // Found, whatever the rules say of it.
  Counter tokens_issued;
  std::array<Counter, event::kDeliveredCount> deliveries;
  std::array<Counter, kHelloOutcomeCount> hellos;

  Counter stream_gaps;
  Counter stream_gap_bytes;
  Counter stream_retransmitted_bytes;
  Counter stream_late_bytes;       // filled a hole that was passed without waiting
  Counter segments_held;           // waited for the bytes in front of them
  Counter holes_filled;            // such waiting ended well
  Counter holes_given_up;          // or not: acknowledged, waited too long, flow over
  Counter holds_refused;           // a cap was reached: scanned as it is, and the hole given up
  Counter overlap_conflicts;       // other bytes for a place that was delivered already
  Counter overlap_unchecked;       // sent again, and what was delivered is not kept any more
  Counter segments_out_of_window;  // of another sequence space: looked at, not followed
  Counter resets_ignored;          // RST outside the window
  Counter arena_exhausted;         // a head could not be kept: judged by what was there
  Counter head_too_long;           // the same, for heads beyond the configured length

  // Findings by event type: produced = queued + suppressed + lost. Suppressed is one all of whose
  // rules are, and which the story need not know either.
  std::array<Counter, event::kEventTypeCount> findings_produced;
  Counter findings_queued;
  Counter findings_for_story;  // among the queued: no rule hit, or none that is not suppressed
  Counter findings_suppressed;
  Counter story_repeats;  // no findings: for the story only, and it was told the same a moment ago
  Counter findings_lost;  // the finding ring was full
  // A hit is one rule for one event; each becomes an alert: produced = queued + suppressed + lost +
  // cut.
  Counter hits_produced;
  Counter hits_queued;
  Counter hits_suppressed;
  Counter hits_lost;      // those of findings_lost
  Counter rule_hits_cut;  // hits of one event beyond what a finding can name

  // By configured port: TCP flows with payload that were long enough to judge, and those of them
  // seen in one direction only.
  std::unique_ptr<Counter[]> flows_judged;
  std::unique_ptr<Counter[]> flows_one_sided;
  // By configured port, of TCP flows seen in both directions: bytes that receivers acknowledged,
  // and those of them that were never seen: what the capture lost.
  std::unique_ptr<Counter[]> bytes_acknowledged;
  std::unique_ptr<Counter[]> bytes_unseen;

  explicit Counters(std::size_t ports)
      : flows_judged(std::make_unique<Counter[]>(ports)),
        flows_one_sided(std::make_unique<Counter[]>(ports)),
        bytes_acknowledged(std::make_unique<Counter[]>(ports)),
        bytes_unseen(std::make_unique<Counter[]>(ports)) {}
};

}  // namespace imds::detect
