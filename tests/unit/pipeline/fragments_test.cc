// Requests that come in IP fragments are found as if they had come whole.
#include "fragments.h"

#include <algorithm>

namespace imds::pipeline {
namespace {

using support::Bytes;
using support::PacketBuilder;
using support::to_bytes;

std::size_t requests(const Events& events) {
  return static_cast<std::size_t>(std::count(events.begin(), events.end(), kFoundMetadata));
}

std::vector<event::Finding> findings_of(const std::vector<Bytes>& frames) {
  Rig rig;
  ListSource source;
  for (const Bytes& frame : frames) {
    source.add(given(frame));
  }
  return rig.run(source).take();
}

void expect_same(const event::Finding& a, const event::Finding& b) {
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.source.ip, b.source.ip);
  EXPECT_EQ(a.source.port, b.source.port);
  EXPECT_EQ(a.source.mac, b.source.mac);
  EXPECT_EQ(a.destination.ip, b.destination.ip);
  EXPECT_EQ(a.destination.port, b.destination.port);
  EXPECT_EQ(a.endpoint.view(), b.endpoint.view());
  EXPECT_EQ(a.target.view(), b.target.view());
  EXPECT_EQ(a.visibility, b.visibility);
  EXPECT_EQ(a.ip_protocol, b.ip_protocol);
}

TEST(Fragments, RequestHasTheFieldsOfAPlainOne) {
  for (const Ends& ends : {Ends{}, kToImds6}) {
    const Bytes whole = segment(ends, kMetadata, 40000);
    const auto plain = findings_of({ends.ip().next(6).bytes(whole).build()});
    for (const std::size_t size : {8, 24, 64}) {
      std::vector<Bytes> frames = fragments_of(ends, whole, size);
      for (int order = 0; order < 2; ++order) {
        const auto found = findings_of(frames);
        ASSERT_EQ(found.size(), plain.size()) << size;
        for (std::size_t i = 0; i < found.size(); ++i) {
          expect_same(found[i], plain[i]);
        }
        std::reverse(frames.begin(), frames.end());
      }
    }
  }
}

TEST(Fragments, CountAsFragmentsAndTheirDatagramApart) {
  Rig rig;
  ListSource source;
  const auto frames = fragments_of({}, segment({}, kMetadata, 40000), 24);
  for (const Bytes& frame : frames) {
    source.add(given(frame));
    source.add(given(frame));  // as some SPAN sessions do
  }
  rig.run(source);
  EXPECT_EQ(requests(rig.events()), 1u);
  EXPECT_EQ(rig.count(Disposition::fragment), 2 * frames.size());
  EXPECT_EQ(rig.worker().counters().datagrams.get(), 1u);
  EXPECT_EQ(rig.worker().defragmenter().counters().completed.get(), 1u);
  EXPECT_EQ(rig.flows(), 1u);
}

TEST(Fragments, SegmentsKeepTheirOrderAmongPlainOnes) {
  const std::string request(kMetadata);
  const Ends ends{"10.0.0.1", "203.0.113.7"};
  const auto tcp = [&](std::size_t from, std::size_t size) {
    return ends.ip()
        .tcp(40000, 80)
        .seq(static_cast<std::uint32_t>(1 + from))
        .payload(request.substr(from, size))
        .build();
  };
  Rig rig;
  ListSource source;
  source.add(given(tcp(0, 10)));
  const Bytes middle = tcp(10, 30);
  for (const Bytes& frame : fragments_of(ends, Bytes(middle.begin() + 34, middle.end()), 24)) {
    source.add(given(frame));
  }
  source.add(given(tcp(40, request.size())));
  rig.run(source);
  EXPECT_EQ(requests(rig.events()), 1u);
  EXPECT_EQ(rig.counted().stream_gaps.get(), 0u);
}

TEST(Fragments, InsideReassembledDatagramsAreFound) {
  // A fragmented IPv6 packet whose payload is, behind a second fragment header, a fragment again.
  const Bytes whole = segment(kToImds6, kMetadata, 40000);
  Rig rig;
  ListSource source;
  unsigned id = 100;
  for (std::size_t at = 0; at < whole.size(); at += 40) {
    const std::size_t end = std::min(at + 40, whole.size());
    const bool more = end < whole.size();
    Bytes inner = {6,
                   0,
                   static_cast<std::uint8_t>(at >> 8),
                   static_cast<std::uint8_t>((at & 0xf8) | (more ? 1 : 0)),
                   0,
                   0,
                   0,
                   5};
    inner.insert(inner.end(), whole.begin() + static_cast<std::ptrdiff_t>(at),
                 whole.begin() + static_cast<std::ptrdiff_t>(end));
    for (const Bytes& frame : fragments_of(kToImds6, inner, 16, 44, ++id)) {
      source.add(given(frame));
    }
  }
  rig.run(source);
  EXPECT_EQ(requests(rig.events()), 1u);
}

std::string harmless_request() {
  return "GET /index.html-and-some-more- HTTP/1.1\r\nHost: 10.1.1.1\r\n\r\n";
}
// Of the same length.
std::string hostile_request() {
  return harmless_request().replace(4, 26, "/latest/meta-data/iam/info");
}

// Fragments of two requests, of which one is hostile, at equal places: whichever came first, it is
// found, marked if only the reading of the later bytes has it.
TEST(Fragments, HostileReadingIsFoundFirstOrSecond) {
  for (const Ends& ends : {Ends{}, kToImds6}) {
    const auto plain = fragments_of(ends, segment(ends, harmless_request(), 40000), 24);
    const auto bad = fragments_of(ends, segment(ends, hostile_request(), 40000), 24);
    for (const bool hostile_first : {true, false}) {
      const auto& a = hostile_first ? bad : plain;
      const auto& b = hostile_first ? plain : bad;
      Rig rig;
      ListSource source;
      // The last one completes both readings.
      for (std::size_t i = 0; i + 1 < a.size(); ++i) {
        source.add(given(a[i])).add(given(b[i])).add(given(b[i]));
      }
      source.add(given(a.back()));
      rig.run(source);
      std::size_t overlaps = 0;
      std::size_t found = 0;
      for (const event::Finding& finding : rig.take()) {
        overlaps += finding.type == event::EventType::fragment_overlap ? 1 : 0;
        if (finding.type == event::EventType::http_request &&
            finding.target.view() == "/latest/meta-data/iam/info") {
          ++found;
          EXPECT_EQ((finding.visibility & event::kSecondReading) != 0, !hostile_first);
          EXPECT_EQ(finding.source.port, 40000);
        }
      }
      EXPECT_EQ(found, 1u) << hostile_first;
      EXPECT_EQ(overlaps, 1u) << hostile_first;
      EXPECT_EQ(rig.worker().defragmenter().counters().conflicting.get(), 1u);
      EXPECT_EQ(rig.worker().defragmenter().counters().second_readings.get(), 1u);
      EXPECT_EQ(rig.worker().counters().datagrams.get(), 2u);
    }
  }
}

// The datagram was read before the other bytes came.
TEST(Fragments, ContradictionAfterTheFactStillHasItsReading) {
  const Ends ends{"10.0.0.1", "203.0.113.7"};
  Rig rig;
  ListSource source;
  for (const std::string& request : {harmless_request(), hostile_request()}) {
    for (const Bytes& frame : fragments_of(ends, segment(ends, request, 40000), 64)) {
      source.add(given(frame));
    }
  }
  rig.run(source);
  const auto found = rig.take();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].target.view(), "/latest/meta-data/iam/info");
  EXPECT_NE(found[0].visibility & event::kSecondReading, 0);
}

