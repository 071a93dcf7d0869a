#include <cmath>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "check_report.h"
#include "correlations.h"
#include "event/event.h"

namespace imds::inspector {

namespace {

using Json = nlohmann::ordered_json;

Json position(const SourcePosition& where) {
  return {{"file", to_valid_utf8(where.file)}, {"line", where.line}, {"column", where.column}};
}

Json texts(const std::vector<std::string>& strings) {
  Json out = Json::array();
  for (const std::string& text : strings) {
    out.push_back(to_valid_utf8(text));
  }
  return out;
}

Json prefixes(const std::vector<IpPrefix>& list) {
  Json out = Json::array();
  for (const IpPrefix& prefix : list) {
    out.push_back(prefix.to_string());
  }
  return out;
}

double rounded(double value) {
  return std::round(value * 10) / 10;
}

Json rule_json(const rules::RuleSet& rules, std::size_t i, bool correlated_only,
               const RuleCost& cost) {
  const rules::RuleInfo& info = rules.info(i);
  const rules::RuleIndex& index = rules.index(i);
  Json events = Json::array();
  for (std::size_t type = 0; type < event::kEventTypeCount; ++type) {
    if ((info.events & event::bit(static_cast<event::EventType>(type))) != 0) {
      events.push_back(event::name(static_cast<event::EventType>(type)));
    }
  }
  Json out{{"id", info.id},
           {"title", to_valid_utf8(info.title)},
           {"level", info.level},
           {"file", to_valid_utf8(info.file)},
           {"line", info.line},
           {"events", std::move(events)},
           {"alerts", !correlated_only}};
  if (info.in_story) {
    out["judged_in_story"] = true;
  }
  if (!judges_requests(info)) {
    return out;
  }
  const bool indexed = index.unindexed_because.empty();
  out["index"] = {{"indexed", indexed},
                  {"strings", texts(index.literals)},
                  {"destinations", prefixes(index.destinations)},
                  {"sources", prefixes(index.sources)},
                  {"endpoints", index.endpoint}};
  if (!indexed) {
    out["index"]["unindexed_because"] = to_valid_utf8(index.unindexed_because);
  }
  out["cost"] = {{"heads_parsed", cost.heads_parsed}};
  if (cost.evaluate_ns) {
    out["cost"]["evaluate_ns"] = rounded(*cost.evaluate_ns);
  }
  return out;
}

Json names(const std::vector<sigma::CorrelatedField>& fields) {
  Json out = Json::array();
  for (const sigma::CorrelatedField& field : fields) {
    out.push_back(to_valid_utf8(field.name));
  }
  return out;
}

// Only the bounds there are.
Json threshold_json(const sigma::Threshold& threshold) {
  Json out{{"least", threshold.least}};
  if (threshold.most != sigma::Threshold::kNoLimit) {
    out["most"] = threshold.most;
  }
  if (threshold.never) {
    out["never"] = *threshold.never;
  }
  return out;
}

Json correlation_json(const Ruleset& ruleset, const sigma::Correlation& correlation,
                      std::size_t memory_bytes) {
  Json rules = Json::array();
  for (const sigma::Reference& reference : correlation.rules) {
    rules.push_back(to_valid_utf8(id_of(ruleset, reference)));
  }
  Json out{{"id", to_valid_utf8(correlation.key())},
           {"title", to_valid_utf8(correlation.title)},
           {"level", sigma::name(correlation.level)},
           {"file", to_valid_utf8(correlation.file)},
           {"line", correlation.position.line},
           {"type", sigma::name(correlation.type)},
           {"rules", std::move(rules)},
           {"group_by", names(correlation.group_by)},
           {"timespan_seconds", correlation.timespan_seconds},
           {"threshold", threshold_json(correlation.threshold)},
           {"judged_at_end_of_window", correlation.threshold.needs_whole_window()},
           {"alerts", correlation.alerts},
           {"group_capacity", group_capacity(ruleset, correlation, memory_bytes)}};
  if (!correlation.value.empty()) {
    out["values_of"] = names(correlation.value);
  }
  return out;
}

Json filter_json(const Ruleset& ruleset, const sigma::Filter& filter) {
  const sigma::Rule& detection = filter.detection;
  Json rules = Json::array();
  for (const std::size_t rule : filter.rules) {
    rules.push_back(ruleset.compiled->info(rule).id);
  }
  return {{"id", to_valid_utf8(detection.id)},
          {"title", to_valid_utf8(detection.title)},
          {"file", to_valid_utf8(detection.file)},
          {"line", detection.position.line},
          {"rules", std::move(rules)},
          {"condition", filter.says_what_remains ? "remains" : "withheld"}};
}

Json compiled_json(const Ruleset& ruleset) {
  const rules::RuleSetSize size = ruleset.compiled->compiled_size();
  const auto scan = [](const rules::RuleSetSize::Scan& of) {
    return Json{{"strings", of.strings}, {"bytes", of.bytes}};
  };
  return {{"milliseconds", ruleset.cost.time.count()},
          {"databases_compiled", ruleset.cost.compiled},
          {"databases_from_cache", ruleset.cost.from_cache},
          {"cache_notes", texts(ruleset.notes)},
          {"matcher", size.head.info},
          {"bytes", size.bytes()},
          {"head_prefilter", scan(size.head)},
          {"raw_prefilter", scan(size.raw)},
          {"exact",
           {{"comparisons", size.comparisons},
            {"strings", size.exact_strings},
            {"regular_expressions", size.regexes},
            {"bytes", size.exact_bytes}}}};
}

Json refused_json(const std::vector<Error>& refused) {
  Json out = Json::array();
  for (const Error& error : refused) {
    Json one = position(error.where);
    one["message"] = to_valid_utf8(error.message);
    out.push_back(std::move(one));
  }
  return out;
}

Json skipped_json(const std::vector<sigma::SkippedRule>& all) {
  Json out = Json::array();
  for (const sigma::SkippedRule& skipped : all) {
    Json one = position(skipped.where);
    one["id"] = to_valid_utf8(skipped.id);
    one["title"] = to_valid_utf8(skipped.title);
    one["reason"] = to_valid_utf8(skipped.reason);
    out.push_back(std::move(one));
  }
  return out;
}

Json cost_json(const RuleSetCost& cost, bool parses_every_head) {
  return {{"prefilter_ns", rounded(cost.prefilter_ns)}, {"parse_ns", rounded(cost.parse_ns)},
          {"evaluate_ns", rounded(cost.evaluate_ns)},   {"heads_parsed", cost.heads_parsed},
          {"head_ns", rounded(cost.head_ns())},         {"parses_every_head", parses_every_head}};
}

}  // namespace

std::string check_json(const Settings& settings, const Ruleset& ruleset, const RuleSetCost& cost) {
  const rules::RuleSet& rules = *ruleset.compiled;
  const std::size_t memory = correlation_bytes(settings.config);
  Json out{{"configuration", to_valid_utf8(settings.config_path)},
           {"valid", ruleset.refused.empty()}};
  out["rules"] = Json::array();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out["rules"].push_back(rule_json(rules, i, ruleset.correlated_only[i], cost.rules[i]));
  }
  out["correlations"] = Json::array();
  for (const sigma::Correlation& correlation : ruleset.correlations) {
    out["correlations"].push_back(correlation_json(ruleset, correlation, memory));
  }
  out["filters"] = Json::array();
  for (const sigma::Filter& filter : ruleset.filters) {
    out["filters"].push_back(filter_json(ruleset, filter));
  }
  out["skipped"] = skipped_json(ruleset.skipped);
  out["refused"] = refused_json(ruleset.refused);
  out["warnings"] = texts(ruleset.warnings);
  out["compiled"] = compiled_json(ruleset);
  out["cost"] = cost_json(cost, rules.parses_every_head());
  return out.dump(2);
}

}  // namespace imds::inspector
