// Values: wildcards and escapes, numbers, addresses, null, booleans.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

using Kind = PatternToken::Kind;

Pattern pattern_of(const std::string& yaml_value) {
  const FieldMatch match = only_match("url: " + yaml_value);
  if (match.values.size() != 1 || match.values[0].kind != Value::Kind::pattern) {
    ADD_FAILURE() << yaml_value << " is not one pattern";
    return {};
  }
  return match.values[0].pattern;
}

PatternToken literal(std::string text) {
  return {Kind::literal, std::move(text)};
}
const PatternToken kOne{Kind::any_one, {}};
const PatternToken kMany{Kind::any_many, {}};

struct PatternCase {
  std::string written;  // inside YAML single quotes
  std::vector<PatternToken> tokens;
};

class Patterns : public ::testing::TestWithParam<PatternCase> {};

TEST_P(Patterns, AreReadAsTheSpecificationSays) {
  const Pattern pattern = pattern_of("'" + GetParam().written + "'");
  EXPECT_EQ(pattern.tokens, GetParam().tokens) << GetParam().written;
  // What a pattern prints must be read back as the same pattern.
  EXPECT_EQ(pattern_of("'" + pattern.to_string() + "'"), pattern) << pattern.to_string();
}

INSTANTIATE_TEST_SUITE_P(
    Escaping, Patterns,
    ::testing::Values(PatternCase{"plain", {literal("plain")}}, PatternCase{"", {}},
                      PatternCase{"a*b?c", {literal("a"), kMany, literal("b"), kOne, literal("c")}},
                      PatternCase{"**a??", {kMany, literal("a"), kOne, kOne}},
                      PatternCase{R"(C:\Windows)", {literal(R"(C:\Windows)")}},
                      PatternCase{R"(C:\\Windows)", {literal(R"(C:\Windows)")}},
                      PatternCase{R"(a\*b)", {literal("a*b")}},
                      PatternCase{R"(a\?b)", {literal("a?b")}},
                      PatternCase{R"(a\\*b)", {literal(R"(a\)"), kMany, literal("b")}},
                      PatternCase{R"(a\\\*b)", {literal(R"(a\*b)")}},
                      PatternCase{R"(a\\\b)", {literal(R"(a\\b)")}},
                      PatternCase{R"(a\\\\b)", {literal(R"(a\\b)")}},
                      PatternCase{R"(end\)", {literal(R"(end\)")}},
                      PatternCase{"h\xc3\xa9", {literal("h\xc3\xa9")}}));

TEST(Pattern, LiteralIsTheTextWithoutWildcards) {
  EXPECT_EQ(pattern_of(R"('a\*b')").literal(), "a*b");
  EXPECT_EQ(pattern_of("''").literal(), "");
  EXPECT_EQ(pattern_of("'a*'").literal(), std::nullopt);
  EXPECT_TRUE(pattern_of("'a?'").has_wildcards());
  EXPECT_FALSE(pattern_of(R"('a\?')").has_wildcards());
}

TEST(TextValues, NumbersAndBooleansAreTextToATextField) {
  EXPECT_EQ(pattern_of("1.10").to_string(), "1.10");
  EXPECT_EQ(pattern_of("true").to_string(), "true");
}

TEST(TextValues, NullIsTheAbsentFieldAndQuotedNullAText) {
  EXPECT_EQ(only_match("url: null").values[0].kind, Value::Kind::null);
  EXPECT_EQ(only_match("url: ~").values[0].kind, Value::Kind::null);
  EXPECT_EQ(only_match("url:").values[0].kind, Value::Kind::null);
  EXPECT_EQ(pattern_of("'null'").to_string(), "null");
}

TEST(TextValues, AListKeepsItsOrderAndPositions) {
  const FieldMatch match = only_match("url: [a, null, 'b*']");
  ASSERT_EQ(match.values.size(), 3u);
  EXPECT_EQ(match.values[0].pattern.to_string(), "a");
  EXPECT_EQ(match.values[1].kind, Value::Kind::null);
  EXPECT_EQ(match.values[2].pattern.to_string(), "b*");
  EXPECT_EQ(match.values[2].position.line, 7);
  EXPECT_EQ(match.values[2].position.column, 20);
}