// As its receiver drops it: with checksums verified, only the reading whose checksum is right
// counts.
TEST(Fragments, ChecksumsOfDatagramsAreVerifiedIfWanted) {
  Bytes wrong = segment({}, kMetadata, 40000);
  wrong[16] ^= 0x55;
  for (const bool verify : {false, true}) {
    Options options = small_options();
    options.verify_checksums = verify;
    Rig rig(options);
    ListSource source;
    for (const Bytes& frame : fragments_of({}, wrong, 24)) {
      source.add(given(frame));
    }
    rig.run(source);
    EXPECT_EQ(requests(rig.events()), verify ? 0u : 1u);
    EXPECT_EQ(rig.stopped(DecodeReason::tcp_checksum), verify ? 1u : 0u);
    ListSource right;
    for (const Bytes& frame : fragments_of({}, segment({}, kMetadata, 40001), 24, 6, 10)) {
      right.add(given(frame));
    }
    rig.run(right);
    EXPECT_EQ(requests(rig.events()), 1u);
  }
}

TEST(Fragments, RequestInAUdpDatagramIsFoundAnywhere) {
  const Ends ends{"10.0.0.1", "203.0.113.7"};
  const Bytes frame = ends.ip().udp(1900, 1901).payload(kMetadata).build();
  Rig plain;
  plain.run(given(frame));
  Rig rig;
  ListSource source;
  for (const Bytes& fragment : fragments_of(ends, Bytes(frame.begin() + 34, frame.end()), 24, 17)) {
    source.add(given(fragment));
  }
  rig.run(source);
  const auto found = rig.take();
  const auto expected = plain.take();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(expected.size(), 1u);
  expect_same(found[0], expected[0]);
  EXPECT_EQ(rig.counted().http_datagrams.get(), 1u);
  EXPECT_EQ(rig.flows(), 0u);
}

