#include "evidence/icmp.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/evidence_messages.h"

namespace imds::evidence {
namespace {

using support::Bytes;
using support::joined;

constexpr std::string_view kImds = "fd00:ec2::254";
constexpr std::string_view kMac = "02:00:00:00:00:66";

TEST(ReadNeighbour, AdvertisementHasFlagsTargetAndLinkLayer) {
  const Bytes body = joined(
      {{0xe0, 0, 0, 0}, support::neighbour_body(kImds, support::link_layer_option(2, kMac))});
  const NeighbourMessage message = read_neighbour(kNeighbourAdvertisement, body);
  EXPECT_TRUE(message.ok);
  EXPECT_EQ(message.flags, kAdvertisedByRouter | kAnswersSolicitation | kOverridesCache);
  EXPECT_EQ(message.target.to_string(), kImds);
  EXPECT_EQ(message.link_layer.to_string(), kMac);
}

TEST(ReadNeighbour, TakesTheOptionThatIsMeant) {
  const Bytes options = joined({support::link_layer_option(1, "02:00:00:00:00:01"),
                                {14, 2},
                                Bytes(14, 7),
                                support::link_layer_option(2, kMac)});
  const Bytes body = joined({Bytes(4, 0), support::neighbour_body(kImds, options)});
  EXPECT_EQ(read_neighbour(kNeighbourAdvertisement, body).link_layer.to_string(), kMac);
  EXPECT_EQ(read_neighbour(kNeighbourSolicitation, body).link_layer.to_string(),
            "02:00:00:00:00:01");
}

TEST(ReadNeighbour, RedirectHasDestinationAndNextHop) {
  const Bytes body = joined({Bytes(4, 0), support::address_bytes("fe80::66"),
                             support::neighbour_body(kImds, support::link_layer_option(2, kMac))});
  const NeighbourMessage message = read_neighbour(kIcmpv6Redirect, body);
  EXPECT_TRUE(message.ok);
  EXPECT_EQ(message.target.to_string(), "fe80::66");
  EXPECT_EQ(message.destination.to_string(), kImds);
  EXPECT_EQ(message.link_layer.to_string(), kMac);
}

TEST(ReadNeighbour, RefusesWhatReceiversDrop) {
  const Bytes good = joined({Bytes(4, 0), support::neighbour_body(kImds)});
  EXPECT_TRUE(read_neighbour(kNeighbourAdvertisement, good).ok);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_neighbour(kNeighbourAdvertisement, ByteSpan(good).first(size)).ok) << size;
  }
  EXPECT_FALSE(read_neighbour(kIcmpv6Redirect, good).ok);
  for (const Bytes& options : {Bytes{2, 0}, Bytes{2}, Bytes{2, 2, 0, 0, 0, 0, 0, 0}}) {
    EXPECT_FALSE(read_neighbour(kNeighbourAdvertisement, joined({good, options})).ok);
  }
}

TEST(ReadIcmpRedirect, HasGatewayAndTheQuotedDestination) {
  support::PacketBuilder quoted;
  quoted.ipv4("10.0.0.5", "169.254.169.254").tcp(40000, 80);
  const Bytes body = joined({support::address_bytes("10.0.0.66"), quoted.build()});
  const IcmpRedirect message = read_icmp_redirect(body);
  EXPECT_TRUE(message.ok);
  EXPECT_EQ(message.gateway.to_string(), "10.0.0.66");
  EXPECT_EQ(message.destination.to_string(), "169.254.169.254");
  EXPECT_FALSE(read_icmp_redirect(ByteSpan(body).first(23)).ok);
  support::PacketBuilder other;
  other.ipv6("fe80::1", kImds).tcp(1, 2);
  EXPECT_FALSE(read_icmp_redirect(joined({support::address_bytes("10.0.0.66"), other.build()})).ok);
}

std::vector<std::string> prefixes_of(const Bytes& body, bool* ok = nullptr) {
  std::vector<std::string> out;
  RouterAdvertisement message(body);
  AdvertisedPrefix said;
  while (message.next(said)) {
    out.push_back(std::string(said.is_route ? "route " : "prefix ") + said.prefix.to_string() +
                  (said.on_link ? " L" : "") + (said.autonomous ? " A" : "") + ' ' +
                  std::to_string(said.lifetime));
  }
  if (ok != nullptr) {
    *ok = message.ok();
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(RouterAdvertisement, TellsPrefixesAndRoutes) {
  const Bytes body = joined(
      {{64, 0, 0x07, 0x08},
       support::router_advertisement_body(joined({support::link_layer_option(1, kMac),
                                                  support::prefix_option("fd00:ec2::", 64),
                                                  support::prefix_option("2001:db8::", 64, 0x40, 0),
                                                  support::route_option("fd00:ec2::254", 128),
                                                  support::route_option("fd00::", 8, 2),
                                                  {24, 1, 0, 0, 0, 0, 0, 9}}))});
  bool ok = false;
  EXPECT_EQ(prefixes_of(body, &ok),
            (Lines{"prefix fd00:ec2::/64 L A 86400", "prefix 2001:db8::/64 A 0",
                   "route fd00:ec2::254/128 86400", "route fd00::/8 86400", "route ::/0 9"}));
  EXPECT_TRUE(ok);
  EXPECT_EQ(RouterAdvertisement(body).router_lifetime(), 1800);
}

TEST(RouterAdvertisement, ClearsWhatIsBeyondThePrefix) {
  const Bytes body =
      joined({Bytes(4, 0),
              support::router_advertisement_body(support::route_option("fd00:ec2::254", 29))});
  EXPECT_EQ(prefixes_of(body), Lines{"route fd00:ec0::/29 86400"});
}

TEST(RouterAdvertisement, StopsWhereALengthLies) {
  const Bytes good = support::prefix_option("fd00:ec2::", 64);
  for (const Bytes& bad :
       {support::route_option("fd00:ec2::254", 65, 2), support::route_option("fd00::", 129),
        support::prefix_option("fd00::", 200), Bytes{24, 0}, Bytes{3, 4, 64}, Bytes{3}}) {
    bool ok = true;
    EXPECT_EQ(
        prefixes_of(joined({Bytes(4, 0), support::router_advertisement_body(joined({good, bad}))}),
                    &ok),
        Lines{"prefix fd00:ec2::/64 L A 86400"});
    EXPECT_FALSE(ok);
  }
  bool ok = true;
  EXPECT_EQ(prefixes_of(Bytes(11, 0), &ok), Lines{});
  EXPECT_FALSE(ok);
}

}  // namespace
}  // namespace imds::evidence
