// What is looked for, as one immutable value that a reload replaces as a whole: the rules, the
// addresses they and the configuration name, and what is suppressed; and what each worker needs of
// its own to judge by it.
//
// Threads: a Policy is immutable once created and shared by all workers. A PolicySeat belongs to
// one worker; its counters may be read by anyone. Both are created and destroyed by a control
// thread known to EAL, never by a worker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "classify/classifier.h"
#include "classify/suppression.h"
#include "event/direction.h"
#include "evidence/clients.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"

namespace imds::detect {

// An address, or a network of them, that an endpoint answers on.
struct EndpointPrefix {
  IpPrefix prefix;
  std::uint16_t endpoint = classify::kNoEndpoint;  // index
};

// What the configuration knows of clients, accounts, and its own networks, which
// network.direction is seen from (none: as event::OwnNetworks has it).
struct KnownParties {
  evidence::ClientKinds clients;
  evidence::ExpectedAccounts accounts;
  std::vector<IpPrefix> own_networks = {};
};

struct Policy {
  std::shared_ptr<const rules::RuleSet> rules;
  std::shared_ptr<const classify::Classifier> classifier;
  classify::SuppressionSet suppressions;
  std::vector<std::string> endpoint_names;         // by classify's endpoint index
  std::vector<EndpointPrefix> endpoint_prefixes;   // longest first
  std::optional<event::OwnNetworks> own_networks;  // only if some rule asks for network.direction
  evidence::ClientKinds clients;
  evidence::ExpectedAccounts accounts;
  // Per rule, what flows remember of it: the number that the rule with the same id had in the
  // generation before. Numbers of rules that are gone are given out again last.
  std::vector<std::uint16_t> rule_identities;
  std::uint16_t next_identity = 0;

  [[nodiscard]] std::uint32_t generation() const { return rules->generation(); }
  // Fills endpoint_names and endpoint_prefixes.
  void name_endpoints(const std::vector<classify::Endpoint>& endpoints);
  // The endpoint that an address is one of, or kNoEndpoint. For what no packet was sent to or from:
  // the addresses of packets have been classified.
  [[nodiscard]] std::uint16_t endpoint_of(const IpAddress& address) const;
  // The endpoint, of those with the longest prefix, that a network covers or lies in.
  [[nodiscard]] std::uint16_t endpoint_within(const IpPrefix& network) const;

  // Fills rule_identities; `former` is the policy to be replaced, if there is one.
  void number_rules(const Policy* former);

  // `classes` holds the prefixes the rules name. A classifier that maps every address as that of
  // `former`, the policy to be replaced, is shared with it. Errors: those of Classifier::create()
  // and SuppressionSet::create().
  [[nodiscard]] static Result<std::shared_ptr<const Policy>> create(
      std::shared_ptr<const rules::RuleSet> rules, const classify::Options& classes,
      const Policy* former = nullptr, KnownParties known = {});
};

class PolicySeat {
 public:
  // Counters go on where `former`, the seat of the same worker, has them; those of a suppression
  // or filter that is new by its name begin at zero. Errors: environment (no memory for the
  // matcher).
  [[nodiscard]] static Result<std::unique_ptr<PolicySeat>> create(
      std::shared_ptr<const Policy> policy, const PolicySeat* former = nullptr);

  [[nodiscard]] const Policy& policy() const { return *policy_; }
  [[nodiscard]] rules::Evaluator& evaluator() { return evaluator_; }
  [[nodiscard]] const rules::EvaluatorCounters& rule_counters() const {
    return evaluator_.counters();
  }
  // Rule hits that a Sigma filter of the policy's rules withheld.
  [[nodiscard]] std::uint64_t filtered(std::size_t filter) const {
    return evaluator_.withheld(filter);
  }
  // Rule hits withheld, by suppression; written by the worker.
  [[nodiscard]] Counter& suppressed(std::size_t suppression) { return *suppressed_[suppression]; }
  [[nodiscard]] const Counter& suppressed(std::size_t suppression) const {
    return *suppressed_[suppression];
  }

 private:
  [[nodiscard]] std::shared_ptr<Counter> find_counter(const std::string& suppression) const;
  PolicySeat(std::shared_ptr<const Policy> policy, rules::Evaluator evaluator)
      : policy_(std::move(policy)), evaluator_(std::move(evaluator)) {}

  std::shared_ptr<const Policy> policy_;
  rules::Evaluator evaluator_;
  std::vector<std::shared_ptr<Counter>> suppressed_;
};

}  // namespace imds::detect
