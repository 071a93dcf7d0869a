// Selections: maps, lists, keywords, modifiers.
#include <string>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

Selection only_selection(const std::string& item) {
  const Rule rule = only_rule(rule_with("  sel:" + item + "\n  condition: sel\n"));
  if (rule.selections.size() != 1) {
    ADD_FAILURE() << item;
    return {};
  }
  return rule.selections[0];
}

TEST(Maps, AllFieldsOfAMapStandInOneGroup) {
  const Selection selection = only_selection("\n    url: a\n    destination.port: [80, 8080]");
  EXPECT_EQ(selection.name, "sel");
  EXPECT_EQ(selection.position.line, 6);
  EXPECT_EQ(selection.position.column, 3);
  ASSERT_EQ(selection.groups.size(), 1u);
  ASSERT_EQ(selection.groups[0].size(), 2u);
  EXPECT_EQ(selection.groups[0][0].field, event::FieldId::url);
  EXPECT_EQ(selection.groups[0][0].name, "url");
  EXPECT_EQ(selection.groups[0][1].values.size(), 2u);
  EXPECT_EQ(selection.groups[0][1].position.line, 8);
  EXPECT_EQ(selection.groups[0][1].position.column, 5);
}

TEST(Lists, EveryMapOfAListIsAGroup) {
  const Selection selection =
      only_selection("\n    - url: a\n      destination.port: 80\n    - url|contains: b");
  ASSERT_EQ(selection.groups.size(), 2u);
  EXPECT_EQ(selection.groups[0].size(), 2u);
  EXPECT_EQ(selection.groups[1][0].operation, Operation::contains);
}

TEST(Keywords, AListIsOneMatchOfAnyValue) {
  const Selection selection = only_selection("\n    - token\n    - 'meta*data'\n    - 42");
  ASSERT_EQ(selection.groups.size(), 1u);
  const FieldMatch& match = selection.groups[0][0];
  EXPECT_EQ(match.field, std::nullopt);
  EXPECT_EQ(match.name, "");
  EXPECT_EQ(match.operation, Operation::contains);
  EXPECT_FALSE(match.all);
  ASSERT_EQ(match.values.size(), 3u);
  EXPECT_EQ(match.values[2].pattern.to_string(), "42");
  EXPECT_EQ(match.position.line, 7);
  EXPECT_EQ(match.position.column, 7);
}

TEST(Keywords, AsOneText) {
  const Selection selection = only_selection(" token");
  ASSERT_EQ(selection.groups.size(), 1u);
  EXPECT_EQ(selection.groups[0][0].values[0].pattern.to_string(), "token");
}

TEST(Keywords, AllOfThem) {
  const Selection selection = only_selection("\n    '|all':\n      - a\n      - b");
  const FieldMatch& match = selection.groups[0][0];
  EXPECT_EQ(match.field, std::nullopt);
  EXPECT_TRUE(match.all);
  EXPECT_EQ(match.operation, Operation::contains);
  EXPECT_EQ(match.values.size(), 2u);
}

TEST(Keywords, MayStandAmongMaps) {
  const Selection selection = only_selection("\n    - a\n    - url: b\n    - c");
  ASSERT_EQ(selection.groups.size(), 2u);
  EXPECT_EQ(selection.groups[0][0].name, "url");
  EXPECT_EQ(selection.groups[1][0].values.size(), 2u);
}

TEST(Keywords, RefuseWhatIsNoKeyword) {
  expect_error(rule_with("  sel: ['']\n  condition: sel\n"), 6, 9, "match every event");
  expect_error(rule_with("  sel: [null]\n  condition: sel\n"), 6, 9, "expected a keyword");
  expect_error(rule_with("  sel: [[a]]\n  condition: sel\n"), 6, 9, "cannot be nested");
  expect_match_error("'|startswith': a", 5, "keywords take the modifiers");
  expect_match_error("'|exists': true", 5, "keywords take the modifiers");
  expect_match_error("'|neq': a", 5, "keywords take the modifiers");
  expect_match_error("'': a", 5, "expected a field's name");
}

TEST(Selections, EmptyOnesAreRefused) {
  expect_error(rule_with("  sel:\n  condition: sel\n"), 6, 3, "the selection 'sel' is empty");
  expect_error(rule_with("  sel: []\n  condition: sel\n"), 6, 8, "the selection 'sel' is empty");
  expect_error(rule_with("  sel: {}\n  condition: sel\n"), 6, 8, "this map is empty");
}