TEST(TextValues, NestedListsAndMapsAreRefused) {
  expect_match_error("url: [[a]]", 11, "cannot be nested");
  expect_match_error("url: {a: b}", 10, "cannot be nested");
  expect_match_error("url: []", 10, "the list of values is empty");
}

TEST(NumberValues, DecimalHexadecimalAndQuoted) {
  EXPECT_EQ(only_match("destination.port: 80").values[0].kind, Value::Kind::number);
  EXPECT_EQ(only_match("destination.port: 80").values[0].number, 80);
  EXPECT_EQ(only_match("destination.port: '8080'").values[0].number, 8080);
  EXPECT_EQ(only_match("destination.port: 0x1f").values[0].number, 31);
  EXPECT_EQ(only_match("destination.port: 0").values[0].number, 0);
  EXPECT_EQ(only_match("destination.port: 65535").values[0].number, 65535);
  EXPECT_EQ(only_match("destination.port: null").values[0].kind, Value::Kind::null);
}

TEST(NumberValues, WhatCanNeverMatchIsRefused) {
  for (const char* value :
       {"65536", "-1", "http", "1.5", "080", "''", "0x", "+80", "99999999999999999999", "' 80'"}) {
    expect_match_error(std::string("destination.port: ") + value, 23, "from 0 to 65535");
  }
  expect_match_error("network.vlan.id: 4096", 22, "from 0 to 4095");
}

TEST(AddressValues, AnyNotationOfAnAddress) {
  const FieldMatch v4 = only_match("destination.ip: 169.254.169.254");
  EXPECT_EQ(v4.values[0].kind, Value::Kind::prefix);
  EXPECT_EQ(v4.values[0].prefix, *IpPrefix::parse("169.254.169.254/32"));
  const FieldMatch v6 = only_match("destination.ip: 'FD00:EC2:0:0:0:0:0:254'");
  EXPECT_EQ(v6.values[0].prefix, *IpPrefix::parse("fd00:ec2::254/128"));
  EXPECT_EQ(only_match("source.ip: null").values[0].kind, Value::Kind::null);
}

TEST(AddressValues, UnquotedIpv6IsText) {
  EXPECT_EQ(only_match("destination.ip: fd00:ec2::254").values[0].prefix,
            *IpPrefix::parse("fd00:ec2::254/128"));
}

TEST(AddressValues, Cidr) {
  const FieldMatch match = only_match("source.ip|cidr: [10.0.0.0/8, 'fd00::/8', 192.0.2.1]");
  EXPECT_EQ(match.operation, Operation::cidr);
  ASSERT_EQ(match.values.size(), 3u);
  EXPECT_EQ(match.values[0].prefix, *IpPrefix::parse("10.0.0.0/8"));
  EXPECT_EQ(match.values[1].prefix, *IpPrefix::parse("fd00::/8"));
  EXPECT_EQ(match.values[2].prefix.length, 32);
}

TEST(AddressValues, WhatIsNoAddressIsRefused) {
  expect_match_error("source.ip: host.example", 16, "holds an IPv4 or IPv6 address");
  expect_match_error("source.ip: 10.0.0.0/8", 16, "'source.ip|cidr: 10.0.0.0/8'");
  expect_match_error("source.ip|cidr: 10.0.0.0/33", 21, "no address prefix");
  expect_match_error("source.ip|cidr: 10.0.0.1/8", 21, "no address prefix");
  expect_match_error("source.ip|cidr: null", 5, "null cannot stand under the modifier 'cidr'");
}

// What a list of addresses says, each with its full length.
std::vector<IpPrefix> prefixes_of(const std::string& yaml) {
  const Value value = only_match(yaml).values[0];
  std::vector<IpPrefix> out{value.prefix};
  for (const Value& other : value.others) {
    EXPECT_EQ(other.kind, Value::Kind::prefix);
    out.push_back(other.prefix);
  }
  return out;
}

