#include "classify/suppression.h"

#include <algorithm>
#include <bit>
#include <set>

namespace imds::classify {

namespace {

constexpr std::uint16_t kHighestVlan = 4095;

std::string quoted(const std::string& name) {
  return '"' + name + '"';
}

Status check(const Suppression& s, std::set<std::string>& names) {
  if (s.name.empty()) {
    return fail(ErrorKind::config, "a suppression has no name");
  }
  if (!names.insert(s.name).second) {
    return fail(ErrorKind::config, "suppression " + quoted(s.name) + " is configured twice");
  }
  if (s.sources.empty() && s.vlans.empty() && s.endpoints.empty() && s.outer.empty()) {
    return fail(ErrorKind::config,
                "suppression " + quoted(s.name) +
                    " would hide everything: give sources, vlans, endpoints or outer "
                    "prefixes");
  }
  for (const VlanRange& range : s.vlans) {
    if (range.first > range.last || range.last > kHighestVlan) {
      return fail(ErrorKind::config,
                  "suppression " + quoted(s.name) + ": VLANs " + std::to_string(range.first) + '-' +
                      std::to_string(range.last) + "; expected an ascending range within 0-4095");
    }
  }
  return {};
}

Result<std::size_t> endpoint_index(const Options& options, const Suppression& s,
                                   const std::string& name) {
  const auto found = std::find_if(options.endpoints.begin(), options.endpoints.end(),
                                  [&](const Endpoint& e) { return e.name == name; });
  if (found == options.endpoints.end()) {
    return fail(ErrorKind::config, "suppression " + quoted(s.name) + " names the endpoint " +
                                       quoted(name) + ", which is not configured");
  }
  return static_cast<std::size_t>(found - options.endpoints.begin());
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

bool is_within(const IpPrefix& part, const IpPrefix& whole) {
  return whole.length <= part.length && whole.contains(part.address);
}

bool covers(const Suppression& earlier, const Suppression& later) {
  return covers(earlier.sources, later.sources, is_within) &&
         covers(earlier.outer, later.outer, is_within) &&
         covers(earlier.vlans, later.vlans,
                [](const VlanRange& p, const VlanRange& w) {
                  return w.first <= p.first && p.last <= w.last;
                }) &&
         covers(earlier.endpoints, later.endpoints,
                [](const std::string& p, const std::string& w) { return p == w; });
}

std::optional<std::size_t> find_cover(const std::vector<Suppression>& all, std::size_t index) {
  for (std::size_t i = 0; i < index; ++i) {
    if (covers(all[i], all[index])) {
      return i;
    }
  }
  return std::nullopt;
}

}  // namespace

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
    if (auto checked = check(s, names); !checked) {
      return pass_on(checked);
    }
    Entry entry{s.name, !s.vlans.empty(), {}, s.outer, find_cover(options.suppressions, i)};
    for (const VlanRange& range : s.vlans) {
      for (unsigned id = range.first; id <= range.last; ++id) {
        entry.vlans[id / 64] |= std::uint64_t{1} << (id % 64);
      }
    }
    made.entries_.push_back(std::move(entry));
    if (s.sources.empty()) {
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
  if (outer.empty()) {
    return true;
  }
  return tunnel.is_set() && std::any_of(outer.begin(), outer.end(), [&](const IpPrefix& prefix) {
           return prefix.contains(tunnel.source) || prefix.contains(tunnel.destination);
         });
}

std::optional<std::uint16_t> SuppressionSet::match(const AddressClass& client,
                                                   const packet::VlanStack& vlans,
                                                   std::uint16_t endpoint,
                                                   const Tunnel& tunnel) const {
  const SuppressionBits& here =
      endpoint < by_endpoint_.size() ? by_endpoint_[endpoint] : no_endpoint_;
  for (std::size_t word = 0; word * 64 < entries_.size(); ++word) {
    std::uint64_t candidates =
        (client.suppressions.words[word] | any_source_.words[word]) & here.words[word];
    for (; candidates != 0; candidates &= candidates - 1) {
      const std::size_t index = word * 64 + static_cast<unsigned>(std::countr_zero(candidates));
      if (entries_[index].lists(vlans) && entries_[index].lists(tunnel)) {
        return static_cast<std::uint16_t>(index);
      }
    }
  }
  return std::nullopt;
}

}  // namespace imds::classify