TEST(Selections, NamesAConditionCannotUseAreRefused) {
  expect_error(rule_with("  a b: {url: x}\n  condition: 1 of them\n"), 6, 3, "selection's name");
  expect_error(rule_with("  sel*: {url: x}\n  condition: 1 of them\n"), 6, 3, "selection's name");
  expect_error(rule_with("  '': {url: x}\n  condition: 1 of them\n"), 6, 3, "selection's name");
  expect_error(rule_with("  Them: {url: x}\n  condition: 1 of them\n"), 6, 3,
               "a word of the condition language");
  EXPECT_EQ(only_rule(rule_with("  a-b.c_1: {url: x}\n  condition: a-b.c_1\n")).selections[0].name,
            "a-b.c_1");
}

TEST(Fields, UnknownOnesAreRefusedWithTheNearestName) {
  expect_match_error("destination.pi: 10.0.0.1", 5,
                     "unknown field 'destination.pi'; did you mean 'destination.ip'?");
  expect_match_error("SomeThingElse|contains: x", 5, "unknown field 'SomeThingElse'");
}

TEST(Fields, ThatPacketsCannotHaveAreRefusedWithTheReason) {
  expect_match_error("CommandLine|contains: x", 5,
                     "no event has the field 'CommandLine': it is of a host's log");
  expect_match_error("action: deny", 5, "'action': it is what a device decided");
  expect_match_error("cs-body|contains: x", 5, "bodies of requests and answers are not compared");
  expect_match_error("gid: 411", 5, "another detector's finding");
  expect_match_error("tcp_flags|contains: SYN", 5, "not of single packets");
}

TEST(Fields, MustBeCarriedByAnEventOfTheLogsource) {
  const std::string_view connections = "logsource: {category: network, service: connection}\n";
  EXPECT_EQ(only_match("destination.port: 80", connections).field,
            event::FieldId::destination_port);
  expect_match_error("url: /latest", 5, "no event of this rule's logsource carries the field 'url'",
                     connections);
}

TEST(Fields, OfAnswersMakeARuleAboutThem) {
  constexpr std::uint32_t kAnswers = event::bit(event::EventType::http_response);
  const auto load_one = [](const std::string& line, const std::string& logsource) {
    return only_rule(
        "title: t\nid: 00000000-0000-4000-8000-000000000001\nlevel: low\nlogsource: {" + logsource +
        "}\ndetection:\n  s: {" + line + "}\n  condition: s\n");
  };
  const Rule answers = load_one("url: /x, http.response.status_code: 200", "category: webserver");
  EXPECT_TRUE(answers.awaits_answer);
  EXPECT_EQ(answers.events, kAnswers);
  EXPECT_TRUE(load_one("url: /x, imds.event: http_response", "category: proxy").awaits_answer);
  const Rule requests = load_one("url: /x", "category: webserver");
  EXPECT_FALSE(requests.awaits_answer);
  EXPECT_EQ(requests.events & kAnswers, 0u);
  EXPECT_FALSE(load_one("http.response.status_code: 200", "product: imds-inspector").awaits_answer);
}

TEST(Modifiers, Operations) {
  EXPECT_EQ(only_match("url: a").operation, Operation::equals);
  EXPECT_EQ(only_match("url|contains: a").operation, Operation::contains);
  EXPECT_EQ(only_match("url|startswith: a").operation, Operation::starts_with);
  EXPECT_EQ(only_match("url|endswith: a").operation, Operation::ends_with);
  EXPECT_EQ(only_match("destination.port|lt: 1024").operation, Operation::less);
  EXPECT_EQ(only_match("destination.port|lte: 1024").operation, Operation::less_or_equal);
  EXPECT_EQ(only_match("destination.port|gt: 1024").operation, Operation::greater);
  EXPECT_EQ(only_match("destination.port|gte: 1024").operation, Operation::greater_or_equal);
  for (const char* modifier : {"contains", "startswith", "endswith"}) {
    EXPECT_EQ(name(only_match(std::string("url|") + modifier + ": a").operation), modifier);
  }
}