TEST(AddressValues, EveryNotation) {
  const std::vector<IpPrefix> imds{*IpPrefix::parse("169.254.169.254/32")};
  for (const char* text : {"2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "0xa9.254.0251.254",
                           "0xa9.0xfea9fe", "'169.254.169.254'"}) {
    EXPECT_EQ(prefixes_of(std::string("destination.ip: ") + text), imds) << text;
  }
  EXPECT_EQ(prefixes_of("destination.ip: '[fd00:ec2::254]'"),
            std::vector{*IpPrefix::parse("fd00:ec2::254/128")});
  // Mapped: as such in IPv6 packets, and the address itself.
  EXPECT_EQ(prefixes_of("destination.ip: '::ffff:169.254.169.254'"),
            (std::vector{*IpPrefix::parse("::ffff:a9fe:a9fe/128"), imds[0]}));
  EXPECT_EQ(prefixes_of("destination.ip|cidr: 169.254.0.0/255.255.0.0"),
            std::vector{*IpPrefix::parse("169.254.0.0/16")});
  EXPECT_EQ(prefixes_of("destination.ip|cidr: '::ffff:10.0.0.0/104'"),
            (std::vector{*IpPrefix::parse("::ffff:10.0.0.0/104"), *IpPrefix::parse("10.0.0.0/8")}));
  for (const char* text : {"10.0", "192.168.1", "80", "256.1.1.1", "1.2.3.4.5", "0x1a9fea9fe",
                           "'[10.0.0.1]'", "4294967296", "10.0.0.", "09.1.1.1"}) {
    expect_match_error(std::string("source.ip: ") + text, 16, "holds an IPv4 or IPv6 address");
  }
  expect_match_error("source.ip|cidr: 10.0.0.0/255.0.255.0", 21, "prefix length");
}

TEST(AddressValues, BeginningsAndWildcards) {
  EXPECT_EQ(prefixes_of("source.ip|startswith: '10.'"),
            std::vector{*IpPrefix::parse("10.0.0.0/8")});
  EXPECT_EQ(prefixes_of("source.ip: '192.168.*'"), std::vector{*IpPrefix::parse("192.168.0.0/16")});
  EXPECT_EQ(prefixes_of("source.ip: '192.168.1.*'"),
            std::vector{*IpPrefix::parse("192.168.1.0/24")});
  for (const char* yaml : {"source.ip|startswith: '10.1'", "source.ip: '10.*.1'",
                           "source.ip|startswith: 'fe80:'", "source.ip|endswith: '.254'"}) {
    EXPECT_EQ(only_match(yaml).values[0].kind, Value::Kind::pattern) << yaml;
  }
}

TEST(NumberValues, WildcardsCompareTheDigits) {
  EXPECT_EQ(only_match("destination.port: '80*'").values[0].kind, Value::Kind::pattern);
  EXPECT_EQ(only_match("destination.port|endswith: '80'").values[0].kind, Value::Kind::pattern);
}

TEST(TimeValues, StayWithinTheirPart) {
  EXPECT_EQ(only_match("'@timestamp|hour': 07").values[0].number, 7);
  const FieldMatch late = only_match("'@timestamp|hour|gte': 20");
  EXPECT_EQ(late.time_part, TimePart::hour);
  EXPECT_EQ(late.operation, Operation::greater_or_equal);
  expect_match_error("'@timestamp|hour': 24", 24, "the hour is a whole number from 0 to 23");
  expect_match_error("'@timestamp|day': 0", 23, "from 1 to 31");
  expect_match_error("'@timestamp|month': Jan", 25, "from 1 to 12");
  expect_match_error("'@timestamp|minute': null", 5,
                     "null cannot stand under the modifier 'minute'");
  expect_match_error("'@timestamp': 2024", 5, "say what of it is compared");
}

TEST(BooleanValues, Exists) {
  EXPECT_TRUE(only_match("url|exists: true").values[0].boolean);
  EXPECT_FALSE(only_match("url|exists: no").values[0].boolean);
  EXPECT_EQ(only_match("source.ip|exists: False").values[0].kind, Value::Kind::boolean);
  expect_match_error("url|exists: 'true'", 17, "takes true or false");
  expect_match_error("url|exists: maybe", 17, "takes true or false");
  expect_match_error("url|exists: [true]", 17, "not a list");
  expect_match_error("url|exists:", 5, "null cannot stand under the modifier 'exists'");
}

