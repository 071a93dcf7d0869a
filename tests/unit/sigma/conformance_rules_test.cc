// The semantics of the Sigma specification 2.x, case by case: fields, conditions, documents.
#include "conformance.h"

namespace imds::sigma {
namespace {

// --- Fields -------------------------------------------------------------------------------------

TEST(Fields, EveryHeaderByName) {
  const Request twice{.headers = "Cookie: a=1\nHost: h\ncookie: B=2\nEmpty:\n"};
  check({{"http.request.header.cookie: a=1", true, twice},
         {"http.request.header.Cookie: b=2", true, twice},
         {"cs(Cookie)|cased: b=2", false, twice},
         {"request_headers.cookie|contains|all: [a=, b=]", true, twice},
         {"request_headers.cookie|startswith: 'b'", true, twice},
         {"request_headers.empty: ''", true, twice},
         {"request_headers.empty|exists: true", true, twice},
         {"request_headers.other|exists: true", false, twice},
         {"request_headers.other: null", true, twice},
         {"request_headers.ookie|exists: true", false, twice},
         {"request_headers|contains: 'cookie: b'", true, twice},
         {"request_headers.cookie|re: '^B=\\d$'", true, twice},
         {"request_headers.x-aws-ec2-metadata-token|exists: true",
          true,
          {.headers = "X-aws-ec2-metadata-token: AQ==\n"}}});
}

// W3C's cs-uri-query is the query, in public collections often the whole target: it is both.
TEST(Fields, TheQueryOfW3cStandsForTheTargetAsWell) {
  const Request request{.url = "/ecp/x.aspx?id=7"};
  const Request plain{.url = "/ecp/x.aspx"};
  check({{"cs-uri-query: id=7", true, request},
         {"cs-uri-query|startswith: id=", true, request},
         {"cs-uri-query|contains: /ecp/", true, request},
         {"cs-uri-query|endswith: .aspx", true, plain},
         {"cs-uri-query|re: '^/ecp/.*id=\\d$'", true, request},
         {"cs-uri-query|contains|all: [/ecp/, id=7]", true, request},
         {"cs-uri-query|contains|all: [/ecp/, id=8]", false, request},
         {"cs-uri-query|contains|neq: /ecp/", false, request},
         {"cs-uri-query|contains|neq: id=8", true, request},
         {"cs-uri-query: null", true, plain},
         {"cs-uri-query|exists: true", false, plain},
         {"url.query|contains: /ecp/", false, request}});
  EXPECT_FALSE(holds("  sel: {cs-uri-query|contains: /ecp/}\n  condition: not sel\n", request));
}

TEST(Fields, OfTheFlowAndTheTarget) {
  check({{"network.type: ipv4", true},
         {"network.transport: tcp", true},
         {"network.transport: 6", true},
         {"url.extension: exe", true, {.url = "/a/b.EXE?x.txt"}},
         {"url.query: x.txt", true, {.url = "/a/b.EXE?x.txt"}},
         {"http.request.method: get", true},
         {"imds.event: http_request", true},
         {"imds.event: connection", false}});
}

// --- Conditions ---------------------------------------------------------------------------------

// Selections that hold: yes, yes_too, _yes; that do not: no, no_too.
constexpr std::string_view kSelections =
    "  yes: {destination.port: 80}\n"
    "  yes_too: {url|contains: iam}\n"
    "  no: {destination.port: 81}\n"
    "  no_too: {url|contains: nowhere}\n"
    "  _yes: {destination.port: 80}\n";

bool condition(const std::string& text) {
  return holds(std::string(kSelections) + "  condition: " + text + "\n", {});
}

TEST(Conditions, Verdicts) {
  for (const auto& [text, expected] : std::initializer_list<std::pair<const char*, bool>>{
           {"yes", true},
           {"no", false},
           {"not no", true},
           {"not yes", false},
           {"not not yes", true},
           {"yes and yes_too", true},
           {"yes and no", false},
           {"no or yes", true},
           {"no or no_too", false},
           // not binds before and, and before or.
           {"yes or no and no_too", true},
           {"(yes or no) and no_too", false},
           {"not no and no_too", false},
           {"not (no and no_too)", true},
           {"not no or no_too", true},
           {"not (yes or no)", false},
           {"yes and not no", true},
           {"1 of yes*", true},
           {"1 of no*", false},
           {"any of no*", false},
           {"any of *too", true},
           {"all of yes*", true},
           {"all of *too", false},
           {"not 1 of no*", true},
           {"not all of *too", true},
           {"1 of them", true},
           {"all of them", false},
           {"yes AND NOT no", true},
           {"1 OF yes* and not ALL of no*", true},
           {"1 of yes", true},
           {"all of no", false},
           {"_yes", true},
           {"no or _yes", true},
       }) {
    EXPECT_EQ(condition(text), expected) << text;
  }
}

TEST(Conditions, UnderscoredNamesAreNotAmongThem) {
  const std::string selections = "  no: {destination.port: 81}\n  _yes: {destination.port: 80}\n";
  EXPECT_FALSE(holds(selections + "  condition: 1 of them\n", {}));
  EXPECT_FALSE(holds(selections + "  condition: 1 of *\n", {}));
  EXPECT_TRUE(holds(selections + "  condition: no or _yes\n", {}));
}

TEST(Conditions, ListsAreAlternatives) {
  EXPECT_TRUE(condition("[no, yes]"));
  EXPECT_FALSE(condition("[no, no_too]"));
  EXPECT_TRUE(condition("[no and yes, yes and yes_too]"));
}

// --- Documents ----------------------------------------------------------------------------------

TEST(Documents, EachIsARule) {
  const std::string id = "929a690e-bef0-4204-a928-ef5e620d6fc";
  std::string text;
  for (const char* last : {"c", "d"}) {
    text += "---\ntitle: T\nid: " + id + last +
            "\nlevel: low\nlogsource: {category: proxy}\ndetection:\n  sel: {url: /a}\n"
            "  condition: sel\n";
  }
  auto loaded = load(text);
  ASSERT_TRUE(loaded) << loaded.error().to_string();
  EXPECT_EQ(loaded->rules.size(), 2u);
}

TEST(Documents, KeepGoingTellsEverything) {
  const std::string good =
      "title: G\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nlevel: low\n"
      "logsource: {category: proxy}\ndetection:\n  s: {url: /a}\n"
      "  condition: s\n";
  const std::string bad =
      "title: B\nid: 929a690e-bef0-4204-a928-ef5e620d6fcd\nlevel: low\n"
      "logsource: {category: proxy}\ndetection:\n  s: {url|contians: /a}\n"
      "  condition: s\n";
  LoadOptions options;
  options.keep_going = true;
  const std::string text = bad + "---\n" + good + "---\n" + good + "---\n" + bad;
  auto loaded = load_text(text, "test.yml", event::FieldTable(), options);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->rules.size(), 1u);
  ASSERT_EQ(loaded->refused.size(), 3u);
  EXPECT_EQ(loaded->refused[0].where.line, 6);
  EXPECT_NE(loaded->refused[2].message.find("already taken"), std::string::npos);
  EXPECT_FALSE(load(text));
}

}  // namespace
}  // namespace imds::sigma
