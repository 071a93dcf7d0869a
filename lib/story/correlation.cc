#include "story/correlation.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <limits>
#include <utility>

#include "base/cursor.h"
#include "watch.h"

namespace imds::story {
namespace {

constexpr std::size_t kWordBits = 64;
// Fields' values in a row, each with its length; the longest text of a finding has 1 KiB.
constexpr std::size_t kMaxFields = 8;
constexpr std::size_t kMaxFieldBytes = 1024 + 8;
using ValueRoom = std::array<std::uint8_t, kMaxFields * kMaxFieldBytes>;

class ValueWriter {
 public:
  explicit ValueWriter(ValueRoom& room) : room_(room) {}

  // False: the event does not have the field.
  bool add(const event::Event& event, event::FieldId field) {
    event::FieldScratch scratch;
    const event::FieldValue value = event::value_of(event, field, scratch);
    switch (value.kind) {
      case event::FieldValue::Kind::absent:
        return false;
      case event::FieldValue::Kind::text:
        add(value.text.raw.data(), value.text.raw.size());
        return true;
      case event::FieldValue::Kind::address:
        add(value.address.bytes.data(), value.address.size());
        return true;
      case event::FieldValue::Kind::number:
        if (value.number_count > 0) {
          add(value.numbers.data(), value.number_count * sizeof value.numbers[0]);
        } else {
          add(&value.number, sizeof value.number);
        }
        return true;
    }
    return false;
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return std::span(room_).first(size_);
  }

 private:
  void add(const void* data, std::size_t size) {
    size = std::min(size, kMaxFieldBytes - 8);
    assert(size_ + 4 + size <= room_.size());
    store_be32(&room_[size_], static_cast<std::uint32_t>(size));
    std::copy_n(static_cast<const std::uint8_t*>(data), size, &room_[size_ + 4]);
    size_ += 4 + size;
  }

