// The prefilter over ordinary request heads and evaluation of one event, with the bulletin's rule
// alone and among a thousand others.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/cursor.h"
#include "event/event.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"
#include "sigma/load.h"

namespace {

using imds::ByteSpan;

constexpr std::string_view kBulletin = R"(title: Bulletin
id: 00000000-0000-4000-8000-000000000000
status: test
level: medium
logsource:
  category: network
detection:
  ip_aws_dst:
    destination.ip:
      - 169.254.169.254
      - fd00:ec2::254
  http_url_paths:
    url|contains:
      - /latest/meta-data
      - /latest/api/token
  http_token_header:
    request_headers|contains: X-aws-ec2-metadata-token
  condition: 1 of ip_* or 1 of http_*
)";

// Rules that ordinary traffic does not meet, each with strings of its own.
std::string other_rule(std::int64_t number) {
  char id[13];
  std::snprintf(id, sizeof id, "%012d", static_cast<int>(number));
  const std::string n = std::to_string(number);
  return "---\ntitle: Other\nid: 00000000-0000-4000-8000-" + std::string(id) +
         "\nstatus: test\nlevel: low\nlogsource:\n  category: proxy\ndetection:\n  path:\n"
         "    url|contains:\n      - /upload/shell" +
         n + ".jsp\n      - /cgi-bin/x" + n + "\n" +
         "  agent:\n    user_agent.original|startswith: scanner" + n + "/\n" +
         "    http.request.method: POST\n  condition: path or agent\n";
}

[[noreturn]] void give_up(const imds::Error& error) {
  std::fprintf(stderr, "%s\n", error.to_string().c_str());
  std::exit(1);
}

// The bulletin's rule and `others` more.
std::vector<imds::sigma::Rule> load_rules(std::int64_t others) {
  std::string yaml(kBulletin);
  for (std::int64_t i = 1; i <= others; ++i) {
    yaml += other_rule(i);
  }
  auto loaded = imds::sigma::load_text(yaml, "bench.yml", imds::event::FieldTable());
  if (!loaded) {
    give_up(loaded.error());
  }
  return std::move(loaded->rules);
}

imds::rules::Evaluator make_evaluator(const std::vector<imds::sigma::Rule>& rules) {
  auto set = imds::rules::RuleSet::compile(rules);
  if (!set) {
    give_up(set.error());
  }
  auto evaluator = imds::rules::Evaluator::create(*set);
  if (!evaluator) {
    give_up(evaluator.error());
  }
  return std::move(*evaluator);
}

constexpr std::string_view kHeaders =
    "Host: news.example.com\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
    "Gecko/20100101 Firefox/128.0\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\n"
    "Accept-Language: en-GB,en;q=0.5\nAccept-Encoding: gzip, deflate\nConnection: keep-alive\n"
    "Referer: http://news.example.com/today/overview\nCookie: session=8f14e45fceea167a5a36\n";

// About 430 bytes.
std::string ordinary_head() {
  std::string head =
      "GET /articles/2026/03/why-the-latest-metadata-matters.html?from=start HTTP/1.1\r\n";
  for (const char c : kHeaders) {
    head += c == '\n' ? "\r\n" : std::string(1, c);
  }
  return head + "\r\n";
}

imds::event::Event request(std::string_view target) {
  imds::event::Event event;
  event.type = imds::event::EventType::http_request;
  event.flow.source.ip = imds::IpAddress::v4(0x0a000001);
  event.flow.destination.ip = imds::IpAddress::v4(0xc6336414);
  event.flow.destination.port = 80;
  event.flow.ip_protocol = 6;
  event.http.method = "GET";
  event.http.target = {target, target};
  event.http.path = {target, target};
  event.http.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)";
  event.http.headers = kHeaders;
  event.http.version = "1.1";
  return event;
}

void prefilter(benchmark::State& state) {
  imds::rules::Evaluator evaluator = make_evaluator(load_rules(state.range(0)));
  const std::string head = ordinary_head();
  const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(head.data()), head.size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(evaluator.prefilter(bytes));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * head.size()));
  state.counters["head_bytes"] = static_cast<double>(head.size());
}
BENCHMARK(prefilter)->ArgName("others")->Arg(0)->Arg(1000);

void evaluate(benchmark::State& state, std::string_view target) {
  imds::rules::Evaluator evaluator = make_evaluator(load_rules(state.range(0)));
  const imds::event::Event event = request(target);
  imds::rules::RuleHits hits;
  for (auto _ : state) {
    evaluator.evaluate(event, hits);
    benchmark::DoNotOptimize(hits);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  state.counters["hits"] = hits.count;
}
BENCHMARK_CAPTURE(evaluate, hit, "/latest/meta-data/iam/security-credentials/")
    ->ArgName("others")
    ->Arg(0)
    ->Arg(1000);
BENCHMARK_CAPTURE(evaluate, miss, "/articles/2026/03/why-the-latest-metadata-matters.html")
    ->ArgName("others")
    ->Arg(0)
    ->Arg(1000);

void connection(benchmark::State& state) {
  imds::rules::Evaluator evaluator = make_evaluator(load_rules(0));
  imds::event::Event event = request({});
  event.type = imds::event::EventType::connection;
  event.flow.destination.ip = imds::IpAddress::v4(0xa9fea9fe);
  imds::rules::RuleHits hits;
  for (auto _ : state) {
    evaluator.evaluate(event, hits);
    benchmark::DoNotOptimize(hits);
  }
  state.counters["hits"] = hits.count;
}
BENCHMARK(connection);

// From loaded rules to an evaluator ready to run.
void compile(benchmark::State& state) {
  const std::vector<imds::sigma::Rule> rules = load_rules(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(make_evaluator(rules));
  }
}
BENCHMARK(compile)->ArgName("others")->Arg(0)->Arg(1000)->Arg(5000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
