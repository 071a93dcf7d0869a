#include "detect/policy.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace imds::detect {

void Policy::number_rules(const Policy* former) {
  constexpr std::size_t kNumbers = 65536;
  static_assert(rules::kMaxRules < kNumbers);
  std::unordered_map<std::string_view, std::uint16_t> known;
  for (std::size_t i = 0; former != nullptr && i < former->rules->size(); ++i) {
    known.emplace(former->rules->info(i).id, former->rule_identities[i]);
  }
  std::vector<bool> taken(kNumbers);
  std::vector<std::size_t> unknown;
  rule_identities.assign(rules->size(), 0);
  for (std::size_t i = 0; i < rules->size(); ++i) {
    if (const auto found = known.find(rules->info(i).id); found != known.end()) {
      rule_identities[i] = found->second;
      taken[found->second] = true;
    } else {
      unknown.push_back(i);
    }
  }
  if (former != nullptr && former->rules->size() + unknown.size() < kNumbers) {
    for (const std::uint16_t number : former->rule_identities) {
      taken[number] = true;  // those that are gone as well, while there are others
    }
  }
  next_identity = former != nullptr ? former->next_identity : 0;
  for (const std::size_t rule : unknown) {
    while (taken[next_identity]) {
      ++next_identity;
    }
    rule_identities[rule] = next_identity++;
  }
}

void Policy::name_endpoints(const std::vector<classify::Endpoint>& endpoints) {
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    endpoint_names.push_back(endpoints[i].name);
    for (const IpPrefix& prefix : endpoints[i].prefixes) {
      endpoint_prefixes.push_back({prefix, static_cast<std::uint16_t>(i)});
    }
  }
  std::stable_sort(endpoint_prefixes.begin(), endpoint_prefixes.end(),
                   [](const EndpointPrefix& a, const EndpointPrefix& b) {
                     return a.prefix.length > b.prefix.length;
                   });
}

std::uint16_t Policy::endpoint_of(const IpAddress& address) const {
  const auto found =
      std::find_if(endpoint_prefixes.begin(), endpoint_prefixes.end(),
                   [&](const EndpointPrefix& entry) { return entry.prefix.contains(address); });
  return found == endpoint_prefixes.end() ? classify::kNoEndpoint : found->endpoint;
}

std::uint16_t Policy::endpoint_within(const IpPrefix& network) const {
  const auto overlaps = [&](const EndpointPrefix& entry) {
    return network.length <= entry.prefix.length ? network.contains(entry.prefix.address)
                                                 : entry.prefix.contains(network.address);
  };
  const auto found = std::find_if(endpoint_prefixes.begin(), endpoint_prefixes.end(), overlaps);
  return found == endpoint_prefixes.end() ? classify::kNoEndpoint : found->endpoint;
}

Result<std::shared_ptr<const Policy>> Policy::create(std::shared_ptr<const rules::RuleSet> rules,
                                                     const classify::Options& classes,
                                                     const Policy* former, KnownParties known) {
  auto policy = std::make_shared<Policy>();
  auto suppressions = classify::SuppressionSet::create(classes);
  if (!suppressions) {
    return pass_on(suppressions);
  }
  policy->suppressions = std::move(*suppressions);
  if (former != nullptr && former->classifier->is_made_of(classes)) {
    policy->classifier = former->classifier;
  } else {
    auto classifier = classify::Classifier::create(classes, -1);
    if (!classifier) {
      return pass_on(classifier);
    }
    policy->classifier = std::move(*classifier);
  }
  policy->name_endpoints(classes.endpoints);
  if (rules->compares(event::FieldId::network_direction)) {
    policy->own_networks.emplace(known.own_networks);
  }
  policy->clients = std::move(known.clients);
  policy->accounts = std::move(known.accounts);
  policy->rules = std::move(rules);
  policy->number_rules(former);
  return std::shared_ptr<const Policy>(std::move(policy));
}

Result<std::unique_ptr<PolicySeat>> PolicySeat::create(std::shared_ptr<const Policy> policy,
                                                       const PolicySeat* former) {
  auto evaluator =
      rules::Evaluator::create(policy->rules, former != nullptr ? &former->evaluator_ : nullptr);
  if (!evaluator) {
    return pass_on(evaluator);
  }
  std::unique_ptr<PolicySeat> seat(new PolicySeat(std::move(policy), std::move(*evaluator)));
  for (std::size_t i = 0; i < seat->policy().suppressions.size(); ++i) {
    auto counter =
        former != nullptr ? former->find_counter(seat->policy().suppressions.name(i)) : nullptr;
    seat->suppressed_.push_back(counter != nullptr ? counter : std::make_shared<Counter>());
  }
  return seat;
}

std::shared_ptr<Counter> PolicySeat::find_counter(const std::string& suppression) const {
  for (std::size_t i = 0; i < suppressed_.size(); ++i) {
    if (policy_->suppressions.name(i) == suppression) {
      return suppressed_[i];
    }
  }
  return nullptr;
}

}  // namespace imds::detect
