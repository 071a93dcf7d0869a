#include "suppressions.h"

#include <algorithm>
#include <string_view>

#include "base/random.h"
#include "base/text.h"
#include "event/event.h"
#include "story/story.h"

namespace imds::inspector {

namespace {

constexpr std::uint32_t kHaveUserAgents = event::bit(event::EventType::http_request) |
                                          event::bit(event::EventType::http_response) |
                                          event::bit(event::EventType::token_issued) |
                                          event::bit(event::EventType::credentials_delivered);

bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& w) { return iequals(w, word); });
}

// Both criteria hold for the rule; an empty one always does.
bool is_meant(const rules::RuleInfo& rule, const std::vector<std::string>& ids,
              const std::vector<std::string>& tags) {
  return (ids.empty() || has(ids, rule.id)) &&
         (tags.empty() || std::any_of(rule.tags.begin(), rule.tags.end(),
                                      [&](const std::string& tag) { return has(tags, tag); }));
}

void select_rules(const config::Suppression& from, const rules::RuleSet& rules,
                  classify::Suppression& to) {
  to.by_rule = !from.rule.empty() || !from.tag.empty();
  std::uint32_t events = 0;
  for (std::size_t i = 0; to.by_rule && i < rules.size(); ++i) {
    if (is_meant(rules.info(i), from.rule, from.tag)) {
      to.rules.push_back(static_cast<std::uint16_t>(i));
      events |= rules.info(i).events;
    }
  }
  if (to.by_rule && to.rules.empty()) {
    to.never_because = from.rule.empty()  ? "no rule in force has its tag"
                       : from.tag.empty() ? "no rule in force has its id"
                                          : "no rule in force has both its id and its tag";
  } else if (to.by_rule && !to.user_agents.empty() && (events & kHaveUserAgents) == 0) {
    to.never_because = "its rules alert on no request, and nothing else has a user agent";
  }
}

classify::Suppression convert(const config::Suppression& from, const rules::RuleSet& rules) {
  classify::Suppression to{from.name, from.source, {}, from.endpoint, from.outer};
  for (const config::VlanRange& range : from.vlan) {
    to.vlans.push_back({range.first, range.last});
  }
  to.destinations = from.destination;
  for (const config::Responder& responder : from.responder) {
    if (responder.address.address.is_set()) {
      to.responder_addresses.push_back(responder.address);
    } else {
      to.responder_macs.push_back(responder.mac);
    }
  }
  to.user_agents = from.user_agent;
  to.from = from.from.value_or(classify::kAlwaysBefore);
  to.until = from.until.value_or(classify::kNeverAfter);
  for (const config::DailyHours& hours : from.daily) {
    to.daily.push_back({hours.first * 60u, hours.last * 60u});
  }
  select_rules(from, rules, to);
  return to;
}

story::Track convert(config::ThrottleTrack track) {
  switch (track) {
    case config::ThrottleTrack::rule:
      return story::Track::rule;
    case config::ThrottleTrack::source:
      return story::Track::source;
    case config::ThrottleTrack::destination:
      return story::Track::destination;
    case config::ThrottleTrack::both:
      return story::Track::both;
    case config::ThrottleTrack::flow:
      break;
  }
  return story::Track::flow;
}

story::ThrottleType convert(config::ThrottleType type) {
  switch (type) {
    case config::ThrottleType::limit:
      return story::ThrottleType::limit;
    case config::ThrottleType::threshold:
      return story::ThrottleType::threshold;
    case config::ThrottleType::both:
      return story::ThrottleType::both;
    case config::ThrottleType::none:
      break;
  }
  return story::ThrottleType::none;
}

bool applies(const config::ThrottlePolicy& policy, const rules::RuleInfo& rule) {
  return is_meant(rule, policy.rule, policy.tag) &&
         (policy.level.empty() || has(policy.level, rule.level));
}

template <typename Items, typename Name>
void add_list(std::string& line, const char* what, const Items& items, Name name) {
  const char* separator = " ";
  for (const auto& item : items) {
    line += (separator == std::string_view(" ") ? ' ' + std::string(what) + ' ' : separator) +
            std::string(name(item));
    separator = ", ";
  }
}

std::string as_is(const std::string& text) {
  return text;
}

std::string prefix_text(const IpPrefix& prefix) {
  return prefix.to_string();
}

std::string vlan_text(const config::VlanRange& range) {
  if (range.last == 0) {
    return "untagged";
  }
  return range.first == range.last ? std::to_string(range.first)
                                   : std::to_string(range.first) + "-" + std::to_string(range.last);
}

std::string responder_text(const config::Responder& responder) {
  return responder.address.address.is_set() ? responder.address.to_string()
                                            : responder.mac.to_string();
}

