// The policy in force, for all workers, and how another takes its place while they run: one pointer
// is exchanged, and what it pointed to is freed once every worker has reported a quiescent point
// since (rte_rcu_qsbr). Flows hold no pointer into a policy, only its generation, so nothing else
// has to be waited for.
//
// Threads: enter() by each worker for itself, once per burst, without a lock and without waiting.
// create(), prepare(), publish() and reclaim() by one control thread known to EAL. current() and
// held() by anyone.
// Ownership: must outlive the workers. A worker that no longer polls keeps what it entered last
// alive, so stop publishing before the workers stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "detect/policy.h"

struct rte_rcu_qsbr;

namespace imds::pipeline {

// One generation: the policy, and a seat for each worker.
struct Edition {
  std::uint32_t generation = 0;
  std::shared_ptr<const detect::Policy> policy;
  std::vector<std::unique_ptr<detect::PolicySeat>> seats;  // by worker
};

class PolicySwitch {
 public:
  // EAL must be running. Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<PolicySwitch>> create(
      std::shared_ptr<const detect::Policy> first, unsigned workers);
  ~PolicySwitch();
  PolicySwitch(const PolicySwitch&) = delete;
  PolicySwitch& operator=(const PolicySwitch&) = delete;

  // What publish() needs, with every allocation done. Its generation must be another than that of
  // any edition still held. Errors: environment.
  [[nodiscard]] Result<std::shared_ptr<Edition>> prepare(
      std::shared_ptr<const detect::Policy> policy) const;
  // Workers judge by it from their next burst on.
  void publish(std::shared_ptr<Edition> edition);
  // Frees replaced editions that every worker has left and nobody else looks at. Returns how many
  // are still held.
  std::size_t reclaim();
  // Replaced editions not freed yet.
  [[nodiscard]] std::size_t held() const { return held_.get(); }
  // Whether every worker has entered the current edition.
  [[nodiscard]] bool is_settled() const;

  // For everybody but the workers.
  [[nodiscard]] std::shared_ptr<const Edition> current() const;

  // The worker is between two bursts and uses nothing of what it entered before. Valid until it
  // enters again.
  [[nodiscard]] Edition& enter(unsigned worker);

 private:
  struct Replaced {
    std::shared_ptr<const Edition> edition;
    std::uint64_t token;
  };

  explicit PolicySwitch(rte_rcu_qsbr* passed) : passed_(passed) {}

  rte_rcu_qsbr* passed_;
  std::atomic<Edition*> in_force_{nullptr};
  alignas(kCacheLine) mutable std::mutex mutex_;  // guards current_
  std::shared_ptr<Edition> current_;
  std::uint64_t published_at_ = 0;  // token
  std::vector<Replaced> replaced_;
  Counter held_;
};

}  // namespace imds::pipeline
