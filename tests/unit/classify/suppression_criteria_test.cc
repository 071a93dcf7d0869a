// Suppression by server, user agent, rule and time, and of clients outside of listed networks; what
// can never match.
#include <gtest/gtest.h>

#include "classify/classifier.h"
#include "classify/suppression.h"

namespace imds::classify {
namespace {

IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

MacAddress mac(std::uint8_t last) {
  const std::uint8_t bytes[6] = {2, 0, 0, 0, 0, last};
  return MacAddress::wire(bytes);
}

constexpr Timestamp at(std::int64_t hour, std::int64_t minute = 0) {
  return {(hour * 60 + minute) * 60 * kNanosPerSecond};
}

Suppression named(std::string name) {
  return {std::move(name), {}, {}, {}};
}

Options with(std::vector<Suppression> suppressions) {
  Options o;
  o.endpoints = {{"aws4", {prefix("169.254.169.254")}}, {"aws6", {prefix("fd00:ec2::254")}}};
  o.suppressions = std::move(suppressions);
  return o;
}

SuppressionSet made(std::vector<Suppression> suppressions) {
  auto result = SuppressionSet::create(with(std::move(suppressions)));
  if (!result) {
    throw std::logic_error(result.error().to_string());
  }
  return std::move(*result);
}

// What a test asks about; the rest is as usual.
struct Asked {
  AddressClass client{};
  IpAddress server = address("169.254.169.254");
  MacAddress server_mac{};
  std::string_view user_agent{};
  Timestamp time{};
  std::uint16_t rule = 0;
};

std::optional<std::uint16_t> match(const SuppressionSet& set, const Asked& asked) {
  const packet::VlanStack vlans{};
  const Tunnel tunnel{};
  return set.first_for(set.covering({asked.client, vlans, 0, tunnel, asked.server, asked.server_mac,
                                     asked.user_agent, asked.time}),
                       asked.rule);
}

TEST(SuppressionCriteria, Destination) {
  Suppression s = named("web");
  s.destinations = {prefix("192.0.2.0/24"), prefix("2001:db8::/32")};
  const SuppressionSet set = made({s});
  EXPECT_EQ(match(set, {.server = address("192.0.2.9")}), 0);
  EXPECT_EQ(match(set, {.server = address("2001:db8::9")}), 0);
  EXPECT_FALSE(match(set, {.server = address("192.0.3.9")}));
  EXPECT_FALSE(match(set, {.server = {}}));
}

TEST(SuppressionCriteria, ResponderByMacOrAddress) {
  Suppression s = named("emulator");
  s.responder_macs = {mac(7)};
  s.responder_addresses = {prefix("192.0.2.53")};
  const SuppressionSet set = made({s});
  EXPECT_EQ(match(set, {.server_mac = mac(7)}), 0);
  EXPECT_EQ(match(set, {.server = address("192.0.2.53")}), 0);
  EXPECT_EQ(match(set, {.server = address("192.0.2.53"), .server_mac = mac(8)}), 0);
  EXPECT_FALSE(match(set, {.server_mac = mac(8)}));
  EXPECT_FALSE(match(set, {}));  // no MAC is nobody's
}

TEST(SuppressionCriteria, UserAgentIsTheWholeText) {
  Suppression s = named("scanner");
  s.user_agents = {"Nuclei*", "*(scan; v?)", "exact", "a*b*c"};
  const SuppressionSet set = made({s});
  for (const char* yes :
       {"Nuclei", "nuclei - Open-source", "x (scan; v?)", "EXACT", "abc", "a--b-bc", "aXbXcXc"}) {
    EXPECT_EQ(match(set, {.user_agent = yes}), 0) << yes;
  }
  for (const char* no : {"Nucle", "x (scan; v2)", "exactly", "inexact", "ac", "abcd", ""}) {
    EXPECT_FALSE(match(set, {.user_agent = no})) << no;
  }
  EXPECT_FALSE(match(set, {}));  // what has none
  const std::string longest = "Nuclei" + std::string(kMaxUserAgent - 6, 'x');
  EXPECT_EQ(match(set, {.user_agent = longest}), 0);
  EXPECT_FALSE(match(set, {.user_agent = longest + "x"}));
}

TEST(SuppressionCriteria, RulesAreSuppressedOneByOne) {
  Suppression one = named("one");
  one.by_rule = true;
  one.rules = {1, 64, 700};
  Suppression all = named("all");
  all.destinations = {prefix("192.0.2.0/24")};
  const SuppressionSet set = made({one, all});
  for (const std::uint16_t rule : {1, 64, 700}) {
    EXPECT_EQ(match(set, {.rule = rule}), 0) << rule;
  }
  for (const std::uint16_t rule : {0, 2, 63, 65, 699, 701, 65534}) {
    EXPECT_FALSE(match(set, {.rule = rule})) << rule;
    EXPECT_EQ(match(set, {.server = address("192.0.2.1"), .rule = rule}), 1) << rule;
  }
}

TEST(SuppressionCriteria, FromUntil) {
  Suppression s = named("window");
  s.destinations = {prefix("0.0.0.0/0")};
  s.from = at(10);
  s.until = at(12);
  const SuppressionSet set = made({s});
  EXPECT_FALSE(match(set, {.time = {at(10).ns - 1}}));
  EXPECT_EQ(match(set, {.time = at(10)}), 0);
  EXPECT_EQ(match(set, {.time = {at(12).ns - 1}}), 0);
  EXPECT_FALSE(match(set, {.time = at(12)}));
}

TEST(SuppressionCriteria, HoursOfTheDay) {
  Suppression s = named("night");
  s.destinations = {prefix("0.0.0.0/0")};
  s.daily = {{22 * 3600, 6 * 3600}, {12 * 3600, 13 * 3600}};
  const SuppressionSet set = made({s});
  for (const std::int64_t day : {-3, 0, 20000}) {
    EXPECT_EQ(match(set, {.time = at(24 * day + 22)}), 0) << day;
    EXPECT_EQ(match(set, {.time = at(24 * day + 5, 59)}), 0) << day;
    EXPECT_EQ(match(set, {.time = at(24 * day + 12, 30)}), 0) << day;
    EXPECT_FALSE(match(set, {.time = at(24 * day + 6)})) << day;
    EXPECT_FALSE(match(set, {.time = at(24 * day + 21, 59)})) << day;
    EXPECT_FALSE(match(set, {.time = at(24 * day + 13)})) << day;
  }
  // A day that ends at midnight does not go on past it.
  s.daily = {{22 * 3600, 24 * 3600}};
  const SuppressionSet evening = made({s});
  EXPECT_EQ(match(evening, {.time = at(23, 59)}), 0);
  EXPECT_FALSE(match(evening, {.time = at(0)}));
}

TEST(SuppressionCriteria, OutsideOfNetworks) {
  Suppression lab = named("lab");
  lab.sources = {prefix("192.0.2.0/24")};
  Suppression outside = named("outside");
  outside.sources = {prefix("10.0.0.0/8"), prefix("fd00::/8")};
  outside.outside = true;
  const Options options = with({lab, outside});
  const SuppressionSet set = SuppressionSet::create(options).value();
  const auto classifier = Classifier::create(options, -1);
  ASSERT_TRUE(classifier);
  const auto from = [&](std::string_view client) {
    return match(set, {.client = (*classifier)->lookup(address(client))});
  };
  EXPECT_FALSE(from("10.1.2.3"));
  EXPECT_FALSE(from("fd00::7"));
  EXPECT_EQ(from("11.1.2.3"), 1);
  EXPECT_EQ(from("2001:db8::1"), 1);
  EXPECT_EQ(from("192.0.2.1"), 0);
  // Whoever speaks from the service's own address alerts wherever it is.
  EXPECT_FALSE(from("169.254.169.254"));
  EXPECT_FALSE(from("fd00:ec2::254"));
}

// What was told to a whole link was told to nobody outside.
TEST(SuppressionCriteria, NobodyIsOutsideWithoutAPlace) {
  Suppression outside = named("outside");
  outside.sources = {prefix("10.0.0.0/8")};
  outside.outside = true;
  const SuppressionSet set = made({outside});
  const packet::VlanStack vlans{};
  const Tunnel tunnel{};
  const AddressClass stranger{};
  Subject subject{stranger, vlans, 0, tunnel};
  EXPECT_EQ(set.first_for(set.covering(subject), 0), 0);
  subject.nowhere = true;
  EXPECT_FALSE(set.first_for(set.covering(subject), 0));
}

std::string never(Suppression s, Timestamp now = {}) {
  Options options = with({std::move(s)});
  options.now = now;
  return SuppressionSet::create(options).value().never_because(0);
}

TEST(SuppressionCriteria, TellsWhatNeverMatches) {
  Suppression s = named("s");
  s.destinations = {prefix("192.0.2.0/24")};
  EXPECT_EQ(never(s), "");
  s.until = at(5);
  EXPECT_EQ(never(s, at(4)), "");
  EXPECT_EQ(never(s, at(5)), "it ended at 1970-01-01T05:00:00.000000Z");
  s.until = kNeverAfter;
  s.sources = {prefix("fd00::/8")};
  EXPECT_EQ(never(s), "its sources and destinations are of different address families");
  s.sources = {prefix("fd00::/8"), prefix("10.0.0.0/8")};
  EXPECT_EQ(never(s), "");
  s.endpoints = {"aws4"};
  EXPECT_EQ(never(s), "no address of its endpoints is among its destinations");
  s.destinations = {prefix("169.254.0.0/16")};
  EXPECT_EQ(never(s), "");
  s.responder_addresses = {prefix("192.0.2.1")};
  EXPECT_EQ(never(s), "no responder is among its destinations");
  s.responder_macs = {mac(1)};
  EXPECT_EQ(never(s), "");
  s.never_because = "the rules say so";
  EXPECT_EQ(never(s), "the rules say so");
  Suppression outside = named("outside");
  outside.outside = true;
  outside.sources = {prefix("0.0.0.0/0")};
  EXPECT_EQ(never(outside), "");
  outside.sources.push_back(prefix("::/0"));
  EXPECT_EQ(never(outside), "no client is outside of its networks");
}

// Whether a suppression that comes after another of the same sources is covered by it.
bool is_covered(Suppression earlier, Suppression later) {
  earlier.name = "earlier";
  later.name = "later";
  return made({std::move(earlier), std::move(later)}).shadowed_by(1).has_value();
}

TEST(SuppressionCriteria, CoverEachOtherOnlyIfEveryCriterionDoes) {
  Suppression plain = named("");
  plain.sources = {prefix("10.0.0.0/8")};
  const auto narrowed = [&](auto change) {
    Suppression s = plain;
    change(s);
    return s;
  };
  const std::vector<Suppression> narrow = {
      narrowed([](Suppression& s) { s.destinations = {prefix("192.0.2.0/24")}; }),
      narrowed([](Suppression& s) { s.responder_macs = {mac(1)}; }),
      narrowed([](Suppression& s) { s.responder_addresses = {prefix("192.0.2.1")}; }),
      narrowed([](Suppression& s) { s.user_agents = {"curl/*"}; }),
      narrowed([](Suppression& s) {
        s.by_rule = true;
        s.rules = {1, 2};
      }),
      narrowed([](Suppression& s) { s.from = at(1); }),
      narrowed([](Suppression& s) { s.until = at(1); }),
      narrowed([](Suppression& s) {
        s.daily = {{0, 60}};
      }),
  };
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    EXPECT_TRUE(is_covered(plain, narrow[i])) << i;
    EXPECT_FALSE(is_covered(narrow[i], plain)) << i;
    for (std::size_t j = 0; j < narrow.size(); ++j) {
      EXPECT_EQ(is_covered(narrow[i], narrow[j]), i == j) << i << ' ' << j;
    }
  }
  Suppression one_rule = narrow[4];
  one_rule.rules = {2};
  EXPECT_TRUE(is_covered(narrow[4], one_rule));
  EXPECT_FALSE(is_covered(one_rule, narrow[4]));
  Suppression outside = plain;
  outside.outside = true;
  EXPECT_FALSE(is_covered(plain, outside));
  EXPECT_FALSE(is_covered(outside, plain));
}

TEST(SuppressionCriteria, TimeAloneIsNoCriterion) {
  Suppression s = named("s");
  s.until = at(5);
  s.daily = {{0, 60}};
  EXPECT_FALSE(SuppressionSet::create(with({s})));
  s.by_rule = true;
  EXPECT_TRUE(SuppressionSet::create(with({s})));
}

}  // namespace
}  // namespace imds::classify
