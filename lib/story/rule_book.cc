#include "story/rule_book.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "story/throttle.h"

namespace imds::story {

namespace {

using Key = std::tuple<std::string, std::string, std::string>;

Key key_of(const alert::RuleFacts& rule) {
  return {rule.id, rule.name, rule.level};
}

}  // namespace

// Only one thread adds and forgets, so between the locks nothing changes; and memory is taken
// while the story goes on.
void RuleBook::add(RuleCatalog catalog) {
  auto page = std::make_shared<Page>();
  page->correlator =
      std::make_unique<Correlator>(catalog.correlations, catalog.base_rules(), correlation_bytes_);
  if (const auto former = latest(); former != nullptr) {
    page->correlator->adopt(*former->correlator);
  }
  const std::lock_guard lock(mutex_);
  std::map<Key, std::shared_ptr<RuleCounters>> known;
  for (const auto& former : pages_) {
    for (std::size_t i = 0; i < former->counters.size(); ++i) {
      known.emplace(key_of(former->catalog.rules[i]), former->counters[i]);
    }
  }
  for (const alert::RuleFacts& rule : catalog.rules) {
    page->numbers.push_back(Throttle::rule_number(rule.id));
    const auto found = known.find(key_of(rule));
    page->counters.push_back(found != known.end() ? found->second
                                                  : std::make_shared<RuleCounters>());
  }
  page->catalog = std::move(catalog);
  pages_.push_back(std::move(page));
}

void RuleBook::forget(std::uint32_t generation) {
  const std::lock_guard lock(mutex_);
  const auto is_it = [=](const auto& page) { return page->catalog.generation == generation; };
  pages_.erase(std::remove_if(pages_.begin(), pages_.end(), is_it), pages_.end());
}

std::shared_ptr<const RuleBook::Page> RuleBook::find(std::uint32_t generation) const {
  const std::lock_guard lock(mutex_);
  for (const auto& page : pages_) {
    if (page->catalog.generation == generation) {
      return page;
    }
  }
  return nullptr;
}

std::vector<std::shared_ptr<const RuleBook::Page>> RuleBook::pages() const {
  const std::lock_guard lock(mutex_);
  return pages_;
}

std::shared_ptr<const RuleBook::Page> RuleBook::latest() const {
  const std::lock_guard lock(mutex_);
  return pages_.empty() ? nullptr : pages_.back();
}

std::vector<RuleBook::Total> RuleBook::totals() const {
  std::vector<Total> out;
  std::set<Key> seen;
  for (const auto& page : pages()) {
    for (std::size_t i = 0; i < page->counters.size(); ++i) {
      if (seen.insert(key_of(page->catalog.rules[i])).second) {
        const RuleCounters& counters = *page->counters[i];
        out.push_back({page->catalog.rules[i], counters.alerts.get(), counters.throttled.get()});
      }
    }
  }
  return out;
}

}  // namespace imds::story
