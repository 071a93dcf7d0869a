// Rules about requests that compare answers: requests that may fit tell whose answers are read, and
// the answer decides.
#include "fixture.h"
#include "sigma/rule.h"

namespace imds::rules {
namespace {

using event::EventType;

constexpr const char* kProbe =
    "method:\n  http.request.method: GET\nkeywords:\n  - '/etc/passwd'\n  - '<script>'\n"
    "found:\n  http.response.status_code: 404\ncondition: method and keywords and not found";

event::Event answer(std::string_view target, std::uint16_t status) {
  event::Event event = request(target);
  event.type = EventType::http_response;
  event.response.status = status;
  event.response.headers = "Content-Type: text/html\n";
  return event;
}

std::string error_of(const std::string& detection) {
  const std::vector<sigma::Rule> rules = load(rule_yaml(detection, "category: webserver"));
  const auto set = RuleSet::compile(rules);
  const Status alone = RuleSet::check(rules.front());
  EXPECT_EQ(set.has_value(), alone.has_value());
  return set ? "" : set.error().to_string();
}

TEST(AnswerRules, RequestsThatMayFitWantTheirAnswers) {
  const auto set = compile(load(rule_yaml(kProbe, "category: webserver")));
  EXPECT_TRUE(set->info(0).awaits_answer);
  EXPECT_EQ(set->info(0).events, event::bit(EventType::http_response));
  EXPECT_TRUE(set->listens_to(EventType::http_request));
  EXPECT_EQ(set->index(0).literals.size(), 2u);
  EXPECT_FALSE(set->parses_every_head());
  Evaluator judge = evaluator(set);
  const RuleHits found = candidates(judge, request("/?f=/etc/passwd"));
  EXPECT_EQ(found.count, 0);
  EXPECT_TRUE(found.wants_answer);
  EXPECT_FALSE(candidates(judge, request("/index.html")).wants_answer);
}

TEST(AnswerRules, TheAnswerDecides) {
  Evaluator judge = evaluator(compile(load(rule_yaml(kProbe, "category: webserver"))));
  EXPECT_EQ(hits(judge, answer("/?f=/etc/passwd", 200)), std::vector<int>{0});
  EXPECT_EQ(hits(judge, answer("/?f=/etc/passwd", 404)), std::vector<int>{});
  EXPECT_EQ(hits(judge, answer("/index.html", 200)), std::vector<int>{});
}

TEST(AnswerRules, HeadersOfBothSidesAreCompared) {
  const auto set =
      compile(load(rule_yaml("s:\n  http.request.header.cookie|contains: admin\n"
                             "  http.response.header.content-type: text/html\ncondition: s",
                             "category: proxy")));
  EXPECT_TRUE(set->answers_need_request_headers());
  EXPECT_FALSE(compile({"s:\n  url: /x\ncondition: s"})->answers_need_request_headers());
  Evaluator judge = evaluator(set);
  event::Event event = answer("/", 200);
  EXPECT_EQ(hits(judge, event), std::vector<int>{});
  event.http.headers = "Host: a\nCookie: user=admin\n";
  EXPECT_EQ(hits(judge, event), std::vector<int>{0});
  event.type = EventType::http_request;
  event.response = {};
  EXPECT_TRUE(candidates(judge, event).wants_answer);
}

// What the answer's packet says otherwise does not keep the request from being noted.
TEST(AnswerRules, AssumeWhatOnlyTheAnswerKnows) {
  Evaluator judge = evaluator(compile(
      load(rule_yaml("s:\n  url|contains: /admin\n  ip.ttl|lt: 10\n  imds.event: http_response\n"
                     "  '@timestamp|hour': 3\ncondition: s",
                     "category: network"))));
  EXPECT_TRUE(candidates(judge, request("/admin")).wants_answer);
  EXPECT_FALSE(candidates(judge, request("/")).wants_answer);
}

TEST(AnswerRules, OthersAreUntouched) {
  const auto rules = load(rule_yaml("s:\n  url|contains: /admin\ncondition: s"));
  EXPECT_FALSE(rules.front().awaits_answer);
  EXPECT_EQ(rules.front().events & event::bit(EventType::http_response), 0u);
  Evaluator judge = evaluator(compile(rules));
  EXPECT_EQ(hits(judge, answer("/admin", 200)), std::vector<int>{});
  EXPECT_FALSE(candidates(judge, request("/admin")).wants_answer);
  const auto own = load(
      rule_yaml("s:\n  http.response.status_code: 200\ncondition: s", "product: imds-inspector"));
  EXPECT_FALSE(own.front().awaits_answer) << "it listens to all events";
}

TEST(AnswerRules, ThatSayNothingOfTheRequestAreRefused) {
  for (const char* detection :
       {"s:\n  http.response.status_code: 500\ncondition: s",
        "s:\n  http.response.status_code: 200\n  http.request.method: POST\ncondition: s",
        "s:\n  url|contains: /admin\nt:\n  http.response.status_code: 500\ncondition: s or t",
        "s:\n  http.response.status_code: 200\nt:\n  url|contains: /x\ncondition: s and not t"}) {
    EXPECT_NE(error_of(detection).find("every answer on the network"), std::string::npos)
        << detection;
  }
  EXPECT_EQ(error_of("s:\n  http.response.status_code: 200\n  destination.port: 80\n  url: /x\n"
                     "condition: s")
                .find("every answer"),
            std::string::npos);
}

}  // namespace
}  // namespace imds::rules
