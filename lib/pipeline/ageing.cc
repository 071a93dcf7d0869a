// The worker's part for flows and streams whose time is over.
#include <algorithm>

#include "pipeline/worker.h"

namespace imds::pipeline {

namespace {

// Every flow's age is looked at once in so much time of the packets, but of no more flows than
// these after each burst.
constexpr std::int64_t kAgeingRoundNs = 4 * kNanosPerSecond;
constexpr std::uint32_t kAgeingBudget = 32;
// Streams given up waiting for after each burst.
constexpr std::uint32_t kWaitingBudget = 64;

}  // namespace

// How many flows to look at, so that a round over all of them takes kAgeingRoundNs. Looking at one
// fetches a line of its entry from memory: more than that would cost every packet dearly.
std::uint32_t Worker::ageing_due(Timestamp now) {
  const std::int64_t passed = std::clamp<std::int64_t>(now.ns - aged_at_.ns, 0, kAgeingRoundNs);
  aged_at_ = now;
  // At most 2^30 flows by 2^32 ns, and never more than one round.
  const std::uint64_t used = flows_.used();
  ageing_debt_ = std::min(ageing_debt_ + static_cast<std::uint64_t>(passed) * used,
                          static_cast<std::uint64_t>(kAgeingRoundNs) * used);
  const std::uint64_t due = std::min<std::uint64_t>(ageing_debt_ / kAgeingRoundNs, kAgeingBudget);
  ageing_debt_ -= due * kAgeingRoundNs;
  return static_cast<std::uint32_t>(due);
}

void Worker::age(flow::Seconds now, std::uint32_t budget) {
  defragmenter_.expire(now, std::max(budget, kAgeingBudget));
  flows_.expire(now, budget, [this](FlowTable::Entry& entry, flow::Removal) { end_flow(entry); });
}

// Streams that wait for bytes which do not come, without another packet of their flow.
void Worker::give_up_waiting(Timestamp now) {
  for (std::uint32_t left = kWaitingBudget; left > 0; --left) {
    detect::FlowState* const waiting = inspector_->overdue(now);
    if (waiting == nullptr) {
      return;
    }
    const FlowTable::Entry& entry = flow::entry_of(*waiting);
    const packet::PacketView view = inspector_->packet_of(entry.key, *waiting);
    inspector_->give_up_waiting(*waiting, context_of(view, waiting->ingress_port));
  }
}

void Worker::end_flow(FlowTable::Entry& entry) {
  if (!entry.state.has_unfinished_head()) {
    inspector_->end_flow(entry.state);
    return;
  }
  const packet::PacketView view = inspector_->packet_of(entry.key, entry.state);
  inspector_->end_flow(entry.state, context_of(view, entry.state.ingress_port),
                       entry.state.last.direction);
}

}  // namespace imds::pipeline