TEST(Modifiers, Flags) {
  const FieldMatch match = only_match("url|contains|all|cased: [a, b]");
  EXPECT_EQ(match.name, "url");
  EXPECT_EQ(match.operation, Operation::contains);
  EXPECT_TRUE(match.all);
  EXPECT_TRUE(match.cased);
  EXPECT_FALSE(match.negated);
  EXPECT_TRUE(only_match("url|neq: a").negated);
  EXPECT_TRUE(only_match("destination.port|neq: 80").negated);
  EXPECT_TRUE(only_match("source.ip|cidr|neq: 10.0.0.0/8").negated);
}

TEST(Modifiers, RegularExpressionsAndTheirOptions) {
  const FieldMatch match = only_match("url|re|i|s: '/latest/.*'");
  EXPECT_EQ(match.operation, Operation::matches);
  EXPECT_EQ(match.regex_options, kRegexIgnoreCase | kRegexDotAll);
  EXPECT_EQ(match.values[0].kind, Value::Kind::regex);
  EXPECT_EQ(match.values[0].regex, "/latest/.*");
  expect_match_error("url|i: a", 9, "is an option of 're' and must stand behind it");
  expect_match_error("url|m|re: a", 9, "is an option of 're'");
  expect_match_error("url|re|i|i: a", 14, "stands here twice");
  expect_match_error("url|re|contains: a", 12, "'re' and 'contains' contradict");
  expect_match_error("url|re|i|cased: a", 5, "'cased' and 'i' contradict");
  expect_match_error("url|base64|re: a", 5, "'base64' and 're' contradict");
}

TEST(Modifiers, RegularExpressionsAreCheckedAtTheirPlace) {
  expect_match_error("url|re: 'abc('", 18, "not a regular expression: missing closing parenthesis");
  expect_match_error("url|re: 'a[z-b]'", 18, "range out of order");
  expect_match_error("url|re: ''", 14, "matches every text");
  expect_match_error("url|re: '((a{1,500}){1,500}){1,500}'", 40, "too large");
  EXPECT_EQ(only_match("url|re: '(?<!x)a(?=b)'").values[0].kind, Value::Kind::regex);
}

TEST(Modifiers, FieldReferences) {
  const FieldMatch match = only_match("url.domain|fieldref|endswith: request_headers.Origin");
  EXPECT_EQ(match.operation, Operation::ends_with);
  EXPECT_EQ(match.values[0].kind, Value::Kind::field);
  EXPECT_EQ(match.values[0].other, (event::FieldRef{event::FieldId::request_header, "origin"}));
  expect_match_error("url|fieldref: nothing", 19, "unknown field 'nothing'");
  expect_match_error("url|fieldref: url", 19, "is the field itself");
  expect_match_error("url|fieldref: '@timestamp'", 19, "a point in time");
  expect_match_error("url|fieldref|re: url.path", 5, "cannot be combined with 're'");
  expect_match_error("url|fieldref|base64: url.path", 5, "cannot be combined with 'base64'");
  expect_match_error("url|fieldref: null", 5, "null cannot stand under the modifier 'fieldref'");
}

TEST(Modifiers, EncodingsStandBeforeWhatComparesThem) {
  expect_match_error("url|contains|base64: a", 18, "must stand before 'contains'");
  expect_match_error("url|base64|wide: a", 16, "must stand before 'base64'");
  expect_match_error("url|base64|base64offset: a", 16, "contradict");
  expect_match_error("url|wide|utf16be: a", 14, "contradict");
  expect_match_error("url|base64: 'a*'", 17, "have no base64 form");
  expect_match_error("url|base64offset|contains: 'a'", 32, "too short");
  expect_match_error("destination.port|base64: 80", 5, "which holds no text");
  expect_warning(rule_with("  sel:\n    url|base64offset: abcd\n  condition: sel\n"), 7, 5,
                 "compares with the whole value");
}

TEST(Modifiers, ManyVariantsAreRefused) {
  EXPECT_EQ(only_match("url|windash|contains: ' -a -b'").values[0].others.size(), 24u);
  expect_match_error("url|windash|contains: ' -a -b -c -d -e'", 27, "more than 1000 values");
}

