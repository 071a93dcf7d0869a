#include "pipeline/policy_switch.h"

#include <algorithm>
#include <utility>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

namespace imds::pipeline {

Result<std::unique_ptr<PolicySwitch>> PolicySwitch::create(
    std::shared_ptr<const detect::Policy> first, unsigned workers) {
  auto* const passed = static_cast<rte_rcu_qsbr*>(
      rte_zmalloc("imds_rcu", rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE));
  if (passed == nullptr) {
    return fail(ErrorKind::environment,
                "no memory to follow the workers: raise memory.limit_mib or reserve hugepages");
  }
  std::unique_ptr<PolicySwitch> made(new PolicySwitch(passed));
  rte_rcu_qsbr_init(passed, workers);
  for (unsigned w = 0; w < workers; ++w) {
    // Online from the start: what a worker never looks at is then never taken for left.
    rte_rcu_qsbr_thread_register(passed, w);
    rte_rcu_qsbr_thread_online(passed, w);
  }
  auto edition = std::make_shared<Edition>();
  edition->seats.resize(workers);
  made->current_ = edition;  // no seats yet to take counters over from
  auto prepared = made->prepare(std::move(first));
  if (!prepared) {
    return pass_on(prepared);
  }
  made->current_ = std::move(*prepared);
  made->in_force_.store(made->current_.get(), std::memory_order_release);
  return made;
}

PolicySwitch::~PolicySwitch() {
  rte_free(passed_);
}

Result<std::shared_ptr<Edition>> PolicySwitch::prepare(
    std::shared_ptr<const detect::Policy> policy) const {
  auto edition = std::make_shared<Edition>();
  edition->generation = policy->generation();
  for (const auto& former : current_->seats) {
    auto seat = detect::PolicySeat::create(policy, former.get());
    if (!seat) {
      return pass_on(seat);
    }
    edition->seats.push_back(std::move(*seat));
  }
  edition->policy = std::move(policy);
  return edition;
}

void PolicySwitch::publish(std::shared_ptr<Edition> edition) {
  std::shared_ptr<Edition> former;
  {
    const std::lock_guard lock(mutex_);
    former = std::exchange(current_, std::move(edition));
  }
  in_force_.store(current_.get(), std::memory_order_release);
  published_at_ = rte_rcu_qsbr_start(passed_);
  replaced_.push_back({std::move(former), published_at_});
  held_.set(replaced_.size());
}

std::size_t PolicySwitch::reclaim() {
  const auto is_free = [this](const Replaced& r) {
    return r.edition.use_count() == 1 && rte_rcu_qsbr_check(passed_, r.token, false) == 1;
  };
  replaced_.erase(std::remove_if(replaced_.begin(), replaced_.end(), is_free), replaced_.end());
  held_.set(replaced_.size());
  return replaced_.size();
}

bool PolicySwitch::is_settled() const {
  return rte_rcu_qsbr_check(passed_, published_at_, false) == 1;
}

std::shared_ptr<const Edition> PolicySwitch::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

// First the report, then the pointer: the other way round, an edition published in between would be
// taken for entered.
Edition& PolicySwitch::enter(unsigned worker) {
  rte_rcu_qsbr_quiescent(passed_, worker);
  return *in_force_.load(std::memory_order_acquire);
}

}  // namespace imds::pipeline
