#include "metrics_exchanges.h"

#include <array>
#include <utility>

#include "counter_value.h"

namespace imds::inspector {

namespace {

using metrics::Family;
using metrics::Samples;

}  // namespace

void add_exchanges(Samples& samples, const std::string& worker,
                   const detect::Inspector& inspector) {
  const detect::Counters& d = inspector.counters();
  const std::pair<const char*, const Counter*> answers[] = {
      {"read", &d.answers},
      {"interim", &d.answers_interim},
      {"unparsable", &d.answers_unparsable},
      {"incomplete", &d.answers_incomplete},
      {"without_request", &d.answers_without_request},
      {"waited", &d.answers_waited},
      {"waited_in_vain", &d.answers_waited_in_vain}};
  for (const auto& [kind, counter] : answers) {
    samples.add(Family::answers_total, {worker, kind}, as_double(*counter));
  }
  constexpr std::array<const char*, evidence::kBodyLossCount> kLosses = {
      "too_large", "not_decoded", "broken", "gap", "unfinished"};
  samples.add(Family::answer_bodies_total, {worker, "read"}, as_double(d.bodies_read));
  samples.add(Family::answer_bodies_total, {worker, "whole"}, as_double(d.bodies_whole));
  for (std::size_t i = 0; i < kLosses.size(); ++i) {
    samples.add(Family::answer_bodies_total, {worker, kLosses[i]}, as_double(d.bodies_lost[i]));
  }
  samples.add(Family::answer_bodies_total, {worker, "json_too_deep"}, as_double(d.json_too_deep));
  for (std::size_t i = 1; i < event::kDeliveredCount; ++i) {
    samples.add(Family::deliveries_total,
                {worker, std::string(name(static_cast<event::Delivered>(i)))},
                as_double(d.deliveries[i]));
  }
  constexpr std::array<const char*, detect::kHelloOutcomeCount> kHellos = {"aws", "other",
                                                                           "nameless", "unread"};
  for (std::size_t i = 0; i < kHellos.size(); ++i) {
    samples.add(Family::client_hellos_total, {worker, kHellos[i]}, as_double(d.hellos[i]));
  }
  samples.add(Family::tokens_issued_total, {worker}, as_double(d.tokens_issued));
  const detect::Exchanges::Counters& exchanges = inspector.exchanges().counters();
  samples.add(Family::exchanges, {worker}, as_double(exchanges.open));
  samples.add(Family::exchange_capacity, {worker}, as_double(exchanges.capacity));
  samples.add(Family::exchanges_evicted_total, {worker}, as_double(exchanges.evicted));
  samples.add(Family::requests_unnoted_total, {worker, "queue"}, as_double(d.requests_unnoted));
  samples.add(Family::requests_unnoted_total, {worker, "text"}, as_double(d.request_texts_cut));
}

}  // namespace imds::inspector
