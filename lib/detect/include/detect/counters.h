// What one Inspector counts. Written by its worker only, read by anyone at any time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/counter.h"
#include "detect/http2_connections.h"
#include "event/event.h"

namespace imds::detect {

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

  // Findings by event type: produced = queued + suppressed + lost.
  std::array<Counter, event::kEventTypeCount> findings_produced;
  Counter findings_queued;
  Counter findings_suppressed;
  Counter findings_lost;  // the finding ring was full
  Counter rule_hits_cut;  // hits of one event beyond what a finding can name

  // By configured suppression: findings withheld.
  std::unique_ptr<Counter[]> suppressed;
  // By configured port: TCP flows with payload that were long enough to judge, and those of them
  // seen in one direction only.
  std::unique_ptr<Counter[]> flows_judged;
  std::unique_ptr<Counter[]> flows_one_sided;
  // By configured port, of TCP flows seen in both directions: bytes that receivers acknowledged,
  // and those of them that were never seen: what the capture lost.
  std::unique_ptr<Counter[]> bytes_acknowledged;
  std::unique_ptr<Counter[]> bytes_unseen;

  Counters(std::size_t suppressions, std::size_t ports)
      : suppressed(std::make_unique<Counter[]>(suppressions)),
        flows_judged(std::make_unique<Counter[]>(ports)),
        flows_one_sided(std::make_unique<Counter[]>(ports)),
        bytes_acknowledged(std::make_unique<Counter[]>(ports)),
        bytes_unseen(std::make_unique<Counter[]>(ports)) {}
};

}  // namespace imds::detect
