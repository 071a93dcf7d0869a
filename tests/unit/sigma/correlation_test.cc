// Correlation documents: what they say, and what is refused where.
#include <string>

#include <gtest/gtest.h>

#include "rule_text.h"

namespace imds::sigma {
namespace {

std::string rule(const std::string& name, int number, const std::string& more = "level: low\n",
                 const std::string& logsource = "{category: network}") {
  return "title: Rule " + name + "\nid: 929a690e-bef0-4204-a928-ef5e620d6f" +
         std::to_string(10 + number) + "\nname: " + name + "\n" + more + "logsource: " + logsource +
         "\ndetection: {s: {url: x}, condition: s}\n---\n";
}

const std::string kBase = rule("a", 1) + rule("b", 2) + rule("c", 3, "level: high\n");
constexpr int kBaseLines = 21;  // the correlation's document begins behind them

// A correlation over kBase; `section` is one flow map's inside.
std::string correlation(const std::string& section, const std::string& more = "level: medium\n") {
  return kBase + "title: Together\nname: together\n" + more + "correlation: {" + section + "}\n";
}

Correlation only(const std::string& text) {
  Result<LoadedRules> loaded = load(text);
  if (!loaded || loaded->correlations.size() != 1) {
    ADD_FAILURE() << text
                  << (loaded ? std::string("not one correlation") : loaded.error().to_string());
    return {};
  }
  return loaded->correlations.front();
}

Threshold threshold(const std::string& condition) {
  return only(correlation("type: event_count, rules: [a], timespan: 1m, condition: {" + condition +
                          "}"))
      .threshold;
}

TEST(Correlations, SaysWhatTheDocumentSays) {
  const Correlation c =
      only(correlation("type: value_count, rules: [a, 929a690e-BEF0-4204-a928-ef5e620d6f12], "
                       "group-by: [source.ip, network.vlan.id], timespan: 90m, "
                       "condition: {field: destination.ip, gte: 3}",
                       "id: b180ead8-d58f-40b2-ae54-c8940995b9b6\nlevel: critical\nstatus: test\n"
                       "tags: [attack.t1552.005]\n"));
  EXPECT_EQ(c.id, "b180ead8-d58f-40b2-ae54-c8940995b9b6");
  EXPECT_EQ(c.key(), c.id);
  EXPECT_EQ(c.title, "Together");
  EXPECT_EQ(c.level, Level::critical);
  EXPECT_EQ(c.type, CorrelationType::value_count);
  EXPECT_EQ(c.timespan_seconds, 5400);
  ASSERT_EQ(c.rules.size(), 2u);
  EXPECT_EQ(c.rules[0].index, 0u);
  EXPECT_EQ(c.rules[1].index, 1u);
  ASSERT_EQ(c.group_by.size(), 2u);
  EXPECT_EQ(c.group_by[0].fields,
            (std::vector{event::FieldId::source_ip, event::FieldId::source_ip}));
  ASSERT_EQ(c.value.size(), 1u);
  EXPECT_EQ(c.value[0].fields[0], event::FieldId::destination_ip);
  EXPECT_EQ(c.threshold.least, 3u);
  EXPECT_FALSE(c.threshold.needs_whole_window());
  EXPECT_TRUE(c.alerts);
  EXPECT_FALSE(c.generate);
  EXPECT_EQ(c.where().line, kBaseLines + 1);
}

TEST(Correlations, Conditions) {
  EXPECT_EQ(threshold("gte: 5").least, 5u);
  EXPECT_EQ(threshold("gt: 5").least, 6u);
  EXPECT_EQ(threshold("lt: 5").most, 4u);
  EXPECT_EQ(threshold("lte: 5").most, 5u);
  EXPECT_EQ(threshold("lte: 5").least, 1u);
  EXPECT_EQ(threshold("eq: 5").least, 5u);
  EXPECT_EQ(threshold("eq: 5").most, 5u);
  EXPECT_EQ(threshold("neq: 5").never, 5u);
  const Threshold range = threshold("gt: 100, lte: 200");
  EXPECT_EQ(range.least, 101u);
  EXPECT_EQ(range.most, 200u);
  EXPECT_TRUE(range.needs_whole_window());
  EXPECT_TRUE(threshold("neq: 5").needs_whole_window());
  EXPECT_FALSE(threshold("gt: 5").needs_whole_window());
  EXPECT_EQ(threshold("lte: 20000000").most, 20'000'000u);  // counted, not remembered
}

TEST(Correlations, Timespans) {
  const auto seconds = [](const std::string& text) {
    return only(correlation("type: temporal, rules: [a, b], timespan: " + text)).timespan_seconds;
  };
  EXPECT_EQ(seconds("15s"), 15);
  EXPECT_EQ(seconds("10m"), 600);
  EXPECT_EQ(seconds("2h"), 7200);
  EXPECT_EQ(seconds("366d"), kMaxTimespanSeconds);
  for (const std::string bad : {"10", "m", "10 m", "10M", "1h30m", "-1m", "1.5h", "[1m]", "ten"}) {
    const std::string text = correlation("type: temporal, rules: [a, b], timespan: " + bad);
    const Result<LoadedRules> loaded = load(text);
    ASSERT_FALSE(loaded) << bad;
    EXPECT_NE(loaded.error().message.find("no timespan"), std::string::npos)
        << loaded.error().to_string();
    EXPECT_EQ(loaded.error().where.line, kBaseLines + 4);
    EXPECT_EQ(loaded.error().where.column, 56);
  }
  for (const std::string bad : {"0m", "367d", "99999999999999999999s"}) {
    expect_error(correlation("type: temporal, rules: [a, b], timespan: " + bad), kBaseLines + 4, 56,
                 "from 1s to 366d");
  }
}

TEST(Correlations, TemporalNeedsAllItsRulesUnlessItSaysOtherwise) {
  EXPECT_EQ(only(correlation("type: temporal, rules: [a, b, c], timespan: 1m")).threshold.least,
            3u);
  EXPECT_EQ(only(correlation("type: temporal, rules: [a, b, c], timespan: 1m, condition: {gte: 2}"))
                .threshold.least,
            2u);
  // Waiting could not change it.
  EXPECT_FALSE(only(correlation("type: temporal, rules: [a, b], timespan: 1m, condition: {eq: 2}"))
                   .threshold.needs_whole_window());
  EXPECT_TRUE(only(correlation("type: temporal, rules: [a, b], timespan: 1m, condition: {lt: 2}"))
                  .threshold.needs_whole_window());
  EXPECT_EQ(
      only(correlation("type: temporal_ordered, rules: [b, a], timespan: 1m, condition: {eq: 2}"))
          .threshold.least,
      2u);
}

TEST(Correlations, AliasesMeanAFieldPerRule) {
  const Correlation c = only(correlation(
      "type: temporal, rules: [a, b], timespan: 1m, group-by: [host, source.port], aliases: {host: "
      "{a: source.ip, b: destination.ip}}"));
  ASSERT_EQ(c.group_by.size(), 2u);
  EXPECT_EQ(c.group_by[0].fields,
            (std::vector{event::FieldId::source_ip, event::FieldId::destination_ip}));
  EXPECT_EQ(c.group_by[1].fields,
            (std::vector{event::FieldId::source_port, event::FieldId::source_port}));
}

TEST(Correlations, AliasesNameRulesByNameOrId) {
  const std::string inner =
      "title: Inner\nname: inner\nid: b180ead8-d58f-40b2-ae54-c8940995b9b6\ncorrelation: {type: "
      "event_count, rules: [c], timespan: 1m, condition: {gte: 2}}\n---\n";
  const std::string outer =
      "title: Outer\nname: outer\ncorrelation: {type: temporal, rules: [a, inner], timespan: 1m, "
      "group-by: [h], aliases: {h: {929a690e-bef0-4204-a928-ef5e620d6f11: source.ip, "
      "b180ead8-d58f-40b2-ae54-c8940995b9b6: destination.ip}}}\n---\n";
  const Result<LoadedRules> loaded = load(kBase + outer + inner);
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->correlations.at(1).group_by.at(0).fields,
            (std::vector{event::FieldId::source_ip, event::FieldId::destination_ip}));
}

// What is left out comes to stand elsewhere than the names said.
TEST(Correlations, AreFoundByNameAlsoWhenOthersAreLeftOut) {
  const std::string windows = rule("windows", 8, "", "{product: windows}");
  const auto temporal = [](const std::string& name, const std::string& over) {
    return "title: The " + name + "\nname: " + name + "\nid: 929a690e-bef0-4204-a928-ef5e620d6fa" +
           over.front() + "\ncorrelation: {type: temporal, rules: [" + over +
           "], timespan: 1m}\n---\n";
  };
  const std::string text =
      windows + kBase + temporal("gone", "c, windows") + temporal("twin", "a") +
      temporal("twin", "b") +
      "title: F\nlogsource: {category: network}\nfilter: {s: {url: x}, condition: s, rules: [";
  expect_error_at_mark(text + "^twin]}\n", "the name 'twin' is given twice");
  expect_error_at_mark(text + "^929a690e-bef0-4204-a928-ef5e620d6f99]}\n", "no rule has the id");
  EXPECT_TRUE(load(text + "gone]}\n"));
}

TEST(Correlations, WhoAlerts) {
  const auto alerts = [](const std::string& text) {
    Result<LoadedRules> loaded = load(text);
    EXPECT_TRUE(loaded) << loaded.error().to_string();
    std::string out;
    for (const Rule& r : loaded->rules) {
      out += r.alerts ? r.name : "";
    }
    for (const Correlation& c : loaded->correlations) {
      out += c.alerts ? " " + c.name : "";
    }
    return out;
  };
  const std::string section = "type: temporal, rules: [a, b], timespan: 1m";
  EXPECT_EQ(alerts(correlation(section)), "c together");
  EXPECT_EQ(alerts(correlation(section, "generate: true\n")), "abc together");
  EXPECT_EQ(alerts(correlation(section + ", generate: yes")), "abc together");
  EXPECT_EQ(alerts(correlation(section, "generate: false\n")), "c together");
  // One that wants its rules to alert is enough.
  EXPECT_EQ(alerts(correlation(section) +
                   "---\ntitle: Other\nname: other\ngenerate: true\ncorrelation: {type: "
                   "event_count, rules: [b, together], timespan: 1m, condition: {gte: 2}}\n"),
            "bc together other");
}

TEST(Correlations, OfCorrelationsInAnyOrderOfDocuments) {
  const std::string outer =
      "title: Outer\nname: outer\ncorrelation: {type: temporal_ordered, rules: [inner, b], "
      "timespan: 1h}\n---\n";
  const std::string inner =
      "title: Inner\nname: inner\ncorrelation: {type: event_count, rules: [c, a], timespan: 1m, "
      "condition: {gte: 10}}\n---\n";
  const Result<LoadedRules> loaded = load(outer + inner + kBase);
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  ASSERT_EQ(loaded->correlations.size(), 2u);
  EXPECT_EQ(loaded->correlations[0].name, "inner");
  EXPECT_FALSE(loaded->correlations[0].alerts);
  EXPECT_EQ(loaded->correlations[1].name, "outer");
  EXPECT_EQ(loaded->correlations[1].rules[0].kind, Reference::Kind::correlation);
  EXPECT_EQ(loaded->correlations[1].rules[0].index, 0u);
  // Neither has a level of its own: the highest of what stands behind.
  EXPECT_EQ(loaded->correlations[0].level, Level::high);
  EXPECT_EQ(loaded->correlations[1].level, Level::high);
}

TEST(Correlations, RulesBehindThemNeedNoLevel) {
  const std::string quiet = rule("quiet", 9, "");
  expect_warning(quiet, 1, 1, "has no 'level'");
  const std::string over =
      "title: T\ncorrelation: {type: event_count, rules: [quiet], timespan: 1m, condition: {gte: "
      "2}}\n";
  const Result<LoadedRules> loaded = load(quiet + over);
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->correlations[0].level, Level::medium);
  EXPECT_EQ(loaded->correlations[0].key(), "T");
  EXPECT_TRUE(loaded->warnings.empty());
  expect_warning(quiet + "generate: true\n" + over, 1, 1, "has no 'level'");
}

