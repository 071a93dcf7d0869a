#include "detect/exchanges.h"

#include <algorithm>

#include "base/age_list.h"
#include "detect/flow_state.h"

namespace imds::detect {

Exchanges::Exchanges(std::size_t slots, std::size_t inflaters, flow::Arena& arena)
    : arena_(arena),
      inflaters_(inflaters),
      slots_(std::clamp<std::size_t>(slots, 1, kMostSlots)),
      order_(slots_.size()) {
  free_.reserve(slots_.size());
  for (auto slot = static_cast<std::uint32_t>(slots_.size()); slot > 0; --slot) {
    free_.push_back(slot - 1);
  }
  counters_.capacity.set(slots_.size());
}

void Exchanges::link(std::uint32_t slot) {
  imds::link_newest(order_, slot, oldest_, newest_);
}

void Exchanges::unlink(std::uint32_t slot) {
  imds::unlink(order_, slot, oldest_, newest_);
}

void Exchanges::free_slot(std::uint32_t slot) {
  Exchange& e = slots_[slot];
  unlink(slot);
  for (RequestNote& note : e.waiting) {
    drop(note);
  }
  drop(e.answer);
  e.owner = nullptr;
  free_.push_back(slot);
  counters_.open.set(counters_.open.get() - 1);
}

Exchange& Exchanges::open(FlowState& owner) {
  if (Exchange* const known = find(owner); known != nullptr) {
    return *known;
  }
  if (free_.empty()) {
    free_slot(oldest_);
    counters_.evicted.add();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Exchange& e = slots_[slot];
  e.first = e.count = 0;
  e.unnoted = 0;
  e.answers = 0;
  e.held_packets = 0;
  e.owner = &owner;
  owner.exchange = static_cast<std::uint16_t>(slot);
  link(slot);
  counters_.open.add();
  return e;
}

Exchange* Exchanges::find(const FlowState& owner) {
  const std::uint32_t slot = owner.exchange;
  if (slot >= slots_.size() || slots_[slot].owner != &owner) {
    return nullptr;
  }
  if (newest_ != slot) {
    unlink(slot);
    link(slot);
  }
  return &slots_[slot];
}

void Exchanges::close(FlowState& owner) {
  const std::uint32_t slot = owner.exchange;
  owner.exchange = FlowState::kNoExchange;
  if (slot < slots_.size() && slots_[slot].owner == &owner) {
    free_slot(slot);
  }
}

bool Exchanges::add(Exchange& exchange, const RequestNote& note) {
  if (exchange.unnoted > 0 || exchange.count == exchange.waiting.size()) {
    exchange.unnoted += exchange.unnoted < UINT16_MAX ? 1 : 0;
    return false;
  }
  exchange.waiting[(exchange.first + exchange.count) % exchange.waiting.size()] = note;
  ++exchange.count;
  return true;
}

void Exchanges::drop(Answer& answer) {
  answer.body.end();
  drop(answer.request);
  answer.has_request = false;
  answer.is_open = false;
}

}  // namespace imds::detect
