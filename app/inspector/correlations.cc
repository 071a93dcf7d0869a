#include "correlations.h"

#include <algorithm>

#include "base/text.h"
#include "event/fields.h"

namespace imds::inspector {

namespace {

using sigma::Correlation;
using sigma::CorrelationType;
using sigma::Reference;

// Groups fewer than this are soon used up by any scan.
constexpr std::size_t kFewGroups = 256;

story::CorrelationRule::Kind kind_of(CorrelationType type) {
  switch (type) {
    case CorrelationType::event_count:
      return story::CorrelationRule::Kind::event_count;
    case CorrelationType::value_count:
      return story::CorrelationRule::Kind::value_count;
    case CorrelationType::temporal:
      return story::CorrelationRule::Kind::temporal;
    case CorrelationType::temporal_ordered:
      break;
  }
  return story::CorrelationRule::Kind::temporal_ordered;
}

const std::string& title_of(const Ruleset& ruleset, const Reference& reference) {
  return reference.kind == Reference::Kind::rule ? ruleset.compiled->info(reference.index).title
                                                 : ruleset.correlations[reference.index].title;
}

// All that decides what a correlation counts, so that a reload can tell whether it still does.
std::string identity(const Ruleset& ruleset, const Correlation& correlation) {
  std::string text = correlation.key() + '\n' + std::string(sigma::name(correlation.type)) + ' ' +
                     std::to_string(correlation.timespan_seconds) + ' ' +
                     std::to_string(correlation.threshold.least) + ' ' +
                     std::to_string(correlation.threshold.most) + ' ' +
                     (correlation.threshold.never ? std::to_string(*correlation.threshold.never)
                                                  : std::string("-"));
  for (std::size_t i = 0; i < correlation.rules.size(); ++i) {
    text += '\n' + id_of(ruleset, correlation.rules[i]);
    for (const auto* fields : {&correlation.group_by, &correlation.value}) {
      text += ';';
      for (const sigma::CorrelatedField& field : *fields) {
        text += ' ' + std::string(event::describe(field.fields[i]).name);
      }
    }
  }
  return text;
}

story::CorrelationRule rule_of(const Ruleset& ruleset, const Correlation& correlation) {
  story::CorrelationRule rule;
  rule.identity = identity(ruleset, correlation);
  rule.kind = kind_of(correlation.type);
  rule.timespan_ns = correlation.timespan_seconds * kNanosPerSecond;
  rule.least = correlation.threshold.least;
  rule.most = correlation.threshold.most;
  rule.never = correlation.threshold.never;
  rule.alerts = correlation.alerts;
  for (std::size_t i = 0; i < correlation.rules.size(); ++i) {
    const Reference& reference = correlation.rules[i];
    story::CorrelationRule::Input input;
    input.is_correlation = reference.kind == Reference::Kind::correlation;
    input.index = reference.index;
    for (const sigma::CorrelatedField& field : correlation.group_by) {
      input.group_by.push_back(field.fields[i]);
    }
    for (const sigma::CorrelatedField& field : correlation.value) {
      input.value.push_back(field.fields[i]);
    }
    rule.inputs.push_back(std::move(input));
  }
  return rule;
}

template <typename Items, typename Show>
std::string joined(const Items& items, const Show& show) {
  std::string out;
  for (const auto& item : items) {
    out += (out.empty() ? "" : ", ") + show(item);
  }
  return out;
}

std::string quoted(const std::string& text) {
  return "'" + escape_for_terminal(text) + "'";
}

std::string fields_text(const std::vector<sigma::CorrelatedField>& fields) {
  return joined(
      fields, [](const sigma::CorrelatedField& field) { return escape_for_terminal(field.name); });
}

std::string count_text(const sigma::Threshold& threshold) {
  std::string out;
  if (threshold.most == sigma::Threshold::kNoLimit) {
    out = "at least " + std::to_string(threshold.least);
  } else if (threshold.most == threshold.least) {
    out = "exactly " + std::to_string(threshold.least);
  } else {
    out = std::to_string(threshold.least) + " to " + std::to_string(threshold.most);
  }
  return threshold.never ? out + ", not " + std::to_string(*threshold.never) : out;
}

std::string what_text(const Correlation& correlation) {
  switch (correlation.type) {
    case CorrelationType::event_count:
      return count_text(correlation.threshold) + " events of ";
    case CorrelationType::value_count:
      return count_text(correlation.threshold) + " different values of " +
             fields_text(correlation.value) + " in events of ";
    case CorrelationType::temporal:
      return (correlation.threshold.least == correlation.rules.size()
                  ? std::string("all")
                  : count_text(correlation.threshold)) +
             " of ";
    case CorrelationType::temporal_ordered:
      return "one after another ";
  }
  return "";
}

}  // namespace

const std::string& id_of(const Ruleset& ruleset, const Reference& reference) {
  return reference.kind == Reference::Kind::rule ? ruleset.compiled->info(reference.index).id
                                                 : ruleset.correlations[reference.index].key();
}

std::size_t group_capacity(const Ruleset& ruleset, const Correlation& correlation,
                           std::size_t memory_bytes) {
  return story::Correlator::group_capacity(rule_of(ruleset, correlation),
                                           memory_bytes / ruleset.correlations.size());
}

void add_correlations(const Ruleset& ruleset, story::RuleCatalog& catalog) {
  for (const Correlation& correlation : ruleset.correlations) {
    catalog.rules.push_back({correlation.key(), correlation.title,
                             std::string(sigma::name(correlation.level)),
                             sigma::severity(correlation.level)});
    catalog.correlations.push_back(rule_of(ruleset, correlation));
  }
  catalog.correlated_only = ruleset.correlated_only;
}

std::size_t correlation_bytes(const config::Config& config) {
  return std::size_t{config.alerts.correlation_mib} << 20;
}

std::vector<std::string> describe_correlations(const Ruleset& ruleset, std::size_t memory_bytes) {
  std::vector<std::string> lines;
  for (const Correlation& correlation : ruleset.correlations) {
    lines.push_back("correlation " + escape_for_terminal(correlation.key()) + " [" +
                    std::string(sigma::name(correlation.level)) + "] " +
                    escape_for_terminal(correlation.title) + " (" +
                    escape_for_terminal(correlation.file) + ")");
    lines.push_back(
        "  " + std::string(sigma::name(correlation.type)) + ": " + what_text(correlation) +
        joined(correlation.rules,
               [&](const Reference& r) { return quoted(title_of(ruleset, r)); }) +
        ", within " + std::to_string(correlation.timespan_seconds) + " s" +
        (correlation.group_by.empty() ? std::string()
                                      : ", for the same " + fields_text(correlation.group_by)));
    const std::size_t groups = group_capacity(ruleset, correlation, memory_bytes);
    lines.push_back(
        std::string("  judged ") +
        (correlation.threshold.needs_whole_window() ? "when its window is over"
                                                    : "with every event") +
        ", up to " + std::to_string(groups) + " groups at a time" +
        (correlation.alerts ? "" : "; does not alert itself: other correlations refer to it"));
    if (!correlation.group_by.empty() && groups < kFewGroups) {
      lines.push_back("  warning: few groups; a larger alerts.correlation_mib makes room for more");
    }
  }
  for (std::size_t i = 0; i < ruleset.correlated_only.size(); ++i) {
    if (ruleset.correlated_only[i]) {
      lines.push_back("rule " + ruleset.compiled->info(i).id + " " +
                      quoted(ruleset.compiled->info(i).title) +
                      " alerts only through correlations ('generate: true' in one changes that)");
    }
  }
  return lines;
}

std::vector<std::string> describe_filters(const Ruleset& ruleset) {
  std::vector<std::string> lines;
  for (const sigma::Filter& filter : ruleset.filters) {
    lines.push_back("filter " + quoted(filter.detection.title) + " (" +
                    escape_for_terminal(filter.detection.file) + ")");
    lines.push_back("  withholds " +
                    std::string(filter.says_what_remains ? "all but what its condition describes"
                                                         : "what its condition describes") +
                    " of " +
                    (filter.rules.empty() ? std::string("no rule that is in force")
                                          : joined(filter.rules, [&](std::size_t rule) {
                                              return quoted(ruleset.compiled->info(rule).title);
                                            })));
  }
  return lines;
}

}  // namespace imds::inspector