TEST(Correlations, ThatReferToSkippedRulesAreSkipped) {
  const std::string windows = rule("windows", 8, "", "{product: windows}");
  const Result<LoadedRules> loaded = load(
      windows + kBase +
      "title: One\nname: one\ncorrelation: {type: temporal, rules: [a, windows], timespan: 1m}\n"
      "---\ntitle: Two\nname: two\ncorrelation: {type: temporal, rules: [b, one], timespan: 1m}\n");
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_TRUE(loaded->correlations.empty());
  ASSERT_EQ(loaded->skipped.size(), 3u);
  EXPECT_NE(loaded->skipped[1].reason.find("'windows', which is not in force"), std::string::npos);
  EXPECT_NE(loaded->skipped[2].reason.find("'one', which is not in force"), std::string::npos);
  for (const Rule& r : loaded->rules) {
    EXPECT_TRUE(r.alerts) << r.name;
  }
}

struct Refused {
  const char* section;  // with a '^' where the error stands; none: it is the section's
  const char* because;
};

class RefusedCorrelation : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedCorrelation, WithItsPlace) {
  std::string text = correlation(GetParam().section);
  if (text.find('^') == std::string::npos) {
    text.insert(text.find("correlation: {") + 13, "^");
  }
  expect_error_at_mark(text, GetParam().because);
}

