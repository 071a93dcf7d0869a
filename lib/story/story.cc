#include "story/story.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace imds::story {

Story::Story(Options options, const std::vector<FindingRing*>& workers,
             std::vector<AlertSink*> sinks)
    : options_(std::move(options)),
      maker_(options_.redaction),
      workers_(workers.size()),
      sinks_(std::move(sinks)),
      sink_counters_(std::make_unique<SinkCounters[]>(sinks_.size())),
      rules_(options_.correlation_bytes),
      stages_(options_.stages) {
  for (std::size_t i = 0; i < workers.size(); ++i) {
    workers_[i].ring = workers[i];
  }
  for (RuleCatalog& catalog : options_.catalogs) {
    rules_.add(std::move(catalog));
  }
  options_.catalogs.clear();
  if (options_.throttle) {
    throttle_ = std::make_unique<Throttle>(*options_.throttle);
  }
}

// Workers' rings are drained in the order of time, so that correlations see what came first first.
Story::Source* Story::earliest() {
  Source* best = nullptr;
  Timestamp best_time;
  for (Source& source : workers_) {
    const event::Finding* const finding = source.ring->front();
    if (finding != nullptr && (best == nullptr || finding->time < best_time)) {
      best = &source;
      best_time = finding->time;
    }
  }
  return best;
}

// The finding at hand lies in another core's cache, and what the story remembers of its client in
// none. Both are asked for while others are told; a finding takes longer than memory does.
void Story::look_ahead(Source& source) {
  constexpr std::uint64_t kFetch = 4;
  const FindingRing& ring = *source.ring;
  const std::uint64_t first = ring.consumed();
  for (source.fetched = std::max(source.fetched, first + 1); source.fetched <= first + kFetch;
       ++source.fetched) {
    const event::Finding* const finding = ring.ahead(source.fetched - first);
    if (finding == nullptr) {
      break;
    }
    event::prefetch(*finding);
  }
  for (source.expected = std::max(source.expected, first); source.expected < first + kFetch;
       ++source.expected) {
    const event::Finding* const finding = ring.ahead(source.expected - first);
    if (finding == nullptr) {
      break;
    }
    source.story(source.expected) = stages_.expect(*finding);
  }
  if (first + 2 < source.expected) {
    stages_.fetch(source.story(first + 2));
  }
  if (first + 1 < source.expected) {
    stages_.fetch_neighbours(source.story(first + 1));
  }
}

std::size_t Story::poll(std::size_t budget) {
  std::size_t taken = 0;
  for (; taken < budget; ++taken) {
    Source* const source = earliest();
    if (source == nullptr) {
      break;
    }
    look_ahead(*source);
    FindingRing& ring = *source->ring;
    consume(*ring.front(), source->story(ring.consumed()));
    ring.pop();
  }
  for (AlertSink* sink : sinks_) {
    sink->tick();
  }
  return taken;
}

void Story::run(const std::stop_token& stop) {
  constexpr std::size_t kBudget = 256;
  constexpr std::chrono::milliseconds kIdleSleep{1};
  while (!stop.stop_requested()) {
    if (poll(kBudget) == 0) {
      end_windows();
      std::this_thread::sleep_for(kIdleSleep);
    }
  }
  while (poll(kBudget) > 0) {
  }
  finish();
}

void Story::end_windows() {
  // What a worker has not yet handed over is not older than this.
  constexpr std::int64_t kPatience = 2 * kNanosPerSecond;
  page_.reset();  // it may have been forgotten
  if (!options_.clock) {
    return;
  }
  const Timestamp now{options_.clock().ns - kPatience};
  stages_.forget(now.ns);
  for (const auto& page : rules_.pages()) {
    page->correlator->advance(now, report_to(*page));
  }
}

void Story::finish() {
  for (const auto& page : rules_.pages()) {
    page->correlator->finish(report_to(*page));
  }
}

alert::ObserverNames Story::names_of(const event::Finding& finding) const {
  alert::ObserverNames names;
  names.hostname = options_.hostname;
  if (finding.ingress_port < options_.interface_names.size()) {
    names.interface_name = options_.interface_names[finding.ingress_port];
  }
  return names;
}

void Story::consume(const event::Finding& finding, const Stages::Expected& expected) {
  findings_.add();
  const RuleBook::Page* const page = page_of(finding.ruleset_generation);
  if (page == nullptr) {
    unknown_rules_.add(std::min<std::size_t>(finding.rule_count, finding.rules.size()));
    return;
  }
  if (!finding.is_test && page->correlator->judges_windows()) {
    // What ended before this finding is told before it.
    page->correlator->advance(finding.time, report_to(*page));
  }
  told_ = stages_.take(finding, expected);
  if (finding.type != event::EventType::credentials_used || finding.is_test) {
    tell(finding, *page);
  } else if (told_.reached != 0) {
    tell(with_delivery(finding), *page);
  } else {
    rejected_.add(std::min<std::size_t>(finding.rule_count, finding.rules.size()));
  }
  told_ = {};
}

