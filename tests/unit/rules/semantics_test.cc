// What each construct of a rule means for an event: Sigma's semantics, table by table.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fixture.h"

namespace imds::rules {
namespace {

using event::EventType;

struct Verdict {
  const char* detection;
  bool holds;
};

void check(const event::Event& event, const std::vector<Verdict>& verdicts) {
  for (const Verdict& verdict : verdicts) {
    EXPECT_EQ(matches(std::string(verdict.detection) + "\ncondition: s", event), verdict.holds)
        << verdict.detection;
  }
}

TEST(Text, OperationsOnTheTarget) {
  check(request("/latest/meta-data/iam"), {
                                              {"s:\n  url: /latest/meta-data/iam", true},
                                              {"s:\n  url: /LATEST/Meta-Data/IAM", true},
                                              {"s:\n  url: /latest/meta-data", false},
                                              {"s:\n  url: latest/meta-data/iam", false},
                                              {"s:\n  url|contains: test/meta", true},
                                              {"s:\n  url|contains: meta/data", false},
                                              {"s:\n  url: ''", false},
                                              {"s:\n  url|startswith: /LATEST/", true},
                                              {"s:\n  url|startswith: latest", false},
                                              {"s:\n  url|endswith: /iam", true},
                                              {"s:\n  url|endswith: /iam/", false},
                                              {"s:\n  url|contains: [/nothing, /META]", true},
                                              {"s:\n  url|contains|all: [/latest, iam]", true},
                                              {"s:\n  url|contains|all: [/latest, ami]", false},
                                          });
}

TEST(Text, Wildcards) {
  check(request("/latest/meta-data/iam"), {
                                              {"s:\n  url: /latest/*/iam", true},
                                              {"s:\n  url: '*meta*'", true},
                                              {"s:\n  url: '*meta'", false},
                                              {"s:\n  url: /latest/meta?data/iam", true},
                                              {"s:\n  url: /latest/meta??data/iam", false},
                                              {"s:\n  url: '?latest*'", true},
                                              {"s:\n  url: '*?iam'", true},
                                              {"s:\n  url: '/latest/meta-data/iam?'", false},
                                              {"s:\n  url: '*'", true},
                                              {"s:\n  url: '?'", false},
                                              {"s:\n  url|contains: 't?-d'", true},
                                              {"s:\n  url|contains: 'data*latest'", false},
                                              {"s:\n  url|contains: 'latest*data*m'", true},
                                              {"s:\n  url|startswith: '*/meta'", true},
                                              {"s:\n  url|endswith: 'meta*'", true},
                                          });
  check(request("/a*b?c\\d"), {
                                  {R"(s:
  url: '/a\*b\?c\\d')",
                                   true},
                                  {R"(s:
  url|contains: '\*b\?')",
                                   true},
                              });
  check(request("/aXbYc"), {{R"(s:
  url|contains: 'a\*b')",
                             false}});
}

TEST(Text, QuestionMarkIsOneCharacterOfUtf8) {
  check(request("/caf\xc3\xa9/\xe2\x82\xac.\xff!"), {
                                                        {"s:\n  url: '/caf?/*'", true},
                                                        {"s:\n  url: '/caf?"
                                                         "?/*'",
                                                         false},
                                                        {"s:\n  url|endswith: '/?.?!'", true},
                                                        {"s:\n  url|endswith: '/??.?!'", false},
                                                        {"s:\n  url|contains: caf\xc3\xa9", true},
                                                        {"s:\n  url|contains: caf\xc3\x89", false},
                                                    });
}

// No `*` ends within a character, so that its bytes are no characters of their own.
TEST(Text, CharactersAreNotTakenApart) {
  check(request("\xe2\x82\xac/"), {
                                      {"s:\n  url: '*?"
                                       "?/*'",
                                       false},
                                      {"s:\n  url: '*?"
                                       "?/'",
                                       false},
                                      {"s:\n  url: '*?/*'", true},
                                      {"s:\n  url: '*?/'", true},
                                  });
}

