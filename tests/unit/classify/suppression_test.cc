#include "classify/suppression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "classify/classifier.h"

namespace imds::classify {
namespace {

using testing::HasSubstr;

IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}

packet::VlanStack stack(std::initializer_list<std::uint16_t> ids) {
  packet::VlanStack s;
  for (const std::uint16_t id : ids) {
    s.ids[s.count++] = id;
  }
  return s;
}

Options with(std::vector<Suppression> suppressions) {
  Options o;
  o.endpoints = {{"aws", {prefix("169.254.169.254")}}, {"ecs", {prefix("169.254.170.2")}}};
  o.suppressions = std::move(suppressions);
  return o;
}

SuppressionSet made(const Options& options) {
  auto result = SuppressionSet::create(options);
  if (!result) {
    throw std::logic_error(result.error().to_string());
  }
  return std::move(*result);
}

std::string refused(std::vector<Suppression> suppressions) {
  const auto result = SuppressionSet::create(with(std::move(suppressions)));
  if (result) {
    return "accepted";
  }
  EXPECT_EQ(result.error().kind, ErrorKind::config);
  return result.error().message;
}

// A client covered by the sources of these suppressions.
AddressClass client(std::initializer_list<std::size_t> covered) {
  AddressClass c;
  for (const std::size_t i : covered) {
    c.suppressions.set(i);
  }
  return c;
}

// Of an event of rule 0.
std::optional<std::uint16_t> match(const SuppressionSet& s, const AddressClass& client,
                                   const packet::VlanStack& vlans, std::uint16_t endpoint,
                                   const Tunnel& tunnel) {
  return s.first_for(s.covering({client, vlans, endpoint, tunnel}), 0);
}

TEST(Suppression, NoneConfigured) {
  const SuppressionSet s = made(with({}));
  EXPECT_TRUE(s.empty());
  EXPECT_FALSE(match(s, client({}), stack({5}), 0, {}));
}

TEST(Suppression, BySource) {
  const SuppressionSet s = made(with({{"cloud", {prefix("10.0.0.0/8")}, {}, {}}}));
  EXPECT_EQ(match(s, client({0}), stack({}), 0, {}), 0);
  EXPECT_EQ(match(s, client({0}), stack({7}), kNoEndpoint, {}), 0);
  EXPECT_FALSE(match(s, client({}), stack({}), 0, {}));
}

TEST(Suppression, ByVlanOfAnyTag) {
  const SuppressionSet s = made(with({{"guests", {}, {{100, 102}, {4095, 4095}}, {}}}));
  EXPECT_TRUE(s.needs_vlan(0));
  EXPECT_EQ(match(s, {}, stack({100}), 0, {}), 0);
  EXPECT_EQ(match(s, {}, stack({7, 102}), 0, {}), 0);
  EXPECT_EQ(match(s, {}, stack({4095, 7}), 0, {}), 0);
  EXPECT_FALSE(match(s, {}, stack({99}), 0, {}));
  EXPECT_FALSE(match(s, {}, stack({103, 4094}), 0, {}));
  EXPECT_FALSE(match(s, {}, stack({}), 0, {}));
}

TEST(Suppression, UntaggedIsVlanZero) {
  const SuppressionSet s = made(with({{"untagged", {}, {{0, 0}}, {}}}));
  EXPECT_EQ(match(s, {}, stack({}), 0, {}), 0);
  EXPECT_FALSE(match(s, {}, stack({1}), 0, {}));
}

TEST(Suppression, ByEndpoint) {
  const SuppressionSet s = made(with({{"ecs", {}, {}, {"ecs"}}}));
  EXPECT_EQ(match(s, {}, stack({}), 1, {}), 0);
  EXPECT_FALSE(match(s, {}, stack({}), 0, {}));
  EXPECT_FALSE(match(s, {}, stack({}), kNoEndpoint, {}));
}

Tunnel tunnel(std::string_view source, std::string_view destination) {
  Tunnel t;
  t.path = {{TunnelKind::vxlan}, 1};
  t.source = IpAddress::parse(source).value();
  t.destination = IpAddress::parse(destination).value();
  return t;
}

TEST(Suppression, ByEitherOuterAddress) {
  const SuppressionSet s =
      made(with({{"mirror", {}, {}, {}, {prefix("10.0.0.0/24"), prefix("fd00::/64")}}}));
  EXPECT_EQ(match(s, {}, stack({}), 0, tunnel("10.0.0.1", "192.0.2.1")), 0);
  EXPECT_EQ(match(s, {}, stack({}), 0, tunnel("192.0.2.1", "10.0.0.1")), 0);
  EXPECT_EQ(match(s, {}, stack({}), kNoEndpoint, tunnel("fd00::1", "2001:db8::1")), 0);
  EXPECT_FALSE(match(s, {}, stack({}), 0, tunnel("10.0.1.1", "192.0.2.1")));
  EXPECT_FALSE(match(s, {}, stack({}), 0, {}));
}

TEST(Suppression, OuterOfALinkLayerTunnelIsNowhere) {
  const SuppressionSet s = made(with({{"any", {}, {}, {}, {prefix("0.0.0.0/0"), prefix("::/0")}}}));
  Tunnel pppoe;
  pppoe.path = {{TunnelKind::pppoe}, 1};
  EXPECT_FALSE(match(s, {}, stack({}), 0, pppoe));
  EXPECT_EQ(match(s, {}, stack({}), 0, tunnel("10.0.1.1", "192.0.2.1")), 0);
}

TEST(Suppression, InnerAndOuterAreDifferentQuestions) {
  const SuppressionSet s =
      made(with({{"inner", {prefix("10.1.0.0/16")}, {}, {}},
                 {"both", {prefix("10.2.0.0/16")}, {}, {}, {prefix("10.0.0.0/24")}}}));
  const Tunnel inside = tunnel("10.0.0.1", "10.0.0.2");
  // Whatever the inner client's prefix covers, the outer one is not asked, and the other way round.
  EXPECT_EQ(match(s, client({0}), stack({}), 0, inside), 0);
  EXPECT_EQ(match(s, client({0}), stack({}), 0, {}), 0);
  EXPECT_FALSE(match(s, client({}), stack({}), 0, tunnel("10.1.0.1", "10.1.0.2")));
  EXPECT_EQ(match(s, client({1}), stack({}), 0, inside), 1);
  EXPECT_FALSE(match(s, client({1}), stack({}), 0, tunnel("10.2.0.1", "10.2.0.2")));
  EXPECT_FALSE(match(s, client({1}), stack({}), 0, {}));
  EXPECT_FALSE(match(s, client({}), stack({}), 0, inside));
}

TEST(Suppression, AllKindsMustHold) {
  const SuppressionSet s =
      made(with({{"both", {prefix("10.0.0.0/8")}, {{20, 20}}, {"aws", "ecs"}}}));
  EXPECT_EQ(match(s, client({0}), stack({20}), 0, {}), 0);
  EXPECT_EQ(match(s, client({0}), stack({20}), 1, {}), 0);
  EXPECT_FALSE(match(s, client({}), stack({20}), 0, {}));
  EXPECT_FALSE(match(s, client({0}), stack({21}), 0, {}));
  EXPECT_FALSE(match(s, client({0}), stack({20}), kNoEndpoint, {}));
}

TEST(Suppression, FirstInConfiguredOrderWins) {
  std::vector<Suppression> many;
  for (int i = 0; i < 200; ++i) {
    many.push_back({"s" + std::to_string(i), {prefix("10.0.0.0/8")}, {}, {}});
  }
  many[70].vlans = {{5, 5}};
  const SuppressionSet s = made(with(std::move(many)));
  EXPECT_EQ(match(s, client({199, 130, 70}), stack({5}), 0, {}), 70);
  EXPECT_EQ(match(s, client({199, 130, 70}), stack({6}), 0, {}), 130);
  EXPECT_EQ(match(s, client({199}), stack({6}), 0, {}), 199);
  EXPECT_EQ(s.name(199), "s199");
  EXPECT_EQ(s.size(), 200u);
}

TEST(Suppression, SharesIndicesWithTheClassifier) {
  const Options o = with(
      {{"lab", {prefix("10.1.0.0/16")}, {}, {"aws"}}, {"all", {prefix("10.0.0.0/8")}, {}, {}}});
  const SuppressionSet s = made(o);
  const auto classifier = Classifier::create(o, -1);
  ASSERT_TRUE(classifier);
  const AddressClass& lab = (*classifier)->lookup(IpAddress::parse("10.1.2.3").value());
  EXPECT_EQ(match(s, lab, stack({}), 0, {}), 0);
  EXPECT_EQ(match(s, lab, stack({}), 1, {}), 1);
  const AddressClass& stranger = (*classifier)->lookup(IpAddress::parse("192.0.2.1").value());
  EXPECT_FALSE(match(s, stranger, stack({}), 0, {}));
}

TEST(Suppression, TellsWhatCanNeverMatch) {
  const SuppressionSet s = made(with({
      {"ten", {prefix("10.0.0.0/8")}, {}, {}},
      {"lab", {prefix("10.1.0.0/16"), prefix("10.2.0.0/16")}, {{5, 5}}, {}},
      {"more", {prefix("10.1.0.0/16"), prefix("192.0.2.0/24")}, {}, {}},
      {"vlans", {}, {{5, 9}}, {}},
      {"inside", {}, {{6, 7}}, {"aws"}},
      {"any vlan", {}, {}, {"aws"}},
      {"tunnels", {}, {}, {"ecs"}, {prefix("192.0.2.0/24")}},
      {"part", {}, {}, {"ecs"}, {prefix("192.0.2.0/25"), prefix("192.0.2.200/32")}},
      {"more tunnels", {}, {}, {"ecs"}, {prefix("192.0.2.0/25"), prefix("198.51.100.0/24")}},
      {"all of ecs", {}, {}, {"ecs"}},
      {"tunnels again", {prefix("10.9.0.0/16")}, {}, {"ecs"}, {prefix("203.0.113.0/24")}},
      {"in ten", {prefix("10.9.0.0/16")}, {}, {}, {prefix("203.0.113.0/24")}},
  }));
  EXPECT_FALSE(s.shadowed_by(0));
  EXPECT_EQ(s.shadowed_by(1), 0u);
  EXPECT_FALSE(s.shadowed_by(2));
  EXPECT_FALSE(s.shadowed_by(3));
  EXPECT_EQ(s.shadowed_by(4), 3u);
  EXPECT_FALSE(s.shadowed_by(5));
  EXPECT_FALSE(s.shadowed_by(6));
  EXPECT_EQ(s.shadowed_by(7), 6u);
  EXPECT_FALSE(s.shadowed_by(8));
  EXPECT_FALSE(s.shadowed_by(9));
  EXPECT_EQ(s.shadowed_by(10), 0u);
  EXPECT_EQ(s.shadowed_by(11), 0u);
}

TEST(Suppression, RefusesWhatMakesNoSense) {
  EXPECT_THAT(refused({{"", {prefix("10.0.0.0/8")}, {}, {}}}), HasSubstr("no name"));
  EXPECT_THAT(refused({{"all", {}, {}, {}}}), HasSubstr("would hide everything"));
  EXPECT_THAT(refused({{"a", {}, {{1, 1}}, {}}, {"a", {}, {{2, 2}}, {}}}),
              HasSubstr("\"a\" is configured twice"));
  EXPECT_THAT(refused({{"v", {}, {{9, 5}}, {}}}), HasSubstr("9-5"));
  EXPECT_THAT(refused({{"v", {}, {{1, 4096}}, {}}}), HasSubstr("1-4096"));
  EXPECT_THAT(refused({{"e", {}, {}, {"aswt"}}}), HasSubstr("\"aswt\", which is not configured"));
  EXPECT_THAT(refused(std::vector<Suppression>(kMaxSuppressions + 1, {"x", {}, {{1, 1}}, {}})),
              HasSubstr("at most 256"));
}

}  // namespace
}  // namespace imds::classify
