// Every packet that answers from or claims an endpoint's address is looked at once, whichever way
// it takes through the worker; ordinary ones take the short way as before.
#include "fixture.h"
#include "support/evidence_messages.h"
#include "support/fragments.h"

namespace imds::pipeline {
namespace {

using detect::EvidenceOutcome;
using detect::EvidenceSource;
using support::Bytes;
using support::PacketBuilder;

constexpr const char* kImds = "169.254.169.254";

std::uint64_t messages(Rig& rig, EvidenceSource source, EvidenceOutcome outcome) {
  return rig.counted_evidence()
      .messages[static_cast<std::size_t>(source)][static_cast<std::size_t>(outcome)]
      .get();
}

std::uint64_t answers(Rig& rig, event::Answer answer) {
  return rig.counted_evidence().answers[static_cast<std::size_t>(answer)].get();
}

PacketBuilder dns_answer(const char* address) {
  PacketBuilder builder;
  builder.ethernet().ipv4("10.0.0.3", "10.0.0.1").udp(53, 40000);
  builder.bytes(support::dns_message(
      {.answers = {support::dns_address(support::dns_pointer(support::kDnsQuestion), address)}}));
  return builder;
}

PacketBuilder arp_reply() {
  PacketBuilder builder;
  builder.ethernet().arp(2, support::kClientMac, kImds, support::kServerMac, "10.0.0.1");
  return builder;
}

TEST(WorkerEvidence, ArpIsReadAndStaysNoIp) {
  Rig rig;
  rig.run(given(arp_reply().build()));
  EXPECT_EQ(messages(rig, EvidenceSource::arp, EvidenceOutcome::claim), 1u);
  EXPECT_EQ(rig.count(Disposition::not_ip), 1u);
}

TEST(WorkerEvidence, DatagramsAreReadByTheirPorts) {
  Rig rig;
  rig.run(given(dns_answer(kImds).build()));
  rig.run(given(dns_answer("192.0.2.1").build()));
  EXPECT_EQ(messages(rig, EvidenceSource::dns, EvidenceOutcome::claim), 1u);
  EXPECT_EQ(messages(rig, EvidenceSource::dns, EvidenceOutcome::other), 1u);
  EXPECT_EQ(rig.worker().counters().lane_packets.get(), 0u);
  PacketBuilder other;
  other.ethernet().ipv4("10.0.0.3", "10.0.0.1").udp(443, 40000).payload("anything");
  rig.run(given(other.build()));
  EXPECT_EQ(rig.worker().counters().lane_packets.get(), 1u) << "ordinary UDP takes the short way";
  EXPECT_EQ(rig.count(Disposition::not_inspected), 3u);
}

TEST(WorkerEvidence, TunnelledTaggedAndFragmentedMessagesAreRead) {
  Rig rig;
  PacketBuilder tagged;
  tagged.ethernet()
      .vlan(100, 0x88a8)
      .vlan(7)
      .arp(2, support::kClientMac, kImds, support::kServerMac, "10.0.0.1");
  rig.run(given(tagged.build()));
  EXPECT_EQ(messages(rig, EvidenceSource::arp, EvidenceOutcome::claim), 1u);
  ListSource source;
  for (const Bytes& piece : support::fragments_of(dns_answer(kImds).build(), 16, 7)) {
    source.add(given(piece));
  }
  rig.run(source);
  EXPECT_EQ(messages(rig, EvidenceSource::dns, EvidenceOutcome::claim), 1u);
}

TEST(WorkerEvidence, AnswersAreSeenWithAndWithoutAFlow) {
  Rig rig;
  support::TcpSession session;
  session.handshake();
  rig.run(session);
  EXPECT_EQ(answers(rig, event::Answer::syn_ack), 1u);
  // Nothing has begun a flow for these.
  PacketBuilder reset;
  reset.ethernet().ipv4(kImds, "10.0.0.9").tcp(80, 40009).flags(support::kRst);
  PacketBuilder unreachable;
  unreachable.ethernet().ipv4(kImds, "10.0.0.9").icmp(3, 1);
  rig.run(given(reset.build())).run(given(unreachable.build()));
  EXPECT_EQ(answers(rig, event::Answer::rst), 1u);
  EXPECT_EQ(answers(rig, event::Answer::icmp), 1u);
}

TEST(WorkerEvidence, DnsOverTcpIsReadWithAndWithoutTheFastLane) {
  for (const bool lane : {true, false}) {
    Options options = small_options();
    options.fast_lane = lane;
    Rig rig(options);
    support::TcpSession::Options server;
    server.server_ip = "10.0.0.3";
    server.server_port = 53;
    server.segment_size = 20;
    support::TcpSession session(server);
    session.handshake();
    const Bytes message = support::with_length(support::dns_message(
        {.answers = {support::dns_address(support::dns_pointer(support::kDnsQuestion), kImds)}}));
    for (int i = 0; i < 200; ++i) {
      session.client("a query").server(
          {reinterpret_cast<const char*>(message.data()), message.size()});
    }
    rig.run(session);
    EXPECT_EQ(messages(rig, EvidenceSource::dns, EvidenceOutcome::claim), 200u) << lane;
  }
}

}  // namespace
}  // namespace imds::pipeline