// The alerts of a finding, and what correlations make of it. In a storm nearly all are withheld,
// and no record is made.
void Story::tell(const event::Finding& finding, const RuleBook::Page& page) {
  const std::span<const std::uint16_t> rules = hits_of(finding, page);
  if (!rules.empty()) {
    const std::vector<bool>& correlated_only = page.catalog.correlated_only;
    bool taken = false;
    for (const std::uint16_t rule : rules) {
      if (rule < correlated_only.size() && correlated_only[rule] && !finding.is_test) {
        correlated_only_.add();
        continue;
      }
      const Throttle::Verdict verdict = verdict_on(finding, page, rule);
      if (!verdict.passes) {
        continue;
      }
      if (!std::exchange(taken, true)) {
        maker_.take(finding, names_of(finding), told_);
      }
      raise(page, rule, verdict.repeats);
    }
    if (!finding.is_test && !page.correlator->empty()) {
      page.correlator->take(finding, rules, report_to(page));
    }
  }
}

// A use, with what was delivered to its client: of which endpoint and whose account.
const event::Finding& Story::with_delivery(const event::Finding& use) {
  use_ = use;
  if (const event::Finding* const delivery = stages_.delivery_to(use.source.ip)) {
    use_.endpoint = delivery->endpoint;
    use_.has_exchange = true;
    use_.exchange = {};
    use_.set_has(event::Part::answer, true);
    const event::FindingExchange& from = delivery->exchange;
    use_.exchange.account = from.account;
    use_.exchange.account_source = from.account_source;
    use_.exchange.account_expected = from.account_expected;
    use_.exchange.access_key_id = from.access_key_id;
    use_.exchange.role = from.role;
    use_.exchange.region = from.region;
    use_.exchange.expiration = from.expiration;
    use_.exchange.client_kind = from.client_kind;
  }
  return use_;
}

void Story::begin_story(imds::rules::Evaluator& judge) const {
  std::array<char, event::kMaxTimelineText> room;
  judge.begin_story(told_.reached != 0 ? event::name(told_.furthest()) : std::string_view(),
                    event::timeline_text(told_, room), told_.fresh_name());
}

// The rules that hold for a finding, now that its story is known; what else it names is counted.
std::span<const std::uint16_t> Story::hits_of(const event::Finding& finding,
                                              const RuleBook::Page& page) {
  imds::rules::Evaluator* const judge = page.catalog.story_rules.get();
  const std::size_t count = std::min<std::size_t>(finding.rule_count, finding.rules.size());
  const std::size_t known = page.catalog.base_rules();
  bool begun = false;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t rule = finding.rules[i];
    if (rule >= known) {
      unknown_rules_.add();
      continue;
    }
    if (judge != nullptr && judge->rules().info(rule).in_story) {
      if (!std::exchange(begun, true)) {
        begin_story(*judge);
      }
      if (!judge->holds_in_story(rule, finding.compared[i])) {
        rejected_.add();
        continue;
      }
    }
    hits_[kept++] = rule;
  }
  return std::span(hits_).first(kept);
}

Correlator::Report Story::report_to(const RuleBook::Page& page) {
  return [this, &page](const Completed& completed) { raise_correlation(page, completed); };
}

void Story::raise_correlation(const RuleBook::Page& page, const Completed& completed) {
  correlations_completed_.add();
  const std::size_t number = page.catalog.base_rules() + completed.correlation;
  const Throttle::Verdict verdict = verdict_on(completed.finding, page, number);
  if (!verdict.passes) {
    return;
  }
  const CorrelationRule& rule = page.correlator->rule(completed.correlation);
  maker_.take_correlated(completed.finding, rule.inputs[completed.input].group_by,
                         static_cast<std::uint8_t>(completed.input), names_of(completed.finding),
                         told_);
  raise(page, number, verdict.repeats);
}

// Nearly every finding is of the same generation as the one before.
const RuleBook::Page* Story::page_of(std::uint32_t generation) {
  if (page_ == nullptr || page_->catalog.generation != generation) {
    page_ = rules_.find(generation);
  }
  return page_.get();
}

// A test request is never withheld, nor does it count. What is counted goes by the rule's id, so
// it goes on over a reload.
Throttle::Verdict Story::throttle(const event::Finding& finding, const RuleBook::Page& page,
                                  std::size_t rule) {
  const RuleCatalog& catalog = page.catalog;
  if (throttle_ == nullptr || rule >= catalog.policies.size() ||
      catalog.policies[rule] == kUnthrottled || finding.is_test) {
    return {};
  }
  return throttle_->judge(page.numbers[rule], catalog.policies[rule], finding);
}

// Whether its alert passes; if not, it is counted.
Throttle::Verdict Story::verdict_on(const event::Finding& finding, const RuleBook::Page& page,
                                    std::size_t rule) {
  const Throttle::Verdict verdict = throttle(finding, page, rule);
  if (!verdict.passes) {
    throttled_.add();
    page.counters[rule]->throttled.add();
  }
  return verdict;
}

// The alert of what the maker has taken.
void Story::raise(const RuleBook::Page& page, std::size_t rule, std::uint64_t repeats) {
  const alert::SparseRecord& alert = maker_.make(page.catalog.rules[rule], repeats);
  alerts_.add();
  page.counters[rule]->alerts.add();
  severity_counters_[alert.record.severity - 1u].add();
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    SinkCounters& counters = sink_counters_[i];
    (sinks_[i]->deliver(alert) ? counters.delivered : counters.lost).add();
  }
}

std::uint64_t Story::alerts_of_severity(int severity) const {
  const auto index = static_cast<std::size_t>(severity - 1);
  return index < severity_counters_.size() ? severity_counters_[index].get() : 0;
}

}  // namespace imds::story
