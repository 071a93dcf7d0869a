// Claims that servers make: DHCP in both versions, and DNS.
#include "evidence_fixture.h"

namespace imds::detect {
namespace {

class ServiceClaims : public EvidenceBench {};

// --- DHCP ---

TEST_F(ServiceClaims, DhcpRoutes) {
  const Bytes host = support::classless_route(kImds4, 32, "10.0.0.66");
  const Bytes network = support::classless_route("169.254.0.0", 16, "0.0.0.0");
  const Bytes everything = support::classless_route("0.0.0.0", 0, "10.0.0.1");
  const Bytes statics =
      joined({support::address_bytes("169.254.1.1"), support::address_bytes("10.0.0.66")});
  give(dhcp(
      {.relay = "10.9.0.1",
       .client_mac = "02:00:00:00:00:77",
       .options = joined({support::dhcp_option(121, joined({everything, host})),
                          support::dhcp_option(249, network), support::dhcp_option(33, statics),
                          support::dhcp_option(3, support::address_bytes("10.0.0.1"))})},
      "255.255.255.255"));
  EXPECT_THAT(told(), ElementsAre("dhcp_route 169.254.169.254/32 via 10.0.0.66 relayed",
                                  "dhcp_route_249 169.254.0.0/16 via 0.0.0.0 relayed",
                                  "dhcp_static_route 169.254.0.0/16 via 10.0.0.66 relayed"));
  EXPECT_EQ(last_[0].source.ip.to_string(), "10.0.0.2");
  EXPECT_EQ(last_[0].destination.ip.to_string(), "10.0.0.50") << "the client that is served";
  EXPECT_EQ(last_[0].destination.mac.to_string(), "02:00:00:00:00:77");
  EXPECT_EQ(default_routes(EvidenceSource::dhcp), 2u) << "in option 121, and option 3";
  EXPECT_THAT(counted(EvidenceSource::dhcp), ElementsAre(1, 0, 0, 0));
}

TEST_F(ServiceClaims, DhcpGivesTheAddressItself) {
  give(dhcp({.your_address = kImds4}));
  give(dhcp({.options = support::dhcp_option(3, support::address_bytes(kImds4))}));
  EXPECT_THAT(told(),
              ElementsAre("dhcp_lease 169.254.169.254/32", "dhcp_router 169.254.169.254/32"));
}

TEST_F(ServiceClaims, OrdinaryDhcpIsCounted) {
  give(dhcp({.options = support::dhcp_option(3, support::address_bytes("10.0.0.1"))}));
  give(dhcp(
      {.options = support::dhcp_option(121, support::classless_route("10.0.0.0", 8, "10.0.0.1"))}));
  give(dhcp(
      {.type = 6,
       .options = support::dhcp_option(121, support::classless_route(kImds4, 32, "10.0.0.66"))}));
  give(dhcp({.operation = 1, .type = 1}));
  give(dhcp({.options = {121, 99, 32}}));
  PacketBuilder query = ethernet();
  give(query.ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).payload("short"));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(counted(EvidenceSource::dhcp), ElementsAre(0, 1, 3, 2));
}

TEST_F(ServiceClaims, Dhcpv6LeasesAndDelegations) {
  const Bytes options =
      joined({support::dhcpv6_association(3, support::dhcpv6_address(kImds6)),
              support::dhcpv6_association(25, joined({support::dhcpv6_prefix("fd00:ec2::", 32),
                                                      support::dhcpv6_prefix("2001:db8::", 48)})),
              support::dhcpv6_association(3, support::dhcpv6_address(kImds6, 0))});
  PacketBuilder builder = ethernet();
  builder.ipv6("fe80::2", "fe80::5").udp(547, 546);
  builder.bytes(support::dhcpv6_relayed(13, support::dhcpv6_message(7, options)));
  give(builder);
  give(ethernet().ipv6("fe80::5", "ff02::1:2").udp(546, 547).bytes(support::dhcpv6_message(1, {})));
  EXPECT_THAT(told(), ElementsAre("dhcpv6_lease fd00:ec2::254/128 relayed",
                                  "dhcpv6_prefix fd00:ec2::/32 relayed"));
  EXPECT_THAT(counted(EvidenceSource::dhcpv6), ElementsAre(1, 1, 0, 0));
}

// --- DNS ---

PacketBuilder dns(const support::DnsMessage& message, unsigned port = 53) {
  PacketBuilder builder = ethernet();
  builder.ipv4("10.0.0.3", "10.0.0.5").udp(port, 40000).bytes(support::dns_message(message));
  return builder;
}

const Bytes kAsked = support::dns_pointer(support::kDnsQuestion);

TEST_F(ServiceClaims, DnsNamesForTheAddress) {
  give(dns({.question = "Rebind.Example",
            .answers = {support::dns_record(kAsked, support::kDnsCname, support::dns_name("a.b")),
                        support::dns_address(support::dns_name("a.b"), kImds4),
                        support::dns_address(support::dns_name("a.b"), "192.0.2.1")}}));
  give(dns({.question = "",
            .answers = {support::dns_address(support::dns_name("printer.local"), kImds6)}},
           5353));
  EXPECT_THAT(told(), ElementsAre("dns_address rebind.example 169.254.169.254/32",
                                  "dns_address printer.local fd00:ec2::254/128"));
  EXPECT_EQ(last_[0].source.ip.to_string(), "10.0.0.3");
  EXPECT_EQ(last_[0].source.port, 53);
  EXPECT_EQ(last_[0].destination.ip.to_string(), "10.0.0.5");
}

TEST_F(ServiceClaims, DnsMetadataNamesForAnything) {
  give(dns({.question = "metadata.google.internal",
            .answers = {support::dns_record(kAsked, support::kDnsCname, support::dns_name("a.b")),
                        support::dns_address(support::dns_name("a.b"), "10.0.0.66")}}));
  give(dns({.question = "instance-data",
            .answers = {support::dns_record(kAsked, support::kDnsCname, support::dns_name("a.b"))}},
           5355));
  give(dns(
      {.question = "www.example",
       .answers = {
           support::dns_record(kAsked, support::kDnsCname, support::dns_name("instance-data.corp")),
           support::dns_address(support::dns_name("instance-data.corp"), "10.0.0.66")}}));
  EXPECT_THAT(told(), ElementsAre("dns_metadata_name metadata.google.internal 10.0.0.66/32",
                                  "dns_metadata_name instance-data",
                                  "dns_metadata_name www.example 10.0.0.66/32"));
  EXPECT_TRUE(last_[0].endpoint.empty());
}

TEST_F(ServiceClaims, OrdinaryDnsIsCounted) {
  give(dns({.answers = {support::dns_address(kAsked, "192.0.2.1")}}));
  give(dns({.question = "metadata.google.internal"}));
  give(dns({.question = "metadata.google.internal.example",
            .answers = {support::dns_address(kAsked, "192.0.2.1")}}));
  give(dns({.answers = {}, .authorities = {support::dns_address(kAsked, kImds4)}}));
  give(dns({.is_response = false}));
  give(dns({.answers = {support::dns_address(support::dns_pointer(0x3ff0), kImds4)}}));
  EXPECT_THAT(told(), IsEmpty());
  EXPECT_THAT(counted(EvidenceSource::dns), ElementsAre(0, 1, 4, 1));
}

TEST_F(ServiceClaims, ClaimsOfOneMessageAreBounded) {
  const std::vector<Bytes> many(kMaxClaims + 5, support::dns_address(kAsked, kImds4));
  give(dns({.answers = many}));
  EXPECT_EQ(told().size(), kMaxClaims);
  EXPECT_EQ(counters().claims_cut.get(), 5u);
  EXPECT_EQ(counters().claims[static_cast<std::size_t>(event::ClaimKind::dns_address)].get(),
            kMaxClaims);
}

class DnsOverTcp : public ServiceClaims {
 protected:
  static support::TcpSession session(std::size_t segment_size = 1400) {
    support::TcpSession::Options options;
    options.server_ip = "10.0.0.3";
    options.server_port = 53;
    options.segment_size = segment_size;
    return support::TcpSession(options);
  }
  static std::string answer_text() {
    const Bytes bytes = support::with_length(support::dns_message(
        {.question = "rebind.example", .answers = {support::dns_address(kAsked, kImds4)}}));
    return {bytes.begin(), bytes.end()};
  }
};

TEST_F(DnsOverTcp, IsReadInSegmentsOfAnySize) {
  for (const std::size_t size : {1400u, 2u, 1u}) {
    support::TcpSession session = DnsOverTcp::session(size);
    session.handshake().client("query").server(answer_text() + answer_text()).fin();
    bench_.feed(session).end_all();
    EXPECT_THAT(told(), ElementsAre("dns_address rebind.example 169.254.169.254/32",
                                    "dns_address rebind.example 169.254.169.254/32"))
        << size;
    EXPECT_EQ(last_[0].destination.ip.to_string(), "10.0.0.1");
  }
}

TEST_F(DnsOverTcp, IsReadInOrder) {
  support::TcpSession session = DnsOverTcp::session(20);
  session.handshake().client("query").server(answer_text());
  std::vector<support::TimedPacket>& packets = session.packets();
  std::swap(packets[packets.size() - 1].bytes, packets[packets.size() - 2].bytes);
  bench_.feed(session).end_all();
  EXPECT_THAT(told(), ElementsAre("dns_address rebind.example 169.254.169.254/32"));
}

TEST_F(DnsOverTcp, IsReadWhereTheFastLaneIsOn) {
  bench_.set_lane(true);
  support::TcpSession session = DnsOverTcp::session(30);
  session.handshake();
  for (int i = 0; i < 300; ++i) {
    session.client("query").server(answer_text());
  }
  bench_.feed(session).end_all();
  EXPECT_EQ(told().size(), 300u);
}

}  // namespace
}  // namespace imds::detect