TEST(KnownValues, EventNamesAreChecked) {
  EXPECT_EQ(only_match("imds.event: http_request").values[0].pattern.to_string(), "http_request");
  EXPECT_EQ(only_match("imds.event: 'http*'").values[0].pattern.to_string(), "http*");
  expect_match_error("imds.event: htp_request", 17,
                     "connection, http_request, http_response, raw_match");
  // An event the rule's logsource does not have.
  expect_match_error("imds.event: token_issued", 17, "is no event this rule's logsource has");
  EXPECT_EQ(only_match("imds.event: token_issued", "logsource: {product: imds-inspector}\n")
                .values[0]
                .pattern.to_string(),
            "token_issued");
}

TEST(KnownValues, EventsOfTheWireAloneAreReachedByTheProduct) {
  for (const std::string event : {"tcp_overlap_conflict", "fragment_overlap", "http2_mid_stream"}) {
    expect_match_error("imds.event: " + event, 17, "is no event this rule's logsource has");
    EXPECT_EQ(only_match("imds.event: " + event, "logsource: {product: imds-inspector}\n")
                  .values[0]
                  .pattern.to_string(),
              event);
  }
}

TEST(KnownValues, TransportNumbersBecomeNames) {
  EXPECT_EQ(only_match("network.transport: 6").values[0].pattern.to_string(), "tcp");
  EXPECT_EQ(only_match("network.transport: UDP").values[0].pattern.to_string(), "udp");
  expect_match_error("network.transport: http", 24, "is no transport");
  expect_match_error("network.transport: ''", 24, "is no transport");
  EXPECT_EQ(only_match("network.transport: 'ipv6*'").values[0].pattern.to_string(), "ipv6*");
}

TEST(KnownValues, DirectionsAreFour) {
  EXPECT_EQ(only_match("network.direction: Inbound").values[0].pattern.to_string(), "Inbound");
  expect_match_error("network.direction: [internal, egress]", 35,
                     "is no value of network.direction; these are");
}

TEST(KnownValues, MacNotations) {
  EXPECT_EQ(only_match("source.mac: 02-00-5E-10-00-01").values[0].pattern.to_string(),
            "02:00:5e:10:00:01");
  EXPECT_EQ(only_match("source.mac|startswith: '02:00'").values[0].pattern.to_string(), "02:00");
  expect_match_error("source.mac: 0200.5e10.0001", 17, "expected a MAC address");
  expect_match_error("source.mac: ''", 17, "expected a MAC address");
}

TEST(KnownValues, TunnelPathsAreMadeOfEncapsulations) {
  EXPECT_EQ(only_match("imds.tunnel.path: GRE/vxlan").values[0].pattern.to_string(), "GRE/vxlan");
  EXPECT_EQ(only_match("imds.tunnel.path: '*/vxlan'").values[0].pattern.to_string(), "*/vxlan");
  expect_match_error("imds.tunnel.path: gre/vxlna", 23, "is no path of tunnels");
  expect_match_error("imds.tunnel.path: gre/", 23, "is no path of tunnels");
  expect_match_error("imds.tunnel.path: ''", 23, "is no path of tunnels");
  expect_match_error("imds.tunnel.id: 4294967296", 21, "from 0 to 4294967295");
  expect_match_error("imds.tunnel.source.ip: vxlan", 28, "IPv4 or IPv6 address");
}

TEST(KnownValues, EqualToOneVisibilityNameIsToHaveIt) {
  const FieldMatch match = only_match("imds.visibility: mid_stream");
  EXPECT_EQ(match.operation, Operation::contains);
  EXPECT_EQ(only_match("imds.visibility: null").operation, Operation::equals);
  expect_match_error("imds.visibility: blind", 22, "direction_guessed, mid_stream");
  expect_match_error("imds.visibility: [mid_stream, null]", 5, "a selection of its own");
}

TEST(EmptyValues, AreRefusedWhereTheyWouldMatchEverything) {
  EXPECT_TRUE(pattern_of("''").tokens.empty());
  expect_match_error("url|contains: ''", 19, "|exists: true");
  expect_match_error("url|startswith: ''", 21, "|exists: true");
}

}  // namespace
}  // namespace imds::sigma