INSTANTIATE_TEST_SUITE_P(
    Correlations, RefusedCorrelation,
    ::testing::Values(
        Refused{"type: event_count, rules: [a], condition: {gte: 1}", "has no 'timespan'"},
        Refused{"rules: [a], timespan: 1m", "has no 'type'"},
        Refused{"type: ^event_cont, rules: [a], timespan: 1m", "did you mean 'event_count'"},
        Refused{"type: ^value_sum, rules: [a], timespan: 1m", "carry no quantities"},
        Refused{"type: temporal, timespan: 1m", "has no 'rules'"},
        Refused{"type: temporal, ^rules: [], timespan: 1m", "a list of rules"},
        Refused{"type: temporal, rules: [a, ^a], timespan: 1m", "stands here twice"},
        Refused{"type: temporal, rules: [a, ^929a690e-bef0-4204-a928-ef5e620d6f11], timespan: 1m",
                "stands here already"},
        Refused{"type: temporal, rules: [a, ^bb], timespan: 1m", "no rule has the id or the"},
        Refused{"type: temporal, rules: [a, ^together], timespan: 1m",
                "'Together' refers to 'Together'"},
        Refused{"type: temporal, rules: [a, b], timespan: 1m, ^grop-by: [source.ip]",
                "did you mean 'group-by'"},
        Refused{"type: temporal, rules: [a], timespan: 1m, group-by: [^source.ipp]",
                "did you mean 'source.ip'"},
        Refused{"type: temporal, rules: [a], timespan: 1m, group-by: [source.ip, ^source.ip]",
                "stands here already"},
        Refused{"type: temporal, rules: [a], timespan: 1m, group-by: [^request_headers]",
                "findings do not keep it"},
        Refused{"type: temporal, rules: [a], timespan: 1m, group-by: ^{source.ip: x}",
                "expected a field's name"},
        Refused{"type: event_count, rules: [a], timespan: 1m", "has no 'condition'"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: ^a and b",
                "expected a map"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: ^{}",
                "expected a comparison"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: {^ge: 1}",
                "no comparison of counts"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: {gte: ^-1}",
                "whole number"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: {gte: ^many}",
                "whole number"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: ^{gt: 5, lt: 6}",
                "no count satisfies"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: ^{lt: 1}",
                "no count satisfies"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: ^{eq: 2, neq: 2}",
                "no count satisfies"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: ^{gte: 10001}",
                "counts above 10000"},
        Refused{"type: event_count, rules: [a], timespan: 1m, condition: {gte: 1, ^field: url}",
                "belongs to value_count"},
        Refused{"type: value_count, rules: [a], timespan: 1m, condition: ^{gte: 1}",
                "needs a 'field'"},
        Refused{"type: temporal, rules: [a, b], timespan: 1m, condition: ^{gte: 3}",
                "more rules than the 2"},
        Refused{"type: temporal_ordered, rules: [a, b, c], timespan: 1m, condition: ^{gte: 2}",
                "needs all its rules"},
        Refused{"type: temporal, rules: [a, b], timespan: 1m, group-by: [x], aliases: {^x: {a: "
                "source.ip}}",
                "names no field for the rule 'b'"},
        Refused{"type: temporal, rules: [a], timespan: 1m, aliases: {x: {^b: source.ip}}",
                "none of this correlation's rules"},
        Refused{"type: temporal, rules: [a], timespan: 1m, aliases: {x: {a: ^sorce.ip}}",
                "did you mean 'source.ip'"},
        Refused{"type: temporal, rules: [a], timespan: 1m, generate: ^perhaps",
                "expected true or false"}));

