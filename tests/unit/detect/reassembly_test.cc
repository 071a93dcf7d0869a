// Segments out of order, overlapping, forged or missing: the requests are found all the same.
#include <algorithm>
#include <random>

#include "fixture.h"

namespace imds::detect {
namespace {

using support::kAck;
using support::kFin;
using support::kRst;
using support::kSyn;
using support::TcpSession;

constexpr std::string_view kFound = "http_request GET /latest/meta-data/";
const Events kOnce{std::string(kFound)};
constexpr std::string_view kDecoy = "GET /simply/some-data/ HTTP/1.1\r\nHost: example.com\r\n\r\n";
static_assert(kDecoy.size() == kMetadata.size());

TcpSession begun(std::uint32_t isn = 1000) {
  TcpSession::Options options = elsewhere();
  options.client_isn = isn;
  TcpSession session(options);
  session.handshake();
  return session;
}

std::size_t count(const std::vector<event::Finding>& findings, event::EventType type) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [type](const event::Finding& finding) { return finding.type == type; }));
}

constexpr std::string_view kOverlapRule = R"(
title: Overlap or metadata
id: 33333333-3333-4333-8333-333333333333
level: low
logsource: {product: imds-inspector}
detection:
  overlap: {imds.event: tcp_overlap_conflict}
  request: {url|contains: /latest/meta-data}
  condition: overlap or request
)";

TEST(OutOfOrder, SegmentsOfAHeadSwappedAtEveryPlace) {
  for (std::size_t cut = 1; cut < kMetadata.size(); ++cut) {
    auto session = begun();
    session.client(kMetadata.substr(0, cut)).client(kMetadata.substr(cut));
    std::swap(session.packets()[3], session.packets()[4]);
    Bench bench;
    EXPECT_EQ(bench.feed(session).events(), kOnce) << "cut at " << cut;
    EXPECT_EQ(bench.held().memory().bytes_in_use.get(), 0u);
    EXPECT_EQ(bench.counters().stream_gaps.get(), 0u);
    EXPECT_EQ(bench.counters().stream_retransmitted_bytes.get(), 0u);
  }
}

TEST(OutOfOrder, AcrossTheWrapOfSequenceNumbers) {
  for (std::uint32_t back = 0; back < 60; back += 7) {
    auto session = begun(0xffffffffu - back);
    session.segment_size(5).client(kMetadata);
    std::reverse(session.packets().begin() + 3, session.packets().end());
    EXPECT_EQ(Bench().feed(session).events(), kOnce) << back;
  }
}

TEST(OutOfOrder, AFinTakesEffectWhenItsPlaceIsReached) {
  auto session = begun();
  session.client(kMetadata.substr(0, 20)).client(kMetadata.substr(20)).client_fin();
  std::swap(session.packets()[4], session.packets()[5]);
  EXPECT_EQ(Bench(kEveryRequest).feed(session).events(), kOnce);
}

TEST(OutOfOrder, AHoleTheReceiverHasAcknowledgedIsGivenUp) {
  auto session = begun();
  session.client("GET /x HTTP/1.1\r\nHost: ").client_gap(30).client(kMetadata).server_ack();
  session.wait(200'000'000).server_ack();
  Bench bench;
  const auto findings = bench.feed(session).take();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].target.view(), "/latest/meta-data/");
  EXPECT_NE(findings[0].visibility & event::kStreamGap, 0);
  EXPECT_EQ(bench.counters().bytes_unseen[0].get(), 30u);
  EXPECT_GT(bench.counters().bytes_acknowledged[0].get(), 30u);
}

TEST(OutOfOrder, NobodyWaitsForEver) {
  auto session = begun();
  session.client("GET /x HTTP/1.1\r\nHost: ").client_gap(30).client(kMetadata);
  Bench bench;
  EXPECT_EQ(bench.feed(session).events(), Events{});
  bench.age({session.packets().back().time.ns + 11 * kNanosPerSecond});
  EXPECT_EQ(bench.events(), kOnce);
  EXPECT_EQ(bench.held().memory().bytes_in_use.get(), 0u);
}

TEST(OutOfOrder, SkippedBytesAreNotHeld) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7000\r\n\r\n");
  session.client(std::string(7000, 'b')).client(kMetadata);
  auto& packets = session.packets();
  std::swap(packets[5], packets[7]);
  Bench bench;
  EXPECT_EQ(bench.feed(session).end_all().events(), kOnce);
  EXPECT_EQ(bench.counters().segments_held.get(), 0u);
  EXPECT_GT(bench.counters().stream_late_bytes.get(), 0u);
}

