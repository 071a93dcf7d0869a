#include "pipeline/worker.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "http/probe.h"
#include "port/packet_meta.h"

namespace imds::pipeline {

namespace {

using packet::IpProtocol;

constexpr std::size_t kPrefetchedBytes = 1536;
// Flows whose age is looked at per look at the clock while nothing arrives.
constexpr std::uint32_t kIdleAgeingBudget = 4096;

// Charges the time since it was last asked to one pass; without a place for it, does nothing.
class PassClock {
 public:
  explicit PassClock(PassCycles* out) : out_(out), last_(out != nullptr ? rte_rdtsc() : 0) {}
  void charge(std::uint64_t PassCycles::*pass) {
    if (out_ != nullptr) [[unlikely]] {
      const std::uint64_t now = rte_rdtsc();
      out_->*pass += now - last_;
      last_ = now;
    }
  }

 private:
  PassCycles* out_;
  std::uint64_t last_;
};

bool may_start_tls(std::uint64_t first8) {
  constexpr std::uint64_t kHandshake = 0x0316;  // and the major version
  return (first8 & 0xffff) == kHandshake;
}

// The first 8 bytes, or 0 of a shorter payload. Whether there is payload at all is as good as
// random, and a branch that asks would be foreseen wrongly every third time: so the address is
// chosen by arithmetic that the compiler cannot turn into one.
std::uint64_t first8_of(ByteSpan payload) {
  static constexpr std::uint64_t kNothing = 0;
  std::uintptr_t mask = 0 - std::uintptr_t{payload.size() >= sizeof kNothing};
  __asm__("" : "+r"(mask));
  const auto yes = reinterpret_cast<std::uintptr_t>(payload.data());
  const auto no = reinterpret_cast<std::uintptr_t>(&kNothing);
  std::uint64_t first8;
  std::memcpy(&first8, reinterpret_cast<const void*>((yes & mask) | (no & ~mask)), sizeof first8);
  return first8;
}

// What begins like a request or a TLS handshake will be read to its end; of other payload little
// more is read than the first bytes, which came with the headers. True if it does. A few bytes need
// no fetching.
bool prefetch_head(ByteSpan payload) {
  const std::uint64_t first8 = first8_of(payload);
  if (!http::may_start_http(first8) && !may_start_tls(first8)) {
    return false;
  }
  // Line by line from the first one's beginning, or the last one would be left out.
  const std::size_t before = reinterpret_cast<std::uintptr_t>(payload.data()) % kCacheLine;
  const std::uint8_t* const line = payload.data() - before;
  const std::size_t size = before + std::min(payload.size(), kPrefetchedBytes);
  for (std::size_t at = 0; at < size; at += kCacheLine) {
    rte_prefetch0(line + at);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(const Options& options, PolicySwitch& policies,
                                               detect::FindingRing& findings) {
  const Edition& first = policies.enter(options.index);
  auto inspector =
      detect::Inspector::create(options.inspector, *first.seats[options.index], findings);
  if (!inspector) {
    return pass_on(inspector);
  }
  try {
    return std::unique_ptr<Worker>(new Worker(options, std::move(*inspector), policies, first));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::environment,
                "not enough memory for a worker's tables: lower flow.capacity or "
                "fragments.memory_mib");
  }
}

Worker::Worker(const Options& options, std::unique_ptr<detect::Inspector> inspector,
               PolicySwitch& policies, const Edition& first)
    : key_options_(options.key),
      timeouts_(options.timeouts),
      verify_checksums_(options.verify_checksums),
      // Who wants checksums verified wants every packet decoded whole.
      fast_lane_(options.fast_lane && !options.verify_checksums),
      decode_options_(options.decode),
      index_(options.index),
      handover_(options.handover),
      recorder_(options.recorder()),
      inspector_(std::move(inspector)),
      policies_(policies),
      generation_(first.generation),
      classifier_(first.policy->classifier.get()),
      listens_to_dns_(inspector_->listens_to_dns()),
      flows_(options.flows),
      defragmenter_(fragment_options(options)),
      linear_(std::make_unique_for_overwrite<std::uint8_t[]>(kBurst * kSlotBytes)) {}

flow::DefragmenterOptions Worker::fragment_options(const Options& options) {
  flow::DefragmenterOptions fragments = options.fragments;
  fragments.on_lost = [](void* worker, const packet::PacketView& view, ByteSpan bytes,
                         std::uint16_t ingress_port) {
    static_cast<Worker*>(worker)->lost_datagram(view, bytes, ingress_port);
  };
  fragments.on_lost_context = this;
  return fragments;
}

std::uint32_t Worker::poll(std::span<port::Source* const> sources) {
  std::uint32_t packets = 0;
  Timestamp newest;
  PassClock clock(pass_cycles_);
  enter_policy();
  for (port::Source* source : sources) {
    const std::uint16_t count = source->receive(burst_);
    clock.charge(&PassCycles::receive);
    if (count == 0) {
      continue;
    }
    counters_.packets.add(count);
    ingress_port_ = source->port_index();
    counters_.bytes.add(decode_pass(count));
    clock.charge(&PassCycles::decode);
    classify_pass();
    handover_pass();
    clock.charge(&PassCycles::classify);
    flow_pass();
    sample_flow(count);
    clock.charge(&PassCycles::flow);
    inspect_pass();
    clock.charge(&PassCycles::inspect);
    // Not the first one's: between two packets of a burst hours may have passed.
    newest = std::max(newest, Timestamp{port::meta(burst_[count - 1]).timestamp_ns});
    source->release(std::span<rte_mbuf* const>(burst_).first(count));
    clock.charge(&PassCycles::act);
    packets += count;
  }
  if (handover_ != nullptr) {
    packets += take_over();
  }
  if (newest > Timestamp{}) {
    largest_flow_.tick(newest);
    age(clock_.update(newest), ageing_due(newest));
    give_up_waiting(newest);
  }
  clock.charge(&PassCycles::act);
  return packets;
}

// Everything that takes memory or time was done when the edition was prepared.
void Worker::enter_policy() {
  Edition& now = policies_.enter(index_);
  if (now.generation == generation_) [[likely]] {
    return;
  }
  const std::uint64_t before = rte_rdtsc();
  generation_ = now.generation;
  classifier_ = now.policy->classifier.get();
  inspector_->take(*now.seats[index_]);
  listens_to_dns_ = inspector_->listens_to_dns();
  counters_.policies_taken.add();
  const std::uint64_t spent = rte_rdtsc() - before;
  counters_.taking_cycles.add(spent);
  counters_.longest_taking_cycles.raise_to(spent);
}

void Worker::classify_pass() {
  for (std::uint16_t k = 0; k < whole_count_; ++k) {
    classify_one(whole_[k]);
  }
}

void Worker::classify_one(std::uint16_t i) {
  detect::PacketContext& context = contexts_[i];
  context.source = &classifier_->lookup(context.view->source);
  context.destination = &classifier_->lookup(context.view->destination);
}

// Only what came in a tunnel can be in the wrong place: the rest is where the device put it.
void Worker::handover_pass() {
  if (handover_ == nullptr) {
    return;
  }
  for (std::uint16_t k = 0; k < whole_count_; ++k) {
    const std::uint16_t i = whole_[k];
    if (views_[i].tunnel.path.count != 0 && give_packet(i)) {
      ways_[i] = Way::given;
    }
  }
}

// TCP, and whatever else touches a watched address.
bool Worker::needs_flow(const packet::PacketView& view, const detect::PacketContext& context) {
  return view.reason == DecodeReason::none && view.is_ip() &&
         (view.is(IpProtocol::tcp) || context.touches_watched());
}

void Worker::flow_pass() {
  for (std::uint16_t k = 0; k < whole_count_; ++k) {
    const std::uint16_t i = whole_[k];
    if (ways_[i] == Way::whole && needs_flow(views_[i], contexts_[i])) {
      ways_[i] = Way::keyed;
      directions_[i] = flow::make_key(views_[i], key_options_, keys_[i]);
      hashes_[i] = flows_.hash(keys_[i]);
      flows_.prefetch(hashes_[i]);
      segments_[i].payload = views_[i].payload;
      segments_[i].flags = views_[i].tcp.flags;
    }
  }
  const std::span<const std::uint8_t> todo(todo_.data(), todo_count_);
  for (const std::size_t i : todo) {
    if (ways_[i] == Way::plain || ways_[i] == Way::keyed) {
      candidates_[i] = flows_.candidate(hashes_[i]);
      if (prefetch_head(segments_[i].payload) || segments_[i].begins_or_ends()) {
        flows_.prefetch_rest(candidates_[i]);
      }
    }
  }
}

// One packet of the burst, for the share of the largest flow. Those of no flow of ours (UDP) are
// flows all the same.
void Worker::sample_flow(std::uint16_t count) {
  const std::uint16_t i = largest_flow_.pick(count);
  if (ways_[i] == Way::plain || ways_[i] == Way::keyed) {
    largest_flow_.sample(hashes_[i], count);
    return;
  }
  flow::Key key;
  packet::PlainPacket packet;
  if (ways_[i] == Way::done &&
      packet::read_plain({rte_pktmbuf_mtod(burst_[i], const std::uint8_t*), burst_[i]->data_len},
                         decode_options_.ports, packet)) {
    (void)flow::make_key(packet, key_options_, key);
  } else if (ways_[i] != Way::done && views_[i].is_ip()) {
    (void)flow::make_key(views_[i], key_options_, key);
  } else {
    largest_flow_.sample_without_flow(count);
    return;
  }
  largest_flow_.sample(flows_.hash(key), count);
}

void Worker::run(std::span<port::Source* const> sources, const std::atomic<bool>& stop) {
  const std::uint64_t tsc_hz = rte_get_tsc_hz();
  std::uint64_t before = rte_rdtsc();
  std::uint64_t clock_due = before + tsc_hz;
  while (!stop.load(std::memory_order_relaxed)) {
    const std::uint32_t packets = poll(sources);
    const std::uint64_t after = rte_rdtsc();
    const std::uint64_t spent = after - before;
    before = after;
    counters_.run_cycles.add(spent);
    if (packets > 0) {
      counters_.busy_cycles.add(spent);
    }
    counters_.longest_loop_cycles.raise_to(spent);
    if (packets == 0 && after >= clock_due) {
      clock_due = after + tsc_hz;
      const Timestamp now = wall_clock_now();
      age(clock_.update(now), kIdleAgeingBudget);
      give_up_waiting(now);
      largest_flow_.tick(now);
    }
  }
}

void Worker::finish() {
  finishing_ = true;  // others may be done already
  while (handover_ != nullptr && take_over() > 0) {
  }
  defragmenter_.clear();
  flows_.clear([this](FlowTable::Entry& entry, flow::Removal) { end_flow(entry); });
}

}  // namespace imds::pipeline
