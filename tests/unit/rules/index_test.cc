// What a rule set tells of itself before any event is seen: which heads have to be parsed, which
// addresses matter, what each rule listens to.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace imds::rules {
namespace {

using event::EventType;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string head_with(const std::string& target, const std::string& headers) {
  return "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n";
}

bool passes(const std::string& detection, const std::string& head) {
  Evaluator judge = evaluator(compile({detection}));
  EXPECT_FALSE(judge.rules().parses_every_head()) << detection;
  return judge.prefilter(bytes(head));
}

TEST(Index, LiteralsOfTheBulletinsSelections) {
  const auto set =
      compile({"ip_aws_dst:\n  destination.ip: [169.254.169.254, 'fd00:ec2::254']\n"
               "http_paths:\n  url|contains: [/latest/meta-data, /latest/api/token]\n"
               "http_header:\n  request_headers|contains: X-aws-ec2-metadata-token\n"
               "condition: 1 of ip_* or 1 of http_*"});
  ASSERT_EQ(set->size(), 1u);
  EXPECT_THAT(set->index(0).literals,
              ElementsAre("/latest/api/token", "/latest/meta-data", "x-aws-ec2-metadata-token"));
  EXPECT_THAT(set->index(0).destinations,
              ElementsAre(prefix("169.254.169.254"), prefix("fd00:ec2::254")));
  EXPECT_THAT(set->index(0).unindexed_because, IsEmpty());
  EXPECT_EQ(set->destination_prefixes(), set->index(0).destinations);
  EXPECT_THAT(set->source_prefixes(), IsEmpty());
  EXPECT_FALSE(set->parses_every_head());
  EXPECT_TRUE(set->needs_raw_scan());
  EXPECT_EQ(set->longest_raw_literal(), std::string("X-aws-ec2-metadata-token").size());
  EXPECT_TRUE(set->listens_to(EventType::connection));
  EXPECT_TRUE(set->listens_to(EventType::http_request));
  EXPECT_TRUE(set->listens_to(EventType::raw_match));
  EXPECT_FALSE(set->listens_to(EventType::token_issued));

  Evaluator judge = evaluator(set);
  EXPECT_TRUE(judge.prefilter(bytes(head_with("/LATEST/meta-data/", ""))));
  EXPECT_TRUE(judge.prefilter(bytes(head_with("/", "x-AWS-ec2-metadata-token: secret\r\n"))));
  EXPECT_FALSE(judge.prefilter(bytes(head_with("/latest/news", "Host: example.com\r\n"))));
  EXPECT_EQ(judge.counters().scans.get(), 3u);
  EXPECT_GT(judge.counters().bytes_scanned.get(), 90u);
  EXPECT_EQ(judge.counters().heads_passed.get(), 2u);
}

TEST(Index, HeaderLiteralsAreCutWhereTheHeadMayDiffer) {
  struct Case {
    const char* value;    // request_headers|contains
    const char* literal;  // what is looked for
  };
  const std::vector<Case> cases{
      {"'X-Token: abc'", "x-token"},
      {"'tok: some-value'", "some-value"},
      {"'X-Token:'", "x-token"},
      {"': some-value'", "some-value"},
      {"' some-value '", "some-value"},
      {"\"one: first\\nsecond-header: 2\"", "second-header"},
      {"'Referer: http://host.example:8080/x'", "http://host.example:8080/x"},
      {"'long-name*: v'", "long-name"},
      {"'a value with blanks'", "a value with blanks"},
  };
  for (const Case& c : cases) {
    const auto set =
        compile({"s:\n  request_headers|contains: " + std::string(c.value) + "\ncondition: s"});
    EXPECT_THAT(set->index(0).literals, ElementsAre(c.literal)) << c.value;
  }
  // Tight and loose spacing, as the wire may have it.
  const std::string rule = "s:\n  request_headers|contains: 'X-Tok: abc'\ncondition: s";
  for (const char* header : {"X-Tok: abc\r\n", "X-Tok:abc\r\n", "x-tok :\t abc\n"}) {
    EXPECT_TRUE(passes(rule, head_with("/", header))) << header;
  }
}

TEST(Index, LongestUsefulLiteralOfAPattern) {
  const auto literal = [](const std::string& detection) {
    return compile({detection + "\ncondition: s"})->index(0).literals;
  };
  EXPECT_THAT(literal("s:\n  url: '/a/*/security-credentials/?x'"),
              ElementsAre("/security-credentials/"));
  // "mozilla/5.0 (windows nt" is longer, but stands in nearly every head.
  EXPECT_THAT(literal("s:\n  user_agent.original: 'Mozilla/5.0 (Windows NT*evil'"),
              ElementsAre("evil"));
  EXPECT_THAT(literal("s:\n  url|contains: " + std::string(200, 'q')),
              ElementsAre(std::string(64, 'q')));
  // A conjunction needs only its best part, a disjunction all of them.
  EXPECT_THAT(literal("s:\n  url|contains|all: [/short, /much-longer-part]"),
              ElementsAre("/much-longer-part"));
  EXPECT_THAT(literal("s:\n  url|contains: [/short, /much-longer-part]"),
              ElementsAre("/much-longer-part", "/short"));
}

TEST(Index, AddressesIndexWhereNothingBetterDoes) {
  const auto set = compile({
      "s:\n  destination.ip: 192.0.2.1\n  url|contains: /admin\ncondition: s",
      "s:\n  destination.ip|cidr: 10.0.0.0/8\n  url|contains: /admin\ncondition: s",
      "s:\n  source.ip: 192.0.2.7\n  http.request.method: PUT\ncondition: s",
      "s:\n  url|contains: /secrets\nf:\n  source.ip|cidr: 172.16.0.0/12\ncondition: s and not f",
  });
  EXPECT_THAT(set->index(0).destinations, ElementsAre(prefix("192.0.2.1")));
  EXPECT_THAT(set->index(0).literals, IsEmpty());
  EXPECT_THAT(set->index(1).destinations, IsEmpty());
  EXPECT_THAT(set->index(1).literals, ElementsAre("/admin"));
  EXPECT_THAT(set->index(2).sources, ElementsAre(prefix("192.0.2.7")));
  EXPECT_THAT(set->index(3).literals, ElementsAre("/secrets"));
  EXPECT_THAT(set->destination_prefixes(), ElementsAre(prefix("192.0.2.1")));
  EXPECT_THAT(set->source_prefixes(), ElementsAre(prefix("192.0.2.7")));
  EXPECT_FALSE(set->parses_every_head());
}

TEST(Index, DestinationsNamedForConnections) {
  const auto set = compile({
      "a:\n  destination.ip: 192.0.2.1\nb:\n  destination.port: 445\ncondition: a or b",
      "a:\n  destination.ip: 192.0.2.2\ncondition: not a",
      "a:\n  destination.ip|cidr: 198.51.100.0/24\nb:\n  destination.ip: 198.51.100.7\n"
      "condition: a and not b",
      // No connection has a target, so that here the addresses can tell nothing of one.
      "a:\n  destination.ip: 192.0.2.1\n"
      "b:\n  destination.ip|cidr: 10.0.0.0/8\n  url|contains: /admin\ncondition: a or b",
  });
  EXPECT_THAT(set->destination_prefixes(),
              ElementsAre(prefix("192.0.2.1"), prefix("198.51.100.0/24")));
}

TEST(Index, EndpointsCountAsNamed) {
  const auto set = compile({"s:\n  imds.endpoint: aws-ipv4\ncondition: s"});
  EXPECT_TRUE(set->index(0).endpoint);
  EXPECT_FALSE(set->parses_every_head());
}

TEST(Index, RulesNothingIndexesSayWhy) {
  struct Case {
    const char* detection;
    const char* why;
  };
  const std::vector<Case> cases{
      {"s:\n  imds.event: http_request\ncondition: s", "holds for every request"},
      {"s:\n  user_agent.original|exists: true\ncondition: s", "whether a field exists"},
      {"s:\n  user_agent.original: null\ncondition: s", "negation"},
      {"s:\n  url|contains: abc\ncondition: s", "at least 4 bytes"},
      {"s:\n  url|contains: ab*cd*ef\ncondition: s", "at least 4 bytes"},
      {"s:\n  request_headers|contains: 'abc: abc: abc'\ncondition: s", "at least 4 bytes"},
      {"s:\n  destination.port: 8080\ncondition: s", "compares a number"},
      {"s:\n  imds.tunnel.source.ip: 192.0.2.7\ncondition: s", "names an address outside the flow"},
      {"s:\n  imds.tunnel.path|contains: vxlan\ncondition: s", "does not stand in the raw head"},
      {"s:\n  http.version: 1.10.1\ncondition: s", "does not stand in the raw head"},
      {"s:\n  url|contains: /latest\ncondition: not s",
       "'not url contains '/latest'' is a negation"},
      {"a:\n  url|contains: /latest\nb:\n  url|contains: a\ncondition: a or b", "contains 'a'"},
  };
  for (const Case& c : cases) {
    const auto set = compile({c.detection});
    EXPECT_TRUE(set->parses_every_head()) << c.detection;
    EXPECT_THAT(set->index(0).unindexed_because, HasSubstr(c.why)) << c.detection;
    EXPECT_THAT(set->describe(), Contains(HasSubstr("every HTTP head is parsed"))) << c.detection;
  }
  // One such rule makes every head be parsed; a rule that never hears of requests does not.
  EXPECT_TRUE(
      compile({"s:\n  url|contains: /latest\ncondition: s", "s:\n  url|exists: true\ncondition: s"})
          ->parses_every_head());
  EXPECT_FALSE(compile({"s:\n  imds.event: connection\n  destination.port: 80\ncondition: s"})
                   ->parses_every_head());
}

TEST(Index, EventsARuleCanHearOf) {
  const auto events = [](const std::string& detection) {
    return compile({detection + "\ncondition: s"})->info(0).events;
  };
  EXPECT_EQ(events("s:\n  url|contains: /latest"),
            bit(EventType::http_request) | bit(EventType::raw_match));
  EXPECT_EQ(events("s:\n  url.path|contains: /latest"), bit(EventType::http_request));
  EXPECT_EQ(events("s:\n  destination.ip: 192.0.2.1"),
            bit(EventType::connection) | bit(EventType::http_request));
  EXPECT_EQ(events("s:\n  imds.event: connection"), bit(EventType::connection));
  EXPECT_EQ(events("s:\n  imds.event: connection\n  url|contains: /latest"), 0u);
  EXPECT_EQ(events("s:\n  imds.raw|contains: SSH-"), bit(EventType::raw_match));
}

TEST(RawScan, LooksForTheStringsOfRulesThatHearOfIt) {
  const auto set = compile({
      "s:\n  url|contains: /latest/meta-data\ncondition: s",
      "s:\n  url.path|contains: /elsewhere\ncondition: s",
      "s:\n  imds.event: http_request\n  url|contains: /requests-only\ncondition: s",
      "s:\n  request_headers|contains: 'X-Token: abc?d'\ncondition: s",
  });
  Evaluator judge = evaluator(set);
  EXPECT_TRUE(set->needs_raw_scan());
  EXPECT_TRUE(judge.prefilter_raw(bytes("\x16\x03/LATEST/meta-data")));
  EXPECT_TRUE(judge.prefilter_raw(bytes("..x-token: ABC")));
  EXPECT_FALSE(judge.prefilter_raw(bytes("..x-token:abc")));
  EXPECT_FALSE(judge.prefilter_raw(bytes("/elsewhere /requests-only")));
  EXPECT_FALSE(judge.prefilter_raw({}));
  EXPECT_EQ(set->longest_raw_literal(), std::string("X-Token: abc?d").size() + 3);

  const auto without = compile({"s:\n  url.path|contains: /elsewhere\ncondition: s"});
  EXPECT_FALSE(without->needs_raw_scan());
  EXPECT_EQ(without->longest_raw_literal(), 0u);
  Evaluator quiet = evaluator(without);
  EXPECT_FALSE(quiet.prefilter_raw(bytes("/elsewhere")));
  EXPECT_EQ(quiet.counters().scans.get(), 0u);
}

// The tail that is repeated suffices for a string longer than any literal that is looked for.
TEST(RawScan, RepeatedTailCoversTheWholeString) {
  const std::string text(100, 'm');
  const auto set = compile({"s:\n  url|contains: " + text + "\ncondition: s"});
  EXPECT_EQ(set->longest_raw_literal(), text.size());
}

TEST(Compile, WithoutRulesNeverMatches) {
  const auto set = compile(std::vector<sigma::Rule>());
  EXPECT_EQ(set->size(), 0u);
  EXPECT_FALSE(set->parses_every_head());
  EXPECT_FALSE(set->needs_raw_scan());
  Evaluator judge = evaluator(set);
  EXPECT_FALSE(judge.prefilter(bytes(head_with("/latest/meta-data", ""))));
  EXPECT_THAT(hits(judge, request("/latest/meta-data")), IsEmpty());
}

TEST(Compile, KeepsWhatAlertsSay) {
  const std::string yaml =
      rule_yaml("s:\n  url|contains: /latest\ncondition: s") + "tags:\n  - attack.t1552.005\n";
  Result<std::shared_ptr<const RuleSet>> set =
      RuleSet::compile(load(yaml), CompileOptions{.generation = 7, .min_literal_bytes = 4});
  ASSERT_TRUE(set);
  const RuleInfo& info = (*set)->info(0);
  EXPECT_EQ((*set)->generation(), 7u);
  EXPECT_EQ(info.title, "Test");
  EXPECT_EQ(info.level, "high");
  EXPECT_EQ(info.severity, 4);
  EXPECT_EQ(info.file, "test.yml");
  EXPECT_THAT(info.tags, ElementsAre("attack.t1552.005"));
  EXPECT_THAT(info.id, HasSubstr("-4000-"));
}

TEST(Compile, RefusesWhatIsTooLongAndSaysWhere) {
  const std::string fits(kMaxPatternTextBytes, 'x');
  EXPECT_TRUE(matches("s:\n  url|contains: " + fits + "\ncondition: s", request("/" + fits + "/")));
  const std::vector<sigma::Rule> rules =
      load(rule_yaml("s:\n  url|contains: " + fits + "x\ncondition: s"));
  const auto set = RuleSet::compile(rules);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().kind, ErrorKind::config);
  EXPECT_EQ(set.error().where.file, "test.yml");
  EXPECT_EQ(set.error().where.line, 9);
  EXPECT_GT(set.error().where.column, 1);
  EXPECT_THAT(set.error().message, HasSubstr("4001 bytes"));
}