TEST(Modifiers, Placeholders) {
  LoadOptions options;
  options.placeholders["metadata"] = {"169.254.169.254", "fd00:ec2::254"};
  options.placeholders["hosts"] = {"a*", "b"};
  const auto load_with = [&](const std::string& line) {
    return load_text(rule_with("  sel:\n    " + line + "\n  condition: sel\n"), "test.yml",
                     event::FieldTable(), options);
  };
  auto loaded = load_with("destination.ip|expand: '%metadata%'");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  const Value value = loaded->rules[0].selections[0].groups[0][0].values[0];
  EXPECT_EQ(value.prefix, *IpPrefix::parse("169.254.169.254/32"));
  ASSERT_EQ(value.others.size(), 1u);
  EXPECT_EQ(value.others[0].prefix, *IpPrefix::parse("fd00:ec2::254/128"));
  loaded = load_with("url|contains|expand: 'x%hosts%/100%/\\%hosts%'");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->rules[0].selections[0].groups[0][0].values[0].pattern.to_string(),
            "xa*/100%/%hosts%");
  loaded = load_with("url|expand: '/x/%metadat%'");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().where.column, 21);
  EXPECT_NE(loaded.error().message.find("no value for the placeholder 'metadat'; did you mean "
                                        "'metadata'?"),
            std::string::npos)
      << loaded.error().message;
  expect_match_error("url|re|expand: '%a%'", 5, "'expand' and 're' contradict");
}

TEST(Modifiers, UnknownOnesAreRefusedAtTheirPlace) {
  expect_match_error("url|contians: a", 9, "unknown modifier 'contians'; did you mean 'contains'?");
  expect_match_error("url|all|contians: [a, b]", 13, "unknown modifier 'contians'");
  expect_match_error("'url|contians': a", 10, "unknown modifier 'contians'");
  expect_match_error("url|Contains: a", 9, "did you mean 'contains'?");
  expect_match_error("url|: a", 9, "expected a modifier after '|'");
  expect_match_error("url||all: a", 9, "expected a modifier after '|'");
}

TEST(Modifiers, ContradictionsAreRefused) {
  expect_match_error("url|contains|startswith: a", 18,
                     "'contains' and 'startswith' contradict each other");
  expect_match_error("url|contains|contains: a", 18, "contradict each other");
  expect_match_error("url|all|all: [a, b]", 13, "stands here twice");
  expect_match_error("url|exists|all: true", 5, "'all' and 'exists' contradict");
  expect_match_error("url|exists|cased: true", 5, "'cased' only changes comparisons of text");
  expect_match_error("destination.port|cased: 80", 5, "'cased' only changes comparisons of text");
  expect_match_error("url|neq|all: [a, b]", 5, "'neq' cannot be combined with 'all'");
  expect_match_error("destination.port|neq|gt: 80", 5, "'neq' cannot be combined with 'gt'");
}

TEST(Modifiers, MustFitTheField) {
  expect_match_error("url|cidr: 10.0.0.0/8", 5, "which holds text");
  expect_match_error("url|lt: 5", 5, "which holds text");
  expect_match_error("destination.port|cidr: 10.0.0.0/8", 5, "which holds a number");
  expect_match_error("source.ip|gt: 10.0.0.1", 5, "which holds an address");
  expect_match_error("url|hour: 5", 5, "holds no point in time");
  expect_match_error("'@timestamp|contains': 5", 5, "which holds a point in time");
  expect_match_error("'@timestamp|hour|day': 5", 22, "'hour' and 'day' contradict");
  expect_match_error("'@timestamp|hour|contains': 5", 5, "contradict");
  // Headers may hold anything, hosts an address.
  EXPECT_EQ(only_match("request_headers.ttl|gt: 21600").values[0].kind, Value::Kind::number);
  EXPECT_EQ(only_match("request_headers.x|cidr: 10.0.0.0/8").values[0].kind, Value::Kind::prefix);
  EXPECT_EQ(only_match("url.domain|cidr: 169.254.0.0/16").values[0].kind, Value::Kind::prefix);
}

TEST(Modifiers, NullUnderAModifierIsRefused) {
  expect_match_error("url|contains: null", 5, "null cannot stand under the modifier 'contains'");
}

TEST(Modifiers, AllForASingleValueIsWarnedAbout) {
  expect_warning(rule_with("  sel:\n    url|contains|all: a\n  condition: sel\n"), 7, 5,
                 "no meaning for a single value");
}

}  // namespace
}  // namespace imds::sigma