std::string hours_text(const config::DailyHours& hours) {
  const auto clock = [](unsigned minute) {
    const std::string h = std::to_string(minute / 60);
    const std::string m = std::to_string(minute % 60);
    return (h.size() < 2 ? "0" : "") + h + (m.size() < 2 ? ":0" : ":") + m;
  };
  return clock(hours.first) + "-" + clock(hours.last);
}

std::string describe(const config::Suppression& s) {
  std::string line = "suppress " + s.name + ":";
  add_list(line, "source", s.source, prefix_text);
  add_list(line, "destination", s.destination, prefix_text);
  add_list(line, "outer", s.outer, prefix_text);
  add_list(line, "vlan", s.vlan, vlan_text);
  add_list(line, "endpoint", s.endpoint, as_is);
  add_list(line, "rule", s.rule, as_is);
  add_list(line, "tag", s.tag, as_is);
  add_list(line, "user_agent", s.user_agent, escape_for_terminal);
  add_list(line, "responder", s.responder, responder_text);
  if (s.from) {
    line += " from " + to_rfc3339(*s.from);
  }
  if (s.until) {
    line += " until " + to_rfc3339(*s.until);
  }
  add_list(line, "daily", s.daily, hours_text);
  return line;
}

}  // namespace

classify::Options classify_options(const config::Config& config, const rules::RuleSet& rules) {
  classify::Options options;
  for (const config::Endpoint& endpoint : config.endpoints) {
    options.endpoints.push_back({endpoint.name, endpoint.addresses});
  }
  for (const config::Suppression& suppression : config.suppress) {
    options.suppressions.push_back(convert(suppression, rules));
  }
  if (!config.on_premises.networks.empty()) {
    classify::Suppression outside{
        std::string(config::kOutsideOnPremises), config.on_premises.networks, {}, {}};
    outside.outside = true;
    options.suppressions.push_back(std::move(outside));
  }
  options.destination_prefixes = rules.destination_prefixes();
  options.source_prefixes = rules.source_prefixes();
  options.now = wall_clock_now();
  return options;
}

story::Throttle::Options throttle_options(const config::Throttle& throttle) {
  story::Throttle::Options options;
  for (const config::ThrottlePolicy& policy : throttle.policies) {
    options.policies.push_back(
        {policy.name, convert(policy.track), convert(policy.type), policy.count, policy.seconds});
  }
  options.entries = throttle.entries;
  fill_random({&options.secret, 1});
  return options;
}

std::vector<std::uint8_t> throttle_policies(const config::Throttle& throttle,
                                            const rules::RuleSet& rules) {
  std::vector<std::uint8_t> by_rule(rules.size(), story::kUnthrottled);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto policy =
        std::find_if(throttle.policies.begin(), throttle.policies.end(),
                     [&](const config::ThrottlePolicy& p) { return applies(p, rules.info(i)); });
    if (policy != throttle.policies.end()) {
      by_rule[i] = static_cast<std::uint8_t>(policy - throttle.policies.begin());
    }
  }
  return by_rule;
}

std::vector<std::string> describe_suppressions(const config::Config& config) {
  std::vector<std::string> lines;
  for (const config::Suppression& suppression : config.suppress) {
    lines.push_back(describe(suppression));
  }
  if (!config.on_premises.networks.empty()) {
    std::string line = "suppress " + std::string(config::kOutsideOnPremises) + ":";
    add_list(line, "source in none of", config.on_premises.networks, prefix_text);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> describe_throttle(const config::Throttle& throttle) {
  if (!throttle.enabled) {
    return {"throttle: off"};
  }
  std::vector<std::string> lines;
  for (const config::ThrottlePolicy& policy : throttle.policies) {
    std::string line = "throttle " + policy.name + ": " + std::string(config::name(policy.type));
    if (policy.type != config::ThrottleType::none) {
      line += " " + std::to_string(policy.count) + " in " + std::to_string(policy.seconds) +
              " s by " + std::string(config::name(policy.track));
    }
    add_list(line, "rule", policy.rule, as_is);
    add_list(line, "tag", policy.tag, as_is);
    add_list(line, "level", policy.level, as_is);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> throttle_warnings(const config::Throttle& throttle,
                                           const rules::RuleSet& rules) {
  std::vector<std::string> warnings;
  const std::vector<std::uint8_t> by_rule = throttle_policies(throttle, rules);
  for (std::size_t p = 0; throttle.enabled && p < throttle.policies.size(); ++p) {
    const config::ThrottlePolicy& policy = throttle.policies[p];
    const bool any = !policy.rule.empty() || !policy.tag.empty() || !policy.level.empty();
    if (any && std::find(by_rule.begin(), by_rule.end(), p) == by_rule.end()) {
      warnings.push_back("throttle policy \"" + policy.name +
                         "\" applies to no rule in force, or another before it does");
    }
  }
  return warnings;
}

}  // namespace imds::inspector