TEST(Fragments, ThatCannotBeKeptAreSearchedAlone) {
  Options options = small_options();
  options.fragments.fragments_per_datagram = 2;
  Rig rig(options);
  ListSource source;
  const Ends ends{"10.0.0.1", "203.0.113.7"};
  source.add(given(fragment_of(ends, 8, true, Bytes(8))));
  source.add(given(fragment_of(ends, 24, true, Bytes(8))));
  source.add(given(fragment_of(ends, 40, true, to_bytes("xx GET /latest/meta-data/iam xxxx"))));
  rig.run(source);
  EXPECT_EQ(rig.events(), (Events{"raw_match"}));
}

TEST(Fragments, IncompleteDatagramIsSearchedAndItsContactReported) {
  Rig rig;
  ListSource source;
  source.add(given(fragment_of({}, 0, true, segment({}, "GET /late", 40000))));
  source.add(given(fragment_of({}, 800, true, to_bytes("xx /latest/meta-data/iam x"))));
  rig.run(source);
  EXPECT_TRUE(rig.events().empty());
  rig.worker().finish();
  const auto found = rig.take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].type, event::EventType::raw_match);
  EXPECT_EQ(found[1].type, event::EventType::connection);
  EXPECT_EQ(found[1].source.port, 40000);
  EXPECT_EQ(found[1].destination.port, 80);
  EXPECT_EQ(found[1].endpoint.view(), "imds4");
}

TEST(Fragments, ContactIsReportedWhenTheTimeIsUp) {
  Rig rig;
  ListSource source;
  Given first = given(fragment_of({}, 0, true, segment({}, "GET /late", 40000)));
  Given later = given(tcp_data("hello").build());
  later.time.ns = first.time.ns + 40 * kNanosPerSecond;
  source.add(first).add(later);
  rig.run(source);
  EXPECT_EQ(rig.events(), (Events{"connection"}));
  EXPECT_EQ(rig.worker().defragmenter().counters().timed_out.get(), 1u);
}

// SSDP and the like: a request in one datagram, without a flow, whomever it goes to.
TEST(Fragments, OfHttpOverUdpAreReadAsTheDatagramWouldBe) {
  for (const Ends& ends : {Ends{"10.0.0.1", "203.0.113.7"}, Ends{"2001:db8::1", "2001:db8::2"}}) {
    const Bytes packet = ends.ip(false).udp(5000, 1900).payload(kMetadata).build();
    const Bytes whole(packet.begin() + (ends.is_v6() ? 40 : 20), packet.end());
    const auto plain = findings_of({ends.ip().next(17).bytes(whole).build()});
    ASSERT_EQ(plain.size(), 1u);
    const auto found = findings_of(fragments_of(ends, whole, 24, 17));
    ASSERT_EQ(found.size(), 1u);
    expect_same(found[0], plain[0]);
  }
}

TEST(Fragments, OfHttpOverUdpCountTheirDatagramIfItIsARequest) {
  Rig rig;
  ListSource source;
  unsigned id = 1;
  for (const std::string_view payload : {kMetadata, std::string_view("GET the news, not a page")}) {
    const Ends ends{"10.0.0.1", "203.0.113.7"};
    const Bytes packet = ends.ip(false).udp(5000, 1900).payload(payload).build();
    const Bytes whole(packet.begin() + 20, packet.end());
    for (const Bytes& frame : fragments_of(ends, whole, 24, 17, id++)) {
      source.add(given(frame));
    }
  }
  rig.run(source);
  EXPECT_EQ(rig.worker().defragmenter().counters().completed.get(), 2u);
  EXPECT_EQ(rig.worker().counters().datagrams.get(), 1u);
  EXPECT_EQ(rig.flows(), 0u);
}

TEST(Fragments, FloodHidesNoRequest) {
  Options options = small_options();
  options.fragments.memory_bytes = flow::Defragmenter::kLeastMemory;
  Rig rig(options);
  ListSource source;
  const auto frames = fragments_of({}, segment({}, kMetadata, 40000), 24);
  const Ends elsewhere{"198.51.100.1", "203.0.113.7"};
  for (std::size_t i = 0; i < frames.size(); ++i) {
    source.add(given(frames[i]));
    for (unsigned id = 0; id < 2000; ++id) {
      source.add(given(
          fragment_of(elsewhere, 0, true, Bytes(64), 17, static_cast<unsigned>(i) * 2000 + id)));
    }
  }
  rig.run(source);
  EXPECT_EQ(requests(rig.events()), 1u);
  EXPECT_GT(rig.worker().defragmenter().counters().evicted.get(), 1000u);
}

}  // namespace
}  // namespace imds::pipeline
