#include "check_cost.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "detect/request_fields.h"
#include "event/event.h"
#include "http/head.h"
#include "http/target.h"
#include "rules/evaluator.h"

namespace imds::inspector {

namespace {

using Clock = std::chrono::steady_clock;

// What browsers, package managers and programs send all day.
constexpr std::array<std::string_view, 8> kHeads{
    "GET /images/logo-2x.png?v=20240117 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: "
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36\r\nAccept: image/avif,image/webp,image/apng,*/*;q=0.8\r\n"
    "Referer: http://www.example.com/products/list?page=2\r\nAccept-Encoding: gzip, deflate\r\n"
    "Accept-Language: en-US,en;q=0.9\r\nCookie: session=7d1c0f3a9b5e4; theme=dark\r\n"
    "Connection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: intranet.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; "
    "rv:125.0) Gecko/20100101 Firefox/125.0\r\nAccept: text/html,application/xhtml+xml\r\n"
    "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\nAccept-Encoding: gzip, deflate\r\n"
    "Upgrade-Insecure-Requests: 1\r\nConnection: keep-alive\r\n\r\n",
    "GET /debian/dists/bookworm/InRelease HTTP/1.1\r\nHost: deb.debian.org\r\nUser-Agent: Debian "
    "APT-HTTP/1.3 (2.6.1)\r\nAccept: text/*\r\nCache-Control: max-age=0\r\n\r\n",
    "POST /api/v2/metrics HTTP/1.1\r\nHost: telemetry.example.net:8080\r\nUser-Agent: "
    "Go-http-client/1.1\r\nContent-Length: 5120\r\nContent-Type: application/json\r\n"
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG\r\n"
    "Accept-Encoding: gzip\r\n\r\n",
    "GET /d/msdownload/update/software/defu/2024/04/am_delta_patch.exe HTTP/1.1\r\nConnection: "
    "Keep-Alive\r\nAccept: */*\r\nRange: bytes=0-1048575\r\nUser-Agent: "
    "Microsoft-Delivery-Optimization/10.0\r\nHost: au.download.windowsupdate.com\r\n\r\n",
    "HEAD /health HTTP/1.1\r\nHost: 10.20.30.40\r\nUser-Agent: kube-probe/1.28\r\nAccept: */*\r\n"
    "Connection: close\r\n\r\n",
    "GET /ocsp/MFEwTzBNMEswSTAJBgUrDgMCGgUABBTfqhLjKLEJQZPin0KCzkdAQpVYow HTTP/1.1\r\nHost: "
    "ocsp.example.com\r\nAccept: */*\r\nUser-Agent: trustd (unknown version) CFNetwork\r\n"
    "Connection: keep-alive\r\n\r\n",
    "GET /search?q=quarterly+report&lang=en&page=3&sort=date HTTP/1.1\r\nHost: search.example.com"
    "\r\nUser-Agent: python-requests/2.31.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    "X-Request-Id: 4f1c7a52-0b7e-4f6d-9a44-0e8c3f3a2b10\r\nConnection: keep-alive\r\n\r\n",
};

ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A head and the event that is made of it.
class Parsed {
 public:
  explicit Parsed(std::string_view text)
      : text_(text),
        unfolded_(text.size()),
        target_(2 * text.size() + http::kNormaliseSlack),
        headers_(2 * text.size()) {
    event_.type = event::EventType::http_request;
    event_.flow.source = {IpAddress::v4(0x0a000001), 40000, {}};
    event_.flow.destination = {IpAddress::v4(0xc6336414), 80, {}};
    event_.flow.ip_protocol = 6;
    parse();
  }
  void parse() {
    (void)http::parse_request_head(bytes_of(text_), unfolded_, head_);
    detect::set_target(event_.http, head_.method, head_.target, head_.fields.host, target_);
    detect::set_headers(event_.http, head_, headers_);
  }
  [[nodiscard]] const event::Event& event() const { return event_; }

 private:
  std::string_view text_;
  std::vector<char> unfolded_;
  std::vector<char> target_;
  std::vector<char> headers_;
  http::RequestHead head_;
  event::Event event_;
};

// Nanoseconds of one call for one head: the best of several rounds, since others use the machine.
template <typename Work>
double nanoseconds_per_head(std::chrono::microseconds budget, const Work& work) {
  constexpr int kRounds = 5;
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::size_t heads = 0;
    const auto start = Clock::now();
    auto now = start;
    while (now - start < budget / kRounds) {
      for (std::size_t i = 0; i < kHeads.size(); ++i) {
        work(i);
      }
      heads += kHeads.size();
      now = Clock::now();
    }
    const double each =
        std::chrono::duration<double, std::nano>(now - start).count() / static_cast<double>(heads);
    best = round == 0 ? each : std::min(best, each);
  }
  return best;
}

double share_with_any(const std::vector<std::string>& literals) {
  const auto heads = std::count_if(kHeads.begin(), kHeads.end(), [&](std::string_view head) {
    std::string lower(head);
    std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
    return std::any_of(literals.begin(), literals.end(), [&](const std::string& literal) {
      return lower.find(literal) != std::string::npos;
    });
  });
  return static_cast<double>(heads) / static_cast<double>(kHeads.size());
}

}  // namespace

Result<RuleSetCost> measure_cost(const std::shared_ptr<const rules::RuleSet>& compiled,
                                 const std::vector<sigma::Rule>& rules) {
  using std::chrono::microseconds;
  constexpr microseconds kWhole{10'000};
  constexpr microseconds kOneRule{1'000};
  auto evaluator = rules::Evaluator::create(compiled);
  if (!evaluator) {
    return pass_on(evaluator);
  }
  std::vector<Parsed> parsed;
  parsed.reserve(kHeads.size());
  for (const std::string_view head : kHeads) {
    parsed.emplace_back(head);
    parsed.back().parse();  // its views point into where it lies now
  }
  RuleSetCost cost;
  rules::RuleHits hits;
  std::size_t passed = 0;
  for (const std::string_view head : kHeads) {
    passed += compiled->parses_every_head() || evaluator->prefilter(bytes_of(head)) ? 1 : 0;
  }
  cost.heads_parsed = static_cast<double>(passed) / static_cast<double>(kHeads.size());
  cost.prefilter_ns = nanoseconds_per_head(
      kWhole, [&](std::size_t i) { (void)evaluator->prefilter(bytes_of(kHeads[i])); });
  cost.parse_ns = nanoseconds_per_head(kWhole, [&](std::size_t i) { parsed[i].parse(); });
  cost.evaluate_ns = nanoseconds_per_head(
      kWhole, [&](std::size_t i) { evaluator->evaluate(parsed[i].event(), hits); });

  std::size_t measured = 0;
  for (std::size_t i = 0; i < compiled->size(); ++i) {
    RuleCost& one = cost.rules.emplace_back();
    const rules::RuleIndex& index = compiled->index(i);
    if (index.unindexed_because.empty()) {
      one.heads_parsed = share_with_any(index.literals);
      continue;
    }
    one.heads_parsed = 1;
    if (i >= rules.size() || ++measured > kMaxMeasuredRules) {
      continue;
    }
    auto alone = rules::RuleSet::compile({rules[i]});
    auto judge =
        alone ? rules::Evaluator::create(*alone) : Result<rules::Evaluator>(pass_on(alone));
    if (!judge) {
      return pass_on(judge);
    }
    one.evaluate_ns = nanoseconds_per_head(
        kOneRule, [&](std::size_t head) { judge->evaluate(parsed[head].event(), hits); });
  }
  return cost;
}

}  // namespace imds::inspector