TEST(Compile, RefusesConditionsThatMultiply) {
  sigma::Rule rule = load(rule_yaml("s:\n  destination.port: 1\ncondition: s")).front();
  const sigma::Value value = rule.selections[0].groups[0][0].values[0];
  rule.selections[0].groups[0][0].values.assign(1000, value);
  sigma::Condition any;
  any.kind = sigma::Condition::Kind::disjunction;
  any.operands.assign(201, sigma::Condition{});
  rule.conditions = {any};
  const auto set = RuleSet::compile({rule});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().kind, ErrorKind::config);
  EXPECT_THAT(set.error().message, HasSubstr("more than 200000 comparisons"));
}

TEST(Compile, RefusesMoreRulesThanIndicesTell) {
  const sigma::Rule rule = load(rule_yaml("s:\n  destination.port: 1\ncondition: s")).front();
  const auto set = RuleSet::compile(std::vector<sigma::Rule>(kMaxRules + 1, rule));
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("65536 rules"));
}

TEST(Compile, WarnsOfNegationsOfFieldsAnEventLacks) {
  const auto set = compile({
      "s:\n  destination.ip: 192.0.2.1\nf:\n  url|contains: /health\ncondition: s and not f",
      "s:\n  url|contains: /latest\nf:\n  url|contains: /health\ncondition: s and not f",
      "s:\n  destination.ip: 192.0.2.1\nf:\n  source.port: 1\ncondition: s and not f",
  });
  ASSERT_EQ(set->warnings().size(), 1u);
  EXPECT_THAT(set->warnings()[0], HasSubstr("test.yml:1:"));
  EXPECT_THAT(set->warnings()[0], HasSubstr("negates a comparison of url"));
  EXPECT_THAT(set->warnings()[0], HasSubstr("connection"));
}

TEST(Describe, OneRuleAfterTheOther) {
  const auto lines = compile({"s:\n  url|contains: \"/latest\\e[0m\"\ncondition: s"})->describe();
  EXPECT_THAT(lines, Contains(HasSubstr("[high] Test (test.yml)")));
  EXPECT_THAT(lines, Contains(HasSubstr("events: http_request, raw_match")));
  EXPECT_THAT(lines, Contains(HasSubstr("indexed by strings '/latest\\x1b[0m'")));
  EXPECT_THAT(lines, Contains(HasSubstr("head prefilter: 1 strings")));
}

}  // namespace
}  // namespace imds::rules