  ValueRoom& room_;
  std::size_t size_ = 0;
};

// The hash of the event's values of `fields`; nullopt if it lacks one.
std::optional<SipHash> hash_of(const event::Event& event, const std::vector<event::FieldId>& fields,
                               const SipKey& key) {
  ValueRoom room;
  ValueWriter writer(room);
  for (const event::FieldId field : fields) {
    if (!writer.add(event, field)) {
      return std::nullopt;
    }
  }
  return siphash128(key, writer.bytes());
}

}  // namespace

Correlator::Correlator(std::vector<CorrelationRule> rules, std::size_t base_rules,
                       std::size_t memory_bytes)
    : rules_(std::move(rules)),
      of_rule_(base_rules),
      of_correlation_(rules_.size()),
      inputs_(rules_.size()),
      pending_((rules_.size() + kWordBits - 1) / kWordBits) {
  for (std::size_t c = 0; c < rules_.size(); ++c) {
    const CorrelationRule& rule = rules_[c];
    assert(!rule.inputs.empty() && rule.inputs.size() <= CorrelationRule::kMaxInputs);
    watches_.push_back(std::make_shared<Watch>(rule, memory_bytes / rules_.size()));
    has_windows_ = has_windows_ || rule.needs_whole_window();
    std::vector<std::uint64_t> alike(rule.inputs.size());
    for (std::size_t i = 0; i < rule.inputs.size(); ++i) {
      const CorrelationRule::Input& input = rule.inputs[i];
      assert(input.group_by.size() <= kMaxFields && input.value.size() <= kMaxFields);
      assert(input.index < (input.is_correlation ? c : base_rules));
      (input.is_correlation ? of_correlation_ : of_rule_)[input.index].push_back({c, i});
      for (std::size_t j = 0; j < rule.inputs.size(); ++j) {
        if (rule.inputs[j].group_by == input.group_by && rule.inputs[j].value == input.value) {
          alike[i] |= std::uint64_t{1} << j;
        }
      }
    }
    alike_.push_back(std::move(alike));
  }
}

Correlator::~Correlator() = default;

void Correlator::adopt(const Correlator& earlier) {
  for (std::size_t c = 0; c < rules_.size(); ++c) {
    const auto same = std::find_if(
        earlier.rules_.begin(), earlier.rules_.end(),
        [&](const CorrelationRule& other) { return other.identity == rules_[c].identity; });
    if (same == earlier.rules_.end() || same->identity.empty()) {
      continue;
    }
    const auto& watch = earlier.watches_[static_cast<std::size_t>(same - earlier.rules_.begin())];
    if (watch->capacity() == watches_[c]->capacity()) {
      watches_[c] = watch;
    }
  }
}

const CorrelationCounters& Correlator::counters(std::size_t i) const {
  return watches_[i]->counters;
}

std::size_t Correlator::group_capacity(std::size_t i) const {
  return watches_[i]->capacity();
}

std::size_t Correlator::group_capacity(const CorrelationRule& rule, std::size_t memory_bytes) {
  return GroupTable::groups_in(memory_bytes, Watch::slots_for(rule), rule.needs_whole_window());
}

void Correlator::signal(const std::vector<Target>& targets) {
  for (const Target& target : targets) {
    inputs_[target.correlation] |= std::uint64_t{1} << target.input;
    pending_[target.correlation / kWordBits] |= std::uint64_t{1}
                                                << (target.correlation % kWordBits);
  }
}

void Correlator::take(const event::Finding& finding, std::span<const std::uint16_t> hits,
                      const Report& report) {
  if (rules_.empty()) {
    return;
  }
  advance(finding.time, report);
  for (const std::uint16_t rule : hits) {
    signal(of_rule_[rule]);
  }
  drain(finding, report);
}

// What one completes is always behind it, so one pass sees them all.
void Correlator::drain(const event::Finding& finding, const Report& report) {
  const bool any =
      std::any_of(pending_.begin(), pending_.end(), [](std::uint64_t word) { return word != 0; });
  if (!any) {
    return;
  }
  const event::Event event = event::event_of(finding);
  for (std::size_t word = 0; word < pending_.size(); ++word) {
    while (pending_[word] != 0) {
      const std::size_t correlation =
          word * kWordBits + static_cast<std::size_t>(std::countr_zero(pending_[word]));
      pending_[word] &= pending_[word] - 1;
      const std::uint64_t inputs = std::exchange(inputs_[correlation], 0);
      judge(correlation, inputs, finding, event, report);
    }
  }
}

// The event counts once for each group it belongs to: inputs may take different fields for it.
void Correlator::judge(std::size_t correlation, std::uint64_t inputs, const event::Finding& finding,
                       const event::Event& event, const Report& report) {
  const CorrelationRule& rule = rules_[correlation];
  Watch& watch = *watches_[correlation];
  while (inputs != 0) {
    const auto first = static_cast<std::size_t>(std::countr_zero(inputs));
    const std::uint64_t alike = inputs & alike_[correlation][first];
    inputs &= ~alike;
    const auto group = hash_of(event, rule.inputs[first].group_by, watch.key());
    const auto value = hash_of(event, rule.inputs[first].value, watch.key());
    if (!group || !value) {
      watch.counters.incomplete.add();
      continue;
    }
    if (watch.take(*group, alike, (*value)[0], finding)) {
      complete(correlation, first, finding, report);
    }
  }
}

void Correlator::complete(std::size_t correlation, std::size_t input, const event::Finding& finding,
                          const Report& report) {
  if (rules_[correlation].alerts) {
    report({correlation, finding, input});
  }
  signal(of_correlation_[correlation]);
}

template <typename EndWindow>
void Correlator::judge_windows(const EndWindow& end_window, const Report& report) {
  for (std::size_t c = 0; has_windows_ && c < rules_.size(); ++c) {
    std::size_t input = 0;
    for (;;) {
      const Watch::Window window = end_window(*watches_[c], due_, input);
      if (window == Watch::Window::none) {
        break;
      }
      if (window == Watch::Window::accepted) {
        complete(c, input, due_, report);
        drain(due_, report);
      }
    }
  }
}

void Correlator::advance(Timestamp now, const Report& report) {
  judge_windows([&](Watch& watch, event::Finding& last,
                    std::size_t& input) { return watch.end_window(now.ns, false, last, input); },
                report);
}

// What a window's end completes may begin another window behind it: that one's turn comes later.
void Correlator::finish(const Report& report) {
  judge_windows([&](Watch& watch, event::Finding& last,
                    std::size_t& input) { return watch.end_window(0, true, last, input); },
                report);
}

}  // namespace imds::story