TEST(Text, CasedComparesEveryLetter) {
  check(request("/Latest"), {
                                {"s:\n  url|cased: /Latest", true},
                                {"s:\n  url|cased: /latest", false},
                                {"s:\n  url|contains|cased: Late", true},
                                {"s:\n  url|contains|cased: late", false},
                            });
  // Both kinds of comparison side by side, in one database.
  Evaluator judge = evaluator(compile(
      {"s:\n  url|contains|cased: late\ncondition: s", "s:\n  url|contains: late\ncondition: s"}));
  EXPECT_EQ(hits(judge, request("/Latest")), std::vector<int>({1}));
  EXPECT_EQ(hits(judge, request("/latest")), std::vector<int>({0, 1}));
}

TEST(Text, EitherReadingSatisfiesAndNotNegatesTheResult) {
  event::Event event = request("/latest//meta-data");
  event.http.target.normalised = "/latest/meta-data";
  check(event, {
                   {"s:\n  url: /latest//meta-data", true},
                   {"s:\n  url: /latest/meta-data", true},
                   {"s:\n  url|contains|all: [//, /latest/meta]", true},
                   {"s:\n  url|neq: /latest/meta-data", false},
                   {"s:\n  url|neq: /latest", true},
               });
  EXPECT_FALSE(matches("s:\n  url: /latest//meta-data\ncondition: not s", event));
  EXPECT_FALSE(matches("s:\n  url: /latest/meta-data\ncondition: not s", event));
  // One pattern must be satisfied by one reading: pieces of two do not add up.
  EXPECT_FALSE(matches("s:\n  url: '*//*t/meta*'\ncondition: s", event));
}

TEST(Text, OtherFieldsOfARequest) {
  check(request("/a?x=1"), {
                               {"s:\n  http.request.method: get", true},
                               {"s:\n  http.request.method: [PUT, POST]", false},
                               {"s:\n  url.path: /a", true},
                               {"s:\n  url.query: x=1", true},
                               {"s:\n  url.domain: example.com", true},
                               {"s:\n  http.request.header.host: example.com:8080", true},
                               {"s:\n  user_agent.original|startswith: curl/", true},
                               {"s:\n  request_headers|contains: 'user-agent: curl'", true},
                               {"s:\n  http.version: 1.1", true},
                               {"s:\n  network.transport: tcp", true},
                           });
}

TEST(Absence, ComparisonsAreFalseNullAndExistsFalseAreTrue) {
  event::Event event = request("/");
  event.http.user_agent = {};
  check(event, {
                   {"s:\n  user_agent.original: '*'", false},
                   {"s:\n  user_agent.original: ''", false},
                   {"s:\n  user_agent.original: null", true},
                   {"s:\n  user_agent.original|exists: false", true},
                   {"s:\n  user_agent.original|exists: true", false},
                   {"s:\n  user_agent.original|neq: curl", true},
                   {"s:\n  url: null", false},
                   {"s:\n  url|exists: true", true},
                   {"s:\n  network.vlan.id: 5", false},
                   {"s:\n  network.vlan.id|lt: 5", false},
                   {"s:\n  network.vlan.id: null", true},
               });
  EXPECT_TRUE(matches("s:\n  user_agent.original: curl\ncondition: not s", event));
  event.http.user_agent = "";
  check(event, {
                   {"s:\n  user_agent.original: ''", true},
                   {"s:\n  user_agent.original: null", false},
                   {"s:\n  user_agent.original: [null, '']", true},
               });
}

TEST(Numbers, Compared) {
  event::Event event = request("/");
  event.flow.destination.port = 8080;
  check(event, {
                   {"s:\n  destination.port: 8080", true},
                   {"s:\n  destination.port: [80, 443]", false},
                   {"s:\n  destination.port|gt: 8079", true},
                   {"s:\n  destination.port|gt: 8080", false},
                   {"s:\n  destination.port|gte: 8080", true},
                   {"s:\n  destination.port|lt: 8080", false},
                   {"s:\n  destination.port|lte: 8080", true},
                   {"s:\n  destination.port|neq: 8080", false},
               });
}

