#include "prefix_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "classify/classifier.h"

namespace imds::classify {

namespace {

// A prefix sorts directly after those that cover it: families apart, then address, then length.
struct CoveringFirst {
  bool operator()(const IpPrefix& a, const IpPrefix& b) const {
    return std::tie(a.address.family, a.address.bytes, a.length) <
           std::tie(b.address.family, b.address.bytes, b.length);
  }
};
using ClassOfPrefix = std::map<IpPrefix, AddressClass, CoveringFirst>;

Status add_endpoints(const std::vector<Endpoint>& endpoints, ClassOfPrefix& prefixes) {
  if (endpoints.size() >= kNoEndpoint) {
    return fail(ErrorKind::config,
                "more than " + std::to_string(kNoEndpoint - 1) + " endpoints are configured");
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (!names.insert(endpoints[i].name).second) {
      return fail(ErrorKind::config, "endpoint \"" + endpoints[i].name + "\" is configured twice");
    }
    for (const IpPrefix& prefix : endpoints[i].prefixes) {
      AddressClass& c = prefixes[prefix];
      if (c.is_endpoint() && c.endpoint != i) {
        return fail(ErrorKind::config, "endpoints \"" + endpoints[c.endpoint].name + "\" and \"" +
                                           endpoints[i].name + "\" both have the prefix " +
                                           prefix.to_string());
      }
      c.endpoint = static_cast<std::uint16_t>(i);
    }
  }
  return {};
}

Status add_suppressions(const std::vector<Suppression>& suppressions, ClassOfPrefix& prefixes) {
  if (suppressions.size() > kMaxSuppressions) {
    return fail(ErrorKind::config, std::to_string(suppressions.size()) +
                                       " suppressions are configured; at most " +
                                       std::to_string(kMaxSuppressions) + " are possible");
  }
  for (std::size_t i = 0; i < suppressions.size(); ++i) {
    for (const IpPrefix& prefix : suppressions[i].sources) {
      prefixes[prefix].suppressions.set(i);
    }
  }
  return {};
}

// What a covering prefix says holds for the covered one too, except that the longest prefix
// decides the endpoint.
void inherit(AddressClass& to, const AddressClass& from) {
  for (std::size_t i = 0; i < to.suppressions.words.size(); ++i) {
    to.suppressions.words[i] |= from.suppressions.words[i];
  }
  if (!to.is_endpoint()) {
    to.endpoint = from.endpoint;
  }
  to.named_as_destination = to.named_as_destination || from.named_as_destination;
  to.named_as_source = to.named_as_source || from.named_as_source;
}

// In this order the prefixes that cover one are what is left on the stack once those that do not
// are popped, the longest on top, itself complete.
void inherit_from_covering(ClassOfPrefix& prefixes) {
  std::vector<std::pair<const IpPrefix*, const AddressClass*>> covering;
  for (auto& [prefix, address_class] : prefixes) {
    while (!covering.empty() && !covering.back().first->contains(prefix.address)) {
      covering.pop_back();
    }
    if (!covering.empty()) {
      inherit(address_class, *covering.back().second);
    }
    covering.emplace_back(&prefix, &address_class);
  }
}

void place(const IpPrefix& prefix, std::uint32_t class_id, PrefixPlan& plan) {
  const bool is_v4 = prefix.address.is_v4();
  if (prefix.length == 0) {
    (is_v4 ? plan.default_v4 : plan.default_v6) = class_id;
  } else {
    (is_v4 ? plan.v4 : plan.v6).push_back({prefix, class_id});
  }
}

}  // namespace

Result<PrefixPlan> plan_prefixes(const Options& options) {
  ClassOfPrefix prefixes;
  if (auto added = add_endpoints(options.endpoints, prefixes); !added) {
    return pass_on(added);
  }
  if (auto added = add_suppressions(options.suppressions, prefixes); !added) {
    return pass_on(added);
  }
  for (const IpPrefix& prefix : options.destination_prefixes) {
    prefixes[prefix].named_as_destination = true;
  }
  for (const IpPrefix& prefix : options.source_prefixes) {
    prefixes[prefix].named_as_source = true;
  }
  inherit_from_covering(prefixes);

  PrefixPlan plan;
  std::map<AddressClass, std::uint32_t> ids{{AddressClass{}, kNoClass}};
  plan.classes.emplace_back();
  for (const auto& [prefix, address_class] : prefixes) {
    const auto [known, is_new] =
        ids.try_emplace(address_class, static_cast<std::uint32_t>(plan.classes.size()));
    if (is_new) {
      plan.classes.push_back(address_class);
    }
    place(prefix, known->second, plan);
  }
  if (plan.classes.size() > kMaxClasses) {
    return fail(ErrorKind::config,
                "the configured prefixes make " + std::to_string(plan.classes.size()) +
                    " classes of addresses; at most " + std::to_string(kMaxClasses) +
                    " are possible: merge suppressions or endpoints");
  }
  return plan;
}

std::uint32_t count_tbl8_groups(std::span<const PlannedPrefix> prefixes) {
  // A group stands behind each distinct beginning of 24, 32, 40… bits that some longer prefix has.
  std::set<IpPrefix> groups;
  for (const PlannedPrefix& planned : prefixes) {
    IpPrefix beginning = planned.prefix;
    for (unsigned bits = 24; bits < planned.prefix.length; bits += 8) {
      beginning.length = static_cast<std::uint8_t>(bits);
      beginning.address.bytes = {};
      std::copy_n(planned.prefix.address.bytes.begin(), bits / 8, beginning.address.bytes.begin());
      groups.insert(beginning);
    }
  }
  return static_cast<std::uint32_t>(groups.size());
}

}  // namespace imds::classify