TEST(Correlations, CyclesAreNamed) {
  const auto over = [](const std::string& name, const std::string& rules) {
    return "title: The " + name + "\nname: " + name + "\ncorrelation: {type: temporal, rules: [" +
           rules + "], timespan: 1m}\n---\n";
  };
  expect_error_at_mark(
      kBase + over("one", "a, two") + over("two", "three") + over("three", "^one, b"),
      "'The one' refers to 'The two' refers to 'The three' refers to 'The one'");
}

TEST(Correlations, ADeepChainIsNoCycle) {
  std::string text = kBase;
  for (int i = 0; i < 500; ++i) {
    text += "title: T" + std::to_string(i) + "\nname: n" + std::to_string(i) +
            "\ncorrelation: {type: event_count, rules: [" +
            (i == 0 ? std::string("a") : "n" + std::to_string(i - 1)) +
            "], timespan: 1m, condition: {gte: 1}}\n---\n";
  }
  const Result<LoadedRules> loaded = load(text);
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->correlations.size(), 500u);
}

TEST(Correlations, IdsAreUniqueAmongAllDocuments) {
  expect_error(correlation("type: temporal, rules: [a, b], timespan: 1m",
                           "id: 929a690e-bef0-4204-a928-ef5e620d6f11\n"),
               kBaseLines + 1, 1, "is already taken by 'Rule a' at test.yml:1");
}