TEST(Numbers, AnyVlanOfAStackSatisfies) {
  event::Event event = request("/");
  event.flow.vlans = {100, 200};
  event.flow.vlan_count = 2;
  check(event, {
                   {"s:\n  network.vlan.id: 100", true},
                   {"s:\n  network.vlan.id: 200", true},
                   {"s:\n  network.vlan.id: 0", false},
                   {"s:\n  network.vlan.id|gt: 150", true},
                   {"s:\n  network.vlan.id|lt: 100", false},
               });
  EXPECT_FALSE(matches("s:\n  network.vlan.id: 200\ncondition: not s", event));
}

TEST(Addresses, ComparedInEveryNotation) {
  event::Event event = request("/");
  event.flow.destination.ip = address("fd00:ec2::254");
  event.flow.source.ip = address("10.20.30.40");
  check(event, {
                   {"s:\n  destination.ip: fd00:ec2::254", true},
                   {"s:\n  destination.ip: FD00:0EC2:0:0::0254", true},
                   {"s:\n  destination.ip: fd00:ec2::253", false},
                   {"s:\n  destination.ip|cidr: fd00:ec2::/32", true},
                   {"s:\n  destination.ip|cidr: ['169.254.0.0/16', '::/0']", true},
                   {"s:\n  destination.ip|cidr: 0.0.0.0/0", false},
                   {"s:\n  source.ip|cidr: 10.20.28.0/22", true},
                   {"s:\n  source.ip|cidr: 10.20.32.0/22", false},
                   {"s:\n  source.ip|cidr: 10.20.30.40/31", true},
                   {"s:\n  source.ip: 10.20.30.40", true},
               });
}

TEST(Tunnels, PathIdAndOuterAddresses) {
  event::Event event = request("/");
  event.flow.tunnel.path = {{TunnelKind::gre, TunnelKind::vxlan}, 2};
  event.flow.tunnel.has_id = true;
  event.flow.tunnel.id = 42;
  event.flow.tunnel.source = address("10.0.0.1");
  event.flow.tunnel.destination = address("fd00::2");
  check(event, {
                   {"s:\n  imds.tunnel.path: gre/vxlan", true},
                   {"s:\n  imds.tunnel.path: vxlan", false},
                   {"s:\n  imds.tunnel.path|contains: VXLAN", true},
                   {"s:\n  imds.tunnel.path|startswith: gre", true},
                   {"s:\n  imds.tunnel.path|contains: [geneve, mpls]", false},
                   {"s:\n  imds.tunnel.path|exists: true", true},
                   {"s:\n  imds.tunnel.id: 42", true},
                   {"s:\n  imds.tunnel.id|gte: 43", false},
                   {"s:\n  imds.tunnel.source.ip: 10.0.0.1", true},
                   {"s:\n  imds.tunnel.source.ip|cidr: 10.0.0.0/30", true},
                   {"s:\n  imds.tunnel.source.ip|cidr: 192.0.2.0/24", false},
                   {"s:\n  imds.tunnel.destination.ip|cidr: ['10.0.0.0/8', 'fd00::/64']", true},
                   {"s:\n  imds.tunnel.destination.ip: 10.0.0.1", false},
                   // The flow's own addresses are the inner ones.
                   {"s:\n  source.ip: 10.0.0.1", false},
               });
}

