#include "suppression_checks.h"

#include <algorithm>

namespace imds::classify {

namespace {

constexpr std::uint16_t kHighestVlan = 4095;

bool has_criterion(const Suppression& s) {
  return !s.sources.empty() || !s.vlans.empty() || !s.endpoints.empty() || !s.outer.empty() ||
         !s.destinations.empty() || !s.responder_addresses.empty() || !s.responder_macs.empty() ||
         !s.user_agents.empty() || s.by_rule;
}

// Every element of `part` is within `whole`; an empty `whole` stands for everything.
template <typename Item, typename Within>
bool covers(const std::vector<Item>& whole, const std::vector<Item>& part, Within within) {
  if (whole.empty()) {
    return true;
  }
  return !part.empty() && std::all_of(part.begin(), part.end(), [&](const Item& p) {
    return std::any_of(whole.begin(), whole.end(), [&](const Item& w) { return within(p, w); });
  });
}

template <typename Item>
bool covers(const std::vector<Item>& whole, const std::vector<Item>& part) {
  return covers(whole, part, [](const Item& p, const Item& w) { return p == w; });
}

bool is_within(const IpPrefix& part, const IpPrefix& whole) {
  return whole.length <= part.length && whole.contains(part.address);
}

bool covers_source(const Suppression& whole, const Suppression& part) {
  if (whole.outside || part.outside) {
    return !whole.outside && whole.sources.empty();
  }
  return covers(whole.sources, part.sources, is_within);
}

bool covers_responder(const Suppression& whole, const Suppression& part) {
  if (whole.responder_addresses.empty() && whole.responder_macs.empty()) {
    return true;
  }
  const auto listed = [](const auto& w, const auto& p, auto within) {
    return p.empty() || (!w.empty() && covers(w, p, within));
  };
  return !(part.responder_addresses.empty() && part.responder_macs.empty()) &&
         listed(whole.responder_addresses, part.responder_addresses, is_within) &&
         listed(whole.responder_macs, part.responder_macs,
                [](const MacAddress& p, const MacAddress& w) { return p == w; });
}

bool covers_rules(const Suppression& whole, const Suppression& part) {
  return !whole.by_rule || (part.by_rule && !part.rules.empty() &&
                            std::includes(whole.rules.begin(), whole.rules.end(),
                                          part.rules.begin(), part.rules.end()));
}

bool covers(const Suppression& earlier, const Suppression& later) {
  return covers_source(earlier, later) && covers(earlier.outer, later.outer, is_within) &&
         covers(earlier.vlans, later.vlans,
                [](const VlanRange& p, const VlanRange& w) {
                  return w.first <= p.first && p.last <= w.last;
                }) &&
         covers(earlier.endpoints, later.endpoints) &&
         covers(earlier.destinations, later.destinations, is_within) &&
         covers_responder(earlier, later) && covers(earlier.user_agents, later.user_agents) &&
         covers_rules(earlier, later) && earlier.from <= later.from &&
         later.until <= earlier.until && covers(earlier.daily, later.daily);
}

bool any_of_family(const std::vector<IpPrefix>& prefixes, bool v4) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [v4](const IpPrefix& p) { return p.address.is_v4() == v4; });
}

bool share_a_family(const std::vector<IpPrefix>& a, const std::vector<IpPrefix>& b) {
  return (any_of_family(a, true) && any_of_family(b, true)) ||
         (any_of_family(a, false) && any_of_family(b, false));
}

bool overlap(const std::vector<IpPrefix>& a, const std::vector<IpPrefix>& b) {
  return std::any_of(a.begin(), a.end(), [&](const IpPrefix& p) {
    return std::any_of(b.begin(), b.end(),
                       [&](const IpPrefix& q) { return is_within(p, q) || is_within(q, p); });
  });
}

std::vector<IpPrefix> addresses_of_endpoints(const Options& options, const Suppression& s) {
  std::vector<IpPrefix> all;
  for (const Endpoint& endpoint : options.endpoints) {
    if (std::find(s.endpoints.begin(), s.endpoints.end(), endpoint.name) != s.endpoints.end()) {
      all.insert(all.end(), endpoint.prefixes.begin(), endpoint.prefixes.end());
    }
  }
  return all;
}

bool is_everywhere(const std::vector<IpPrefix>& prefixes, bool v4) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [v4](const IpPrefix& p) { return p.length == 0 && p.address.is_v4() == v4; });
}

}  // namespace

Status check_suppression(const Suppression& s, std::set<std::string>& names) {
  const std::string name = '"' + s.name + '"';
  if (s.name.empty()) {
    return fail(ErrorKind::config, "a suppression has no name");
  }
  if (!names.insert(s.name).second) {
    return fail(ErrorKind::config, "suppression " + name + " is configured twice");
  }
  if (!has_criterion(s)) {
    return fail(ErrorKind::config, "suppression " + name +
                                       " would hide everything: give sources, vlans, endpoints or "
                                       "another criterion besides time");
  }
  for (const VlanRange& range : s.vlans) {
    if (range.first > range.last || range.last > kHighestVlan) {
      return fail(ErrorKind::config,
                  "suppression " + name + ": VLANs " + std::to_string(range.first) + '-' +
                      std::to_string(range.last) + "; expected an ascending range within 0-4095");
    }
  }
  return {};
}

std::optional<std::size_t> find_cover(const std::vector<Suppression>& all, std::size_t index) {
  for (std::size_t i = 0; i < index; ++i) {
    if (covers(all[i], all[index])) {
      return i;
    }
  }
  return std::nullopt;
}

std::string why_never(const Options& options, const Suppression& s) {
  if (!s.never_because.empty()) {
    return s.never_because;
  }
  if (options.now != Timestamp{} && s.until <= options.now) {
    return "it ended at " + to_rfc3339(s.until);
  }
  if (s.outside && is_everywhere(s.sources, true) && is_everywhere(s.sources, false)) {
    return "no client is outside of its networks";
  }
  const std::vector<IpPrefix> endpoints = addresses_of_endpoints(options, s);
  if (!s.outside && !s.sources.empty()) {
    if (!s.destinations.empty() && !share_a_family(s.sources, s.destinations)) {
      return "its sources and destinations are of different address families";
    }
    if (!endpoints.empty() && !share_a_family(s.sources, endpoints)) {
      return "its sources and endpoints are of different address families";
    }
  }
  if (!s.destinations.empty() && !endpoints.empty() && !overlap(s.destinations, endpoints)) {
    return "no address of its endpoints is among its destinations";
  }
  if (!s.responder_addresses.empty() && s.responder_macs.empty() && !s.destinations.empty() &&
      !overlap(s.responder_addresses, s.destinations)) {
    return "no responder is among its destinations";
  }
  return {};
}

}  // namespace imds::classify