TEST(OutOfOrder, ARequestInALateSegmentOfALyingBody) {
  auto session = begun();
  session.client("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n");
  session.client(kMetadata).client("noise");
  std::swap(session.packets()[4], session.packets()[5]);
  EXPECT_EQ(Bench().feed(session).events(), kOnce);
}

TEST(OutOfOrder, CaptureBeginsWithTheSecondHalf) {
  TcpSession session(elsewhere());
  session.client(kMetadata.substr(0, 30)).client(kMetadata.substr(30));
  std::swap(session.packets()[0], session.packets()[1]);
  EXPECT_EQ(Bench().feed(session).end_all().events(), kOnce);
}

// At each cap the stream goes on with a gap; what could not wait is looked at as it is.
TEST(OutOfOrder, BeyondTheCapsIsScannedRaw) {
  for (const auto& [bytes, segments] : {std::pair{100u, 256u}, std::pair{65536u, 2u}}) {
    Options options;
    options.reorder.stream_bytes = bytes;
    options.reorder.stream_segments = segments;
    auto session = begun();
    session.client("GET /x HTTP/1.1\r\nHost: ").client_gap(30);
    for (int i = 0; i < 6; ++i) {
      session.client(std::string(60, 'x')).client_gap(10);
    }
    session.client(kMetadata);
    Bench bench(kBulletin, options);
    EXPECT_EQ(bench.feed(session).end_all().events(), kOnce);
    EXPECT_GT(bench.counters().holds_refused.get(), 0u);
    EXPECT_EQ(bench.held().memory().bytes_in_use.get(), 0u);
  }
}

TEST(OutOfOrder, AFloodStaysWithinItsMemoryAndHidesNoRequest) {
  Options options;
  options.reorder.memory_mib = 1;
  Bench bench(kBulletin, options);
  constexpr unsigned kFlows = 3000;
  std::size_t found = 0;
  for (unsigned i = 0; i < kFlows; ++i) {
    TcpSession::Options flood = elsewhere();
    flood.client_port = 1024 + i;
    TcpSession session(flood);
    session.handshake().client_gap(100).client(std::string(900, 'x'));
    bench.feed(session);
    EXPECT_LE(bench.held().memory().bytes_in_use.get(), 1u << 20);
    if (i % 300 == 299) {
      TcpSession::Options real = elsewhere();
      real.client_ip = "10.0.0.2";
      real.client_port = 1024 + i;
      TcpSession request(real);
      request.handshake().client("x").client(kMetadata);
      request.packets().erase(request.packets().end() - 2);
      bench.feed(request);
      found += bench.take().size();
    }
  }
  EXPECT_GT(bench.counters().holds_refused.get(), 0u);
  bench.end_all();
  found += bench.take().size();
  EXPECT_GE(found, kFlows / 300);
  EXPECT_EQ(bench.held().memory().bytes_in_use.get(), 0u);
  EXPECT_EQ(bench.held().counters().streams.get(), 0u);
}

// The same events however the stream was cut, shuffled and repeated.
TEST(OutOfOrder, AnyDeliveryGivesTheEventsOfTheWhole) {
  std::string stream;
  for (int i = 0; i < 4; ++i) {
    stream += "GET /latest/meta-data/" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    stream += "POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n" + std::string(40, 'b');
  }
  auto whole = begun();
  whole.segment_size(60000).client(stream);
  const Events expected = Bench().feed(whole).end_all().events();
  ASSERT_EQ(expected.size(), 4u);
  std::mt19937 random(20);
  for (int round = 0; round < 300; ++round) {
    auto session = begun(static_cast<std::uint32_t>(random()));
    const std::uint32_t first = session.client_sequence();
    std::vector<std::pair<std::size_t, std::size_t>> pieces;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 60, stream.size() - at);
      pieces.emplace_back(at, size);
      at += size;
    }
    for (std::size_t i = pieces.size(); i > 0; --i) {  // repeated, with other boundaries
      if (random() % 4 == 0) {
        const std::size_t begin =
            pieces[i - 1].first - std::min(pieces[i - 1].first, random() % 20);
        pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(i),
                      {begin, std::min<std::size_t>(1 + random() % 80, stream.size() - begin)});
      }
    }
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {  // shuffled within a window
      std::swap(pieces[i], pieces[std::min(i + random() % 6, pieces.size() - 1)]);
    }
    for (const auto& [at, size] : pieces) {
      session.segment(true, first + static_cast<std::uint32_t>(at), kAck,
                      std::string_view(stream).substr(at, size));
    }
    Bench bench;
    ASSERT_EQ(bench.feed(session).end_all().events(), expected) << "round " << round;
    ASSERT_EQ(bench.counters().overlap_conflicts.get(), 0u);
    ASSERT_EQ(bench.held().memory().bytes_in_use.get(), 0u);
    ASSERT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