TEST(Tunnels, AbsentOutsideOfThem) {
  check(request("/"), {
                          {"s:\n  imds.tunnel.path|contains: vxlan", false},
                          {"s:\n  imds.tunnel.path|exists: false", true},
                          {"s:\n  imds.tunnel.path: null", true},
                          {"s:\n  imds.tunnel.id: 0", false},
                          {"s:\n  imds.tunnel.id|exists: false", true},
                          {"s:\n  imds.tunnel.source.ip|cidr: 0.0.0.0/0", false},
                          {"s:\n  imds.tunnel.source.ip: null", true},
                      });
  // A link-layer tunnel has no outer addresses, and not every encapsulation has an id.
  event::Event event = request("/");
  event.flow.tunnel.path = {{TunnelKind::pppoe}, 1};
  check(event, {
                   {"s:\n  imds.tunnel.path: pppoe", true},
                   {"s:\n  imds.tunnel.id|exists: true", false},
                   {"s:\n  imds.tunnel.destination.ip|exists: true", false},
               });
}

TEST(Keywords, StandAnywhereInARequest) {
  check(request("/latest"), {
                                {"s:\n  - LATEST", true},
                                {"s:\n  - 'agent: curl'", true},
                                {"s:\n  - GET", true},
                                {"s:\n  - example.com", true},
                                {"s:\n  - nothing", false},
                                {"s:\n  - nothing\n  - 'late*t'", true},
                            });
  EXPECT_TRUE(matches("s:\n  - nothing\ncondition: not s", request("/latest")));
}

