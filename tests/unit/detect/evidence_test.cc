// Answers from endpoints' addresses and claims of them on the link: one packet, one event.
#include "evidence_fixture.h"

namespace imds::detect {
namespace {

class EvidenceTest : public EvidenceBench {};

// --- Answers ---

TEST_F(EvidenceTest, FirstAnswerOfEachKindIsAnEvent) {
  for (int i = 0; i < 3; ++i) {
    give(answer().tcp(80, 40000).flags(kSyn | kAck));
    give(answer().udp(123, 40000).payload("x"));
    give(answer().tcp(80, 40001).flags(kRst | kAck));
    give(answer().icmp(3, 1));
  }
  EXPECT_THAT(told(), ElementsAre("syn_ack 0", "udp 0", "rst 0", "icmp 0"));
  const event::Finding& first = last_.front();
  EXPECT_EQ(first.source.ip.to_string(), "10.0.0.5");
  EXPECT_EQ(first.source.port, 40000);
  EXPECT_EQ(first.source.mac.to_string(), kVictim);
  EXPECT_EQ(first.destination.ip.to_string(), kImds4);
  EXPECT_EQ(first.destination.port, 80);
  EXPECT_EQ(first.destination.mac.to_string(), kImpostor);
  EXPECT_EQ(first.evidence.ttl, 64);
  EXPECT_EQ(first.endpoint.view(), "imds");
  EXPECT_EQ(counters().answers[static_cast<std::size_t>(event::Answer::syn_ack)].get(), 3u);
}

PacketBuilder answer_to(const char* client, const char* mac = kImpostor) {
  PacketBuilder builder = ethernet(mac);
  builder.ipv4(kImds4, client).ttl(64);
  return builder;
}

TEST_F(EvidenceTest, TheFirstAnswerToEachClientIsAnEvent) {
  for (int i = 0; i < 3; ++i) {
    for (const char* client : {"10.0.0.5", "10.0.0.6"}) {
      give(answer_to(client).tcp(80, 40000).flags(kSyn | kAck));
      give(answer_to(client).udp(123, 40000).payload("x"));
      // Forged in anybody's name: of one machine only the first.
      give(answer_to(client).tcp(80, 40001).flags(kRst | kAck));
      give(answer_to(client).icmp(3, 1));
    }
  }
  EXPECT_THAT(told(), ElementsAre("syn_ack 0", "udp 0", "rst 0", "icmp 0", "syn_ack 0", "udp 0"));
  EXPECT_EQ(last_[4].source.ip.to_string(), "10.0.0.6");
  EXPECT_THAT(bench_.told(), IsEmpty());
  // Another machine, each client anew.
  for (const char* client : {"10.0.0.5", "10.0.0.6"}) {
    give(answer_to(client, kVictim).tcp(80, 40000).flags(kSyn | kAck));
    give(answer_to(client, kVictim).tcp(80, 40000).flags(kSyn | kAck));
  }
  EXPECT_THAT(told(), ElementsAre("syn_ack 0 before 02:00:00:00:00:66", "syn_ack 0"));
}

// What of who was answered finds no room is told again.
TEST_F(EvidenceTest, AnsweredClientsAreRememberedAsFarAsThereIsRoom) {
  Options few = evidence_options();
  few.evidence.answers.entries = 8;
  Bench bench(kEvidenceRule, few);
  const auto flood = [&] {
    for (int i = 1; i <= 200; ++i) {
      const std::string client = "10.0.1." + std::to_string(i);
      const auto frame = answer_to(client.c_str()).tcp(80, 1).flags(kSyn | kAck).build();
      bench.loose(frame, [](Inspector& inspector, const PacketContext& packet) {
        inspector.evidence(packet);
      });
    }
    return bench.take().size();
  };
  EXPECT_EQ(flood(), 200u);
  EXPECT_GE(flood(), 190u);
  EXPECT_GT(bench.inspector().evidence().answers_told().evicted(), 190u);
}

TEST_F(EvidenceTest, OtherPacketsOfAnEndpointAreNoAnswers) {
  give(answer().tcp(80, 40000).flags(kAck).payload("data"));
  give(answer().tcp(80, 40000).flags(kSyn));
  give(answer().ipv4_fragment(0, true).icmp(0, 0));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(EvidenceTest, EveryOtherMacIsAnEvent) {
  const auto from = [](const char* mac) { return answer(mac).tcp(80, 1).flags(kSyn | kAck); };
  give(from(kImpostor)).give(from(kVictim)).give(from(kVictim)).give(from(kImpostor));
  EXPECT_THAT(told(), ElementsAre("syn_ack 0", "syn_ack 0 before 02:00:00:00:00:66",
                                  "syn_ack 0 before 02:00:00:00:00:05"));
}

TEST_F(EvidenceTest, VlansAreApart) {
  for (const unsigned vlan : {7u, 8u, 7u}) {
    PacketBuilder builder = ethernet();
    builder.vlan(vlan).ipv6(kImds6, "2001:db8::5").tcp(80, 1).flags(kSyn | kAck);
    give(builder);
  }
  EXPECT_THAT(told(), ElementsAre("syn_ack 0", "syn_ack 0"));
  EXPECT_EQ(last_[1].vlans[0], 8);
}

TEST_F(EvidenceTest, HopDistanceComesFromTheTtl) {
  struct Case {
    unsigned ttl;
    const char* told;
  };
  int mac = 0;
  for (const Case& c : {Case{255, "syn_ack 0"}, Case{250, "syn_ack 5"}, Case{128, "syn_ack 0"},
                        Case{63, "syn_ack 1"}, Case{32, "syn_ack 0"}, Case{1, "syn_ack 31"}}) {
    PacketBuilder builder = ethernet();
    builder.vlan(100 + static_cast<unsigned>(mac++)).ipv4(kImds4, "10.0.0.5").ttl(c.ttl);
    give(builder.tcp(80, 1).flags(kSyn | kAck));
    EXPECT_THAT(told(), ElementsAre(c.told)) << c.ttl;
  }
}

// --- ARP ---

TEST_F(EvidenceTest, ArpClaims) {
  give(arp(2, kImds4, "10.0.0.5"));
  give(arp(2, kImds4, kImds4, kImpostor, kEverybody));
  give(arp(1, kImds4, kImds4, kImpostor, kEverybody));
  give(arp(1, "0.0.0.0", kImds4, kImpostor, kEverybody));
  give(arp(1, kImds4, "10.0.0.9", kImpostor, kEverybody));
  const std::string address = std::string(" ") + kImds4 + "/32 at " + kImpostor;
  EXPECT_THAT(told(), ElementsAre("arp_reply" + address, "arp_gratuitous" + address + " broadcast",
                                  "arp_announcement" + address + " broadcast",
                                  "arp_probe" + address + " broadcast",
                                  "arp_sender" + address + " broadcast"));
  EXPECT_EQ(last_[0].source.ip.to_string(), kImds4);
  EXPECT_EQ(last_[0].source.mac.to_string(), kImpostor);
  EXPECT_EQ(last_[0].destination.ip.to_string(), "10.0.0.5");
  EXPECT_EQ(last_[0].endpoint.view(), "imds");
  EXPECT_FALSE(last_[3].source.ip.is_set()) << "who probes has no address yet";
  EXPECT_THAT(counted(EvidenceSource::arp), ElementsAre(5, 0, 0, 0));
}

TEST_F(EvidenceTest, ArpOfOthersAndRequestsAreCounted) {
  give(arp(2, "10.0.0.6", "10.0.0.5"));
  give(arp(1, "10.0.0.6", kImds4, kImpostor, kEverybody));
  give(arp(1, "0.0.0.0", "10.0.0.6", kImpostor, kEverybody));
  PacketBuilder cut = arp(2, kImds4, "10.0.0.5");
  give(cut.truncate(30));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(counted(EvidenceSource::arp), ElementsAre(0, 2, 1, 1));
}

TEST_F(EvidenceTest, ArpTellsForeignFramesAndChangesOfOwner) {
  give(arp(2, kImds4, "10.0.0.5", "02:00:00:00:00:99"));
  PacketBuilder other = ethernet(kVictim);
  other.arp(2, kVictim, kImds4, kImpostor, "10.0.0.5");
  give(other).give(other);
  EXPECT_THAT(told(), ElementsAre("arp_reply 169.254.169.254/32 at 02:00:00:00:00:66 mac_mismatch",
                                  "arp_reply 169.254.169.254/32 at 02:00:00:00:00:05 "
                                  "owner_changed before 02:00:00:00:00:66",
                                  "arp_reply 169.254.169.254/32 at 02:00:00:00:00:05"));
}

// --- Neighbour discovery ---

PacketBuilder icmpv6(unsigned type, std::uint32_t rest, const Bytes& body,
                     const char* source = "fe80::66", unsigned hop_limit = 255) {
  PacketBuilder builder = ethernet();
  builder.ipv6(source, "2001:db8::5").ttl(hop_limit).icmpv6(type, 0, rest).bytes(body);
  return builder;
}

TEST_F(EvidenceTest, NeighbourAdvertisementClaims) {
  give(icmpv6(136, kSolicitedOverride,
              support::neighbour_body(kImds6, support::link_layer_option(2, kImpostor)), kImds6));
  give(icmpv6(136, 0x80000000, support::neighbour_body(kImds6)));
  EXPECT_THAT(told(),
              ElementsAre("nd_advertisement fd00:ec2::254/128 at 02:00:00:00:00:66 solicited "
                          "override",
                          "nd_advertisement fd00:ec2::254/128 at 02:00:00:00:00:66 router"));
  EXPECT_EQ(last_[0].source.mac.to_string(), kImpostor);
}

TEST_F(EvidenceTest, SolicitationsClaimOnlyTheirSource) {
  give(icmpv6(135, 0, support::neighbour_body(kImds6), "2001:db8::7"));
  give(icmpv6(133, 0, {}, "2001:db8::7"));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(counted(EvidenceSource::neighbour), ElementsAre(0, 2, 0, 0));
  give(icmpv6(135, 0, support::neighbour_body(kImds6), "::"));
  give(icmpv6(135, 0, support::neighbour_body("2001:db8::7"), kImds6));
  EXPECT_THAT(told(), ElementsAre("nd_probe fd00:ec2::254/128 at 02:00:00:00:00:66",
                                  "nd_sender fd00:ec2::254/128 at 02:00:00:00:00:66"));
}

TEST_F(EvidenceTest, WhatCrossedARouterClaimsNothing) {
  give(icmpv6(136, 0, support::neighbour_body(kImds6), "fe80::66", 254));
  give(icmpv6(134, 0, support::router_advertisement_body(support::prefix_option("fd00:ec2::", 64)),
              "fe80::66", 64));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(counted(EvidenceSource::neighbour), ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(counted(EvidenceSource::router_advertisement), ElementsAre(0, 0, 0, 1));
}

TEST_F(EvidenceTest, RouterAdvertisementClaimsByPrefixAndRoute) {
  const Bytes options =
      joined({support::prefix_option("fd00:ec2::", 32), support::prefix_option("fd00:ec2::", 64, 0),
              support::prefix_option("fd00:ec2::", 48, 0x40),
              support::prefix_option("2001:db8::", 64), support::route_option("fd00:ec2::254", 128),
              support::route_option("fd00:ec2::254", 128, 3, 0),
              support::route_option("fd00::", 16, 2), support::route_option("fc00::", 7, 2)});
  give(icmpv6(134, 0x00000708, support::router_advertisement_body(options)));
  EXPECT_THAT(told(), ElementsAre("ra_prefix fd00:ec2::/32 on_link autonomous",
                                  "ra_prefix fd00:ec2::/48 autonomous",
                                  "ra_route fd00:ec2::254/128 via fe80::66",
                                  "ra_route fd00::/16 via fe80::66"));
  EXPECT_EQ(last_[0].endpoint.view(), "imds6");
  EXPECT_EQ(default_routes(EvidenceSource::router_advertisement), 2u) << "router and fc00::/7";
}

TEST_F(EvidenceTest, DefaultRouterAloneClaimsNothing) {
  give(icmpv6(134, 0x00000708,
              support::router_advertisement_body(support::prefix_option("2001:db8::", 64))));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(default_routes(EvidenceSource::router_advertisement), 1u);
  EXPECT_THAT(counted(EvidenceSource::router_advertisement), ElementsAre(0, 0, 1, 0));
}

TEST_F(EvidenceTest, RedirectsOfBothVersions) {
  PacketBuilder quoted;
  quoted.ipv4("10.0.0.5", kImds4).tcp(40000, 80);
  PacketBuilder v4 = ethernet();
  v4.ipv4("10.0.0.1", "10.0.0.5").icmp(5, 1, 0x0a000042).bytes(quoted.build());
  give(v4);
  give(icmpv6(137, 0,
              joined({support::address_bytes("fe80::42"),
                      support::neighbour_body(kImds6, support::link_layer_option(2, kImpostor))})));
  EXPECT_THAT(told(), ElementsAre("icmp_redirect 169.254.169.254/32 via 10.0.0.66",
                                  "icmpv6_redirect fd00:ec2::254/128 at 02:00:00:00:00:66 via "
                                  "fe80::42"));
  PacketBuilder elsewhere;
  elsewhere.ipv4("10.0.0.5", "192.0.2.1").tcp(40000, 80);
  give(ethernet().ipv4("10.0.0.1", "10.0.0.5").icmp(5, 1, 0x0a000042).bytes(elsewhere.build()));
  give(ethernet().ipv4("10.0.0.1", "10.0.0.5").icmp(5, 1, 0x0a000042).payload("short"));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(counted(EvidenceSource::redirect), ElementsAre(2, 0, 1, 1));
}

// --- What must not alert ---

class AllowedResponder : public EvidenceBench {
 protected:
  AllowedResponder() : EvidenceBench(classes()) {}
  static classify::Options classes() {
    classify::Suppression snowball;
    snowball.name = "snowball";
    snowball.vlans = {{0, 0}};
    snowball.endpoints = {"imds"};
    snowball.responder_macs = {MacAddress{{2, 0, 0, 0, 0, 0x66}}};
    classify::Suppression openstack;
    openstack.name = "openstack-dhcp";
    openstack.responder_addresses = {*IpPrefix::parse("10.0.0.2")};
    classify::Options options;
    options.suppressions = {snowball, openstack};
    return options;
  }
};

TEST_F(AllowedResponder, NeitherAnswersNorClaimsAlert) {
  give(answer().tcp(80, 40000).flags(kSyn | kAck));
  give(arp(2, kImds4, "10.0.0.5"));
  give(dhcp(
      {.options = support::dhcp_option(121, support::classless_route(kImds4, 32, "10.0.0.66"))}));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(bench_.suppressed(0), 2u + 1u) << "the DHCP server has the same MAC here";
  PacketBuilder other = ethernet("02:00:00:00:00:99");
  other.ipv4("10.0.0.2", "10.0.0.50").udp(67, 68);
  other.bytes(support::dhcp_message(
      {.options = support::dhcp_option(121, support::classless_route(kImds4, 32, "10.0.0.66"))}));
  give(other);
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_EQ(bench_.suppressed(1), 1u);
  give(answer("02:00:00:00:00:99").tcp(80, 40000).flags(kSyn | kAck));
  EXPECT_THAT(told(), ElementsAre("syn_ack 0 before 02:00:00:00:00:66"));
}

// Only clients on the premises alert: who is told decides, not who claims, and on a link everybody
// is at home.
class OnPremises : public EvidenceBench {
 protected:
  OnPremises() : EvidenceBench(classes()) {}
  static classify::Options classes() {
    classify::Suppression outside;
    outside.name = "outside-on-premises";
    outside.sources = {*IpPrefix::parse("10.0.0.0/24")};
    outside.outside = true;
    classify::Options options;
    options.suppressions = {outside};
    return options;
  }
};

TEST_F(OnPremises, ClaimsToTheLinkAlert) {
  give(arp(2, kImds4, kImds4, kImpostor, kEverybody));
  PacketBuilder advertisement = ethernet();
  advertisement.ipv6("fe80::66", "ff02::1").ttl(255).icmpv6(136, 0, 0);
  give(advertisement.bytes(support::neighbour_body(kImds6)));
  EXPECT_EQ(told().size(), 2u);
}

}  // namespace
}  // namespace imds::detect
