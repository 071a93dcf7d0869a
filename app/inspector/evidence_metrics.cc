#include "evidence_metrics.h"

#include <string>
#include <utility>

#include "counter_value.h"
#include "detect/evidence.h"

namespace imds::inspector {

namespace {

using metrics::Family;
using metrics::Samples;

void add_memory(Samples& samples, const std::string& worker, const detect::Evidence& evidence) {
  const evidence::DnsStreams& streams = evidence.dns_streams();
  samples.add(Family::address_claims_cut_total, {worker},
              as_double(evidence.counters().claims_cut));
  samples.add(Family::owner_entries, {worker}, as_double(evidence.owners().counters().entries));
  samples.add(Family::owner_capacity_entries, {worker},
              static_cast<double>(evidence.owners().capacity()));
  samples.add(Family::owners_evicted_total, {worker},
              as_double(evidence.owners().counters().evicted));
  samples.add(Family::answers_forgotten_total, {worker},
              static_cast<double>(evidence.answers_told().evicted()));
  const std::pair<const char*, const Counter*> outcomes[] = {
      {"completed", &streams.counters().copied},
      {"given_up", &streams.counters().given_up},
      {"evicted", &streams.counters().evicted}};
  for (const auto& [outcome, counter] : outcomes) {
    samples.add(Family::dns_stream_messages_total, {worker, outcome}, as_double(*counter));
  }
  samples.add(Family::dns_streams_open, {worker}, as_double(streams.counters().open));
  samples.add(Family::dns_streams_capacity, {worker}, static_cast<double>(streams.capacity()));
}

// Of all workers together, what `counter` finds in one's.
template <typename Find>
double sum_evidence(const Engine& engine, Find&& counter) {
  double sum = 0;
  for (std::size_t w = 0; w < engine.worker_count(); ++w) {
    sum += as_double(counter(engine.worker(w).inspector().evidence().counters()));
  }
  return sum;
}

}  // namespace

void add_evidence(Samples& samples, const Engine& engine) {
  using Counters = detect::EvidenceCounters;
  const auto add = [&](Family family, std::string_view kind, auto counter) {
    samples.add(family, {kind}, sum_evidence(engine, counter));
  };
  for (std::size_t source = 0; source < detect::kEvidenceSourceCount; ++source) {
    const std::string_view kind = name(static_cast<detect::EvidenceSource>(source));
    for (std::size_t outcome = 0; outcome < detect::kEvidenceOutcomeCount; ++outcome) {
      samples.add(Family::evidence_messages_total,
                  {kind, name(static_cast<detect::EvidenceOutcome>(outcome))},
                  sum_evidence(engine, [&](const Counters& c) -> const Counter& {
                    return c.messages[source][outcome];
                  }));
    }
    add(Family::default_routes_total, kind,
        [&](const Counters& c) -> const Counter& { return c.default_routes[source]; });
  }
  for (std::size_t outcome = 0; outcome < detect::kDnsOutcomeCount; ++outcome) {
    add(Family::dns_messages_total, name(static_cast<detect::DnsOutcome>(outcome)),
        [&](const Counters& c) -> const Counter& { return c.dns_messages[outcome]; });
  }
  for (std::size_t kind = 1; kind < event::kClaimKindCount; ++kind) {
    add(Family::address_claims_total, event::name(static_cast<event::ClaimKind>(kind)),
        [&](const Counters& c) -> const Counter& { return c.claims[kind]; });
  }
  for (std::size_t kind = 1; kind < event::kAnswerCount; ++kind) {
    add(Family::endpoint_answers_total, event::name(static_cast<event::Answer>(kind)),
        [&](const Counters& c) -> const Counter& { return c.answers[kind]; });
  }
  for (std::size_t w = 0; w < engine.worker_count(); ++w) {
    add_memory(samples, std::to_string(w), engine.worker(w).inspector().evidence());
  }
}

}  // namespace imds::inspector