TEST(Conditions, Combine) {
  const std::string selections =
      "a:\n  url|contains: alpha\nb:\n  url|contains: beta\nc:\n  url|contains: gamma\n";
  struct Case {
    const char* condition;
    const char* target;
    bool holds;
  };
  const std::vector<Case> cases{
      {"a and b", "/alpha/beta", true},
      {"a and b", "/alpha", false},
      {"a or b and c", "/alpha", true},
      {"(a or b) and c", "/alpha", false},
      {"(a or b) and c", "/alpha/gamma", true},
      {"not a", "/beta", true},
      {"not a", "/alpha", false},
      {"not (a or b)", "/gamma", true},
      {"not (a or b)", "/gamma/beta", false},
      {"not (a and b) and c", "/alpha/gamma", true},
      {"not (a and b) and c", "/alpha/beta/gamma", false},
      {"not not a", "/alpha", true},
      {"1 of them", "/gamma", true},
      {"1 of them", "/delta", false},
      {"all of them", "/alpha/beta", false},
      {"all of them", "/alpha/beta/gamma", true},
      {"a and not 1 of b*", "/alpha", true},
      {"a and not 1 of b*", "/alpha/beta", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(matches(selections + "condition: " + c.condition, request(c.target)), c.holds)
        << c.condition << " on " << c.target;
  }
}

TEST(Conditions, ListsOfMapsAreAlternatives) {
  const std::string detection =
      "s:\n  - url|contains: alpha\n    http.request.method: PUT\n  - url|contains: beta\n"
      "condition: s";
  EXPECT_FALSE(matches(detection, request("/alpha")));
  EXPECT_TRUE(matches(detection, request("/beta")));
  event::Event put = request("/alpha");
  put.http.method = "PUT";
  EXPECT_TRUE(matches(detection, put));
}

TEST(Events, AreAFieldAndDecideWhatARuleHears) {
  const std::string detection = "s:\n  imds.event: connection\ncondition: s";
  EXPECT_TRUE(matches(detection, tcp_event(EventType::connection)));
  EXPECT_FALSE(matches(detection, request("/")));
  EXPECT_TRUE(matches("s:\n  imds.event: connection\ncondition: not s", request("/")));
  // A connection carries no target, whatever stands in the structure.
  event::Event connection = request("/latest");
  connection.type = EventType::connection;
  EXPECT_FALSE(matches("s:\n  url|contains: latest\ncondition: s", connection));
  // An event outside the rule's logsource.
  event::Event token = request("/latest");
  token.type = EventType::token_issued;
  EXPECT_FALSE(matches("s:\n  source.port|gt: 0\ncondition: s", token));
}

TEST(RawMatch, BytesStandForTargetHeadersAndKeywordsUnderContains) {
  const event::Event stream =
      raw_stream(std::string_view("\0\x01/latest/meta-data\0x-token: 1", 31));
  check(stream, {
                    {"s:\n  url|contains: /Latest/meta", true},
                    {"s:\n  url: '*/latest/meta*'", true},
                    {"s:\n  url|startswith: /latest", false},
                    {"s:\n  url|endswith: 'token: 1'", false},
                    {"s:\n  request_headers|contains: 'x-token: 1'", true},
                    {"s:\n  - meta-data", true},
                    {"s:\n  imds.raw|contains: meta-data", true},
                    {"s:\n  url.path|contains: /latest", false},
                    {"s:\n  url|contains: /nothing", false},
                    {"s:\n  url|contains: at", false},  // too short to look for in a stream
                });
}

TEST(RawMatch, HasNoBeginningOfATarget) {
  const std::string selections =
      "start:\n  url|startswith: /latest\npart:\n  url|contains: meta-data\n";
  const event::Event stream = raw_stream("/latest/meta-data");
  EXPECT_TRUE(matches(selections + "condition: part and not start", stream));
  EXPECT_FALSE(matches(selections + "condition: part and start", stream));
}

TEST(RawMatch, HitsOnlyByAStringOfTheRule) {
  const event::Event stream = raw_stream("..../latest/meta-data....");
  EXPECT_FALSE(matches("s:\n  destination.port: 80\ncondition: s", stream));
  EXPECT_FALSE(matches("s:\n  url|contains: /nothing\ncondition: not s", stream));
  EXPECT_FALSE(matches(
      "a:\n  destination.port: 80\nb:\n  url|contains: /nothing\ncondition: a or b", stream));
  EXPECT_TRUE(matches("a:\n  destination.port: 80\nb:\n  url|contains: /latest\ncondition: a or b",
                      stream));
  EXPECT_TRUE(matches("a:\n  destination.port: 80\nb:\n  url|contains: /latest\ncondition: a and b",
                      stream));
  EXPECT_FALSE(matches(
      "a:\n  destination.port: 81\nb:\n  url|contains: /latest\ncondition: a and b", stream));
}

TEST(RawMatch, AnyStringOfTheRuleMayBeTheOne) {
  const std::string selections =
      "port:\n  destination.port: 80\nfirst:\n  url|contains: /first\n"
      "second:\n  request_headers|contains: second\n";
  const std::string both = selections + "condition: (port or first) and (port or second)";
  EXPECT_TRUE(matches(both, raw_stream("../first..")));
  EXPECT_TRUE(matches(both, raw_stream("..second..")));
  EXPECT_FALSE(matches(both, raw_stream("..third..")));
  // Here only one of them is always needed, and only that is looked for.
  Evaluator judge = evaluator(compile({selections + "condition: second and (port or first)"}));
  EXPECT_TRUE(judge.prefilter_raw(bytes("..second..")));
  EXPECT_FALSE(judge.prefilter_raw(bytes("../first..")));
}

TEST(Hits, AreCountedBeyondWhatFits) {
  std::vector<sigma::Rule> rules;
  for (std::size_t i = 0; i < event::kMaxRulesPerFinding + 3; ++i) {
    rules.push_back(load(rule_yaml("s:\n  url|contains: latest\ncondition: s")).front());
  }
  Evaluator judge = evaluator(compile(rules));
  RuleHits found;
  judge.evaluate(request("/latest"), found);
  ASSERT_EQ(found.count, event::kMaxRulesPerFinding);
  EXPECT_EQ(found.overflow, 3u);
  for (std::uint16_t i = 0; i < found.count; ++i) {
    EXPECT_EQ(found.rules[i], i);
  }
  judge.evaluate(request("/other"), found);
  EXPECT_EQ(found.count, 0u);
  EXPECT_EQ(found.overflow, 0u);
}

}  // namespace
}  // namespace imds::rules