TEST(Correlations, AnAmbiguousNameIsRefusedWhereItIsUsed) {
  EXPECT_TRUE(load(kBase + rule("a", 7)));
  expect_error_at_mark(rule("a", 7) + correlation("type: temporal, rules: [^a, b], timespan: 1m"),
                       "the name 'a' is given twice, at test.yml:1 and test.yml:8");
}

TEST(Correlations, AFieldNoEventOfARuleCarries) {
  const std::string connections =
      rule("conn", 7, "level: low\n", "{category: network, service: connection}");
  std::string text = connections;
  text.replace(text.find("{url: x}"), 8, "{dst_port: 80}");
  text.replace(text.find("dst_port"), 8, "destination.port");
  expect_error_at_mark(text +
                           "title: T\ncorrelation: {type: event_count, rules: [conn], timespan: "
                           "1m, group-by: [^url.path], condition: {gte: 2}}\n",
                       "no event of the rule 'conn' carries the field 'url.path'");
}

TEST(Correlations, HaveNoDetection) {
  expect_error(correlation("type: temporal, rules: [a, b], timespan: 1m",
                           "detection: {s: {url: x}, condition: s}\n"),
               kBaseLines + 3, 1, "a correlation has no 'detection'");
  expect_error(kBase + "title: T\ncorrelation: temporal\n", kBaseLines + 2, 14, "expected a map");
}

TEST(Correlations, ASlipOfGenerateIsWarnedOf) {
  expect_warning(correlation("type: temporal, rules: [a, b], timespan: 1m", "genrate: true\n"),
                 kBaseLines + 3, 1, "did you mean 'generate'");
}

}  // namespace
}  // namespace imds::sigma