TEST(Overlap, ADecoyFirstOrLastHidesNoRequest) {
  for (const bool decoy_first : {true, false}) {
    auto session = begun();
    const std::uint32_t at = session.client_sequence();
    session.segment(true, at, kAck, decoy_first ? kDecoy : kMetadata);
    session.segment(true, at, kAck, decoy_first ? kMetadata : kDecoy);
    session.packets().push_back(session.packets().back());  // SPAN sees it twice
    Bench bench(kOverlapRule);
    const auto findings = bench.feed(session).end_all().take();
    EXPECT_EQ(count(findings, event::EventType::tcp_overlap_conflict), 1u);
    ASSERT_EQ(count(findings, event::EventType::http_request), 1u);
    for (const event::Finding& finding : findings) {
      if (finding.type == event::EventType::http_request) {
        EXPECT_EQ((finding.visibility & event::kSecondReading) != 0, decoy_first);
      }
    }
    EXPECT_EQ(bench.arena().counters().bytes_in_use.get(), 0u);
  }
}

TEST(Overlap, OfAPartOfAHead) {
  for (std::size_t cut = 6; cut < kMetadata.size(); cut += 5) {
    auto session = begun();
    const std::uint32_t at = session.client_sequence();
    session.client(kDecoy.substr(0, cut));
    session.segment(true, at + 5, kAck, kMetadata.substr(5, 20));
    session.client(kDecoy.substr(cut));
    const auto findings = Bench(kOverlapRule).feed(session).end_all().take();
    if (cut >= 25) {
      EXPECT_EQ(count(findings, event::EventType::tcp_overlap_conflict), 1u) << cut;
      EXPECT_EQ(count(findings, event::EventType::http_request), 1u) << cut;
    }
  }
}

TEST(Overlap, AmongSegmentsThatWait) {
  for (const bool decoy_first : {true, false}) {
    auto session = begun();
    const std::uint32_t at = session.client_sequence();
    const std::string_view first = decoy_first ? kDecoy : kMetadata;
    const std::string_view second = decoy_first ? kMetadata : kDecoy;
    session.segment(true, at + 4, kAck, first.substr(4));
    session.segment(true, at + 4, kAck, second.substr(4));
    session.segment(true, at, kAck, kMetadata.substr(0, 4));
    const auto findings = Bench(kOverlapRule).feed(session).end_all().take();
    EXPECT_EQ(count(findings, event::EventType::tcp_overlap_conflict), 1u);
    EXPECT_EQ(count(findings, event::EventType::http_request), 1u);
  }
}

TEST(Overlap, GarbageBeforeTheRequest) {
  auto session = begun();
  const std::uint32_t at = session.client_sequence();
  session.segment(true, at, kAck, std::string(kMetadata.size(), '\x01'));
  session.segment(true, at, kAck, kMetadata);
  EXPECT_EQ(count(Bench().feed(session).end_all().take(), event::EventType::http_request), 1u);
}

TEST(Overlap, WhatTheReceiverHasIsNotReadAgain) {
  auto session = begun();
  const std::uint32_t at = session.client_sequence();
  session.client(kDecoy).server_ack();
  session.segment(true, at, kAck, kMetadata);
  Bench bench(kOverlapRule);
  EXPECT_EQ(bench.feed(session).end_all().events(), Events{});
  EXPECT_EQ(bench.counters().overlap_conflicts.get(), 0u);
}

TEST(Overlap, KeepAliveProbesAreNone) {
  auto session = begun();
  session.client(kOrdinary).server_ack();
  session.segment(true, session.client_sequence() - 1, kAck, std::string_view("\0", 1));
  session.segment(true, session.client_sequence() - 1, kAck, "");
  session.client(kMetadata);
  Bench bench(kOverlapRule);
  EXPECT_EQ(bench.feed(session).events(), kOnce);
  EXPECT_EQ(bench.counters().overlap_conflicts.get(), 0u);
}

