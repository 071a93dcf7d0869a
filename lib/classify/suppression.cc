#include "classify/suppression.h"

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "suppression_checks.h"

namespace imds::classify {

namespace {

Result<std::size_t> endpoint_index(const Options& options, const Suppression& s,
                                   const std::string& name) {
  const auto found = std::find_if(options.endpoints.begin(), options.endpoints.end(),
                                  [&](const Endpoint& e) { return e.name == name; });
  if (found == options.endpoints.end()) {
    return fail(ErrorKind::config, "suppression \"" + s.name + "\" names the endpoint \"" + name +
                                       "\", which is not configured");
  }
  return static_cast<std::size_t>(found - options.endpoints.begin());
}

bool any_contains(const std::vector<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool is_within(std::uint32_t second_of_day, const DailyHours& hours) {
  return hours.first <= hours.last ? hours.first <= second_of_day && second_of_day < hours.last
                                   : hours.first <= second_of_day || second_of_day < hours.last;
}

std::uint32_t second_of_day(Timestamp time) {
  constexpr std::int64_t kDay = 86400 * kNanosPerSecond;
  const std::int64_t rest = (time.ns % kDay + kDay) % kDay;
  return static_cast<std::uint32_t>(rest / kNanosPerSecond);
}

}  // namespace

SuppressionSet::Entry SuppressionSet::make_entry(const Options& options, std::size_t index) {
  const Suppression& s = options.suppressions[index];
  Entry entry;
  entry.name = s.name;
  entry.by_vlan = !s.vlans.empty();
  for (const VlanRange& range : s.vlans) {
    for (unsigned id = range.first; id <= range.last; ++id) {
      entry.vlans[id / 64] |= std::uint64_t{1} << (id % 64);
    }
  }
  entry.outer = s.outer;
  entry.destinations = s.destinations;
  entry.by_responder = !s.responder_addresses.empty() || !s.responder_macs.empty();
  entry.responder_addresses = s.responder_addresses;
  entry.responder_macs = s.responder_macs;
  entry.user_agents = s.user_agents;
  entry.by_rule = s.by_rule;
  for (const std::uint16_t rule : s.rules) {
    entry.rules.resize(std::max<std::size_t>(entry.rules.size(), rule / 64 + 1u));
    entry.rules[rule / 64] |= std::uint64_t{1} << (rule % 64);
  }
  entry.from = s.from;
  entry.until = s.until;
  entry.daily = s.daily;
  entry.shadowed_by = find_cover(options.suppressions, index);
  entry.never_because = entry.shadowed_by ? '"' + options.suppressions[*entry.shadowed_by].name +
                                                "\" before it covers all of it"
                                          : why_never(options, s);
  return entry;
}

Result<SuppressionSet> SuppressionSet::create(const Options& options) {
  if (options.suppressions.size() > kMaxSuppressions) {
    return fail(ErrorKind::config, std::to_string(options.suppressions.size()) +
                                       " suppressions are configured; at most " +
                                       std::to_string(kMaxSuppressions) + " are possible");
  }
  SuppressionSet made;
  made.by_endpoint_.resize(options.endpoints.size());
  std::set<std::string> names;
  for (std::size_t i = 0; i < options.suppressions.size(); ++i) {
    const Suppression& s = options.suppressions[i];
    if (auto checked = check_suppression(s, names); !checked) {
      return pass_on(checked);
    }
    made.entries_.push_back(make_entry(options, i));
    if (s.outside) {
      made.outside_.set(i);
    } else if (s.sources.empty()) {
      made.any_source_.set(i);
    }
    if (s.endpoints.empty()) {
      made.no_endpoint_.set(i);
      for (SuppressionBits& bits : made.by_endpoint_) {
        bits.set(i);
      }
    }
    for (const std::string& name : s.endpoints) {
      const auto index = endpoint_index(options, s, name);
      if (!index) {
        return tl::unexpected(index.error());
      }
      made.by_endpoint_[*index].set(i);
    }
  }
  return made;
}

bool SuppressionSet::Entry::lists(const packet::VlanStack& stack) const {
  if (!by_vlan) {
    return true;
  }
  if (stack.count == 0) {
    return has(0);
  }
  return std::any_of(stack.ids.begin(), stack.ids.begin() + stack.count,
                     [this](std::uint16_t id) { return has(id & packet::kVlanIdMask); });
}

bool SuppressionSet::Entry::lists(const Tunnel& tunnel) const {
  return outer.empty() || (tunnel.is_set() && (any_contains(outer, tunnel.source) ||
                                               any_contains(outer, tunnel.destination)));
}

bool SuppressionSet::Entry::lists_responder(const Subject& s) const {
  return !by_responder || any_contains(responder_addresses, s.server) ||
         (!s.server_mac.is_zero() && std::find(responder_macs.begin(), responder_macs.end(),
                                               s.server_mac) != responder_macs.end());
}

bool SuppressionSet::Entry::lists_user_agent(std::string_view user_agent) const {
  if (user_agents.empty()) {
    return true;
  }
  return user_agent.data() != nullptr && user_agent.size() <= kMaxUserAgent &&
         std::any_of(user_agents.begin(), user_agents.end(), [&](const std::string& pattern) {
           return matches_wildcards(user_agent, pattern, LetterCase::ignored);
         });
}

bool SuppressionSet::Entry::lists(Timestamp time) const {
  if (time < from || time >= until) {
    return false;
  }
  return daily.empty() || std::any_of(daily.begin(), daily.end(),
                                      [second = second_of_day(time)](const DailyHours& hours) {
                                        return is_within(second, hours);
                                      });
}

bool SuppressionSet::Entry::lists_rule(std::uint16_t rule) const {
  return !by_rule || (rule / 64u < rules.size() && ((rules[rule / 64u] >> (rule % 64u)) & 1u) != 0);
}

// All but what the bits tell: source and endpoint, and the rule.
bool SuppressionSet::Entry::holds(const Subject& s) const {
  return lists(s.vlans) && lists(s.time) && lists(s.tunnel) &&
         (destinations.empty() || any_contains(destinations, s.server)) && lists_responder(s) &&
         lists_user_agent(s.user_agent);
}

SuppressionBits SuppressionSet::covering(const Subject& subject) const {
  const SuppressionBits& here =
      subject.endpoint < by_endpoint_.size() ? by_endpoint_[subject.endpoint] : no_endpoint_;
  // An address of an endpoint belongs to nobody's network: whoever speaks from it is of interest.
  const std::uint64_t may_be_outside =
      subject.nowhere || subject.client.is_endpoint() ? 0 : ~std::uint64_t{0};
  SuppressionBits out;
  for (std::size_t word = 0; word * 64 < entries_.size(); ++word) {
    const std::uint64_t listed = subject.client.suppressions.words[word];
    const std::uint64_t outside = outside_.words[word];
    std::uint64_t candidates =
        ((listed & ~outside) | (~listed & outside & may_be_outside) | any_source_.words[word]) &
        here.words[word];
    for (; candidates != 0; candidates &= candidates - 1) {
      const std::size_t index = word * 64 + static_cast<unsigned>(std::countr_zero(candidates));
      if (entries_[index].holds(subject)) {
        out.set(index);
      }
    }
  }
  return out;
}

bool SuppressionSet::covers_all_rules(const SuppressionBits& covering) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (((covering.words[i / 64] >> (i % 64)) & 1u) != 0 && !entries_[i].by_rule) {
      return true;
    }
  }
  return false;
}

std::optional<std::uint16_t> SuppressionSet::first_for(const SuppressionBits& covering,
                                                       std::uint16_t rule) const {
  for (std::size_t word = 0; word * 64 < entries_.size(); ++word) {
    for (std::uint64_t left = covering.words[word]; left != 0; left &= left - 1) {
      const std::size_t index = word * 64 + static_cast<unsigned>(std::countr_zero(left));
      if (entries_[index].lists_rule(rule)) {
        return static_cast<std::uint16_t>(index);
      }
    }
  }
  return std::nullopt;
}

}  // namespace imds::classify