TEST(Overlap, DataOnSynAndAgainAfterIt) {
  TcpSession session(elsewhere());
  session.segment(true, 1000, kSyn, kDecoy).segment(true, 1001, kAck, kMetadata);
  const auto findings = Bench(kOverlapRule).feed(session).end_all().take();
  EXPECT_EQ(count(findings, event::EventType::http_request), 1u);
}

TEST(Forged, ResetInTheMiddleOfAHeadSplitsNothing) {
  for (const std::uint32_t off : {0u, 70000u, 0x80000000u}) {
    auto session = begun();
    session.client(kMetadata.substr(0, 12));
    session.segment(true, session.client_sequence() + off, kRst, "");
    session.client(kMetadata.substr(12));
    Bench bench(kEveryRequest);
    EXPECT_EQ(bench.feed(session).end_all().events(), kOnce) << off;
    EXPECT_EQ(bench.counters().resets_ignored.get(), off == 0 ? 0u : 1u);
  }
}

TEST(Forged, SynInTheMiddleOfAHeadSplitsNothing) {
  auto session = begun();
  session.client(kMetadata.substr(0, 12));
  session.segment(true, 0x70000000, kSyn, "");
  session.client(kMetadata.substr(12));
  EXPECT_EQ(Bench(kEveryRequest).feed(session).end_all().events(), kOnce);
}

TEST(Forged, ResetAndSynInTheMiddleOfAHeadSplitNothing) {
  for (const std::uint32_t isn : {1000u, 0x70000000u}) {
    auto session = begun();
    session.client(kMetadata.substr(0, 12));
    session.segment(true, session.client_sequence(), kRst, "").segment(true, isn, kSyn, "");
    session.client(kMetadata.substr(12));
    EXPECT_EQ(Bench(kEveryRequest).feed(session).end_all().events(), kOnce) << isn;
  }
}

// The same addresses, ports and sequence numbers once more: a capture that is played in a loop.
TEST(SameAgain, AConnectionThatIsOverMayBeginAgain) {
  for (const bool reset : {false, true}) {
    auto session = begun();
    session.client(kMetadata).server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    reset ? session.client_rst() : session.fin();
    Bench bench;
    bench.feed(session).feed(session);
    EXPECT_EQ(bench.events(), (Events{kOnce[0], kOnce[0]})) << reset;
  }
}

TEST(SameAgain, AConnectionSeenTwiceIsOne) {
  auto session = begun();
  session.client(kMetadata).fin();
  TcpSession doubled = session;
  doubled.packets().clear();
  for (const support::TimedPacket& packet : session.packets()) {
    doubled.packets().insert(doubled.packets().end(), 2, packet);
  }
  EXPECT_EQ(Bench().feed(doubled).events(), kOnce);
}

TEST(Forged, SynThatIsFollowedByDataIsAnotherConnection) {
  auto session = begun();
  session.client(kMetadata.substr(0, kMetadata.size() - 2));
  session.segment(true, 0x70000000, kSyn, "").segment(true, 0x70000001, kAck, kMetadata);
  EXPECT_EQ(Bench().feed(session).end_all().events(), (Events{kOnce[0], kOnce[0]}));
}

TEST(Forged, DataOfAnotherSequenceSpaceSplitsNothing) {
  auto session = begun();
  session.client(kMetadata.substr(0, 12));
  session.segment(true, session.client_sequence() + 0x40000000, kAck, "noise");
  session.client(kMetadata.substr(12));
  Bench bench(kEveryRequest);
  EXPECT_EQ(bench.feed(session).end_all().events(), kOnce);
  EXPECT_EQ(bench.counters().segments_out_of_window.get(), 1u);
}

TEST(Loss, AcknowledgedBytesThatWereSeenAreNone) {
  auto session = begun();
  session.client(kOrdinary).server_ack().server("HTTP/1.1 204 No Content\r\n\r\n").client_ack();
  session.fin();
  Bench bench;
  bench.feed(session).end_all();
  EXPECT_EQ(bench.counters().bytes_unseen[0].get(), 0u);
  EXPECT_GE(bench.counters().bytes_acknowledged[0].get(), kOrdinary.size());
}

TEST(Loss, TheEndOfAStreamOnlyTheReceiverSaw) {
  auto session = begun();
  session.client(kOrdinary).server_ack().client_gap(5000).server_ack();
  Bench bench;
  bench.feed(session).end_all();
  EXPECT_EQ(bench.counters().bytes_unseen[0].get(), 5000u);
}

}  // namespace
}  // namespace imds::detect
