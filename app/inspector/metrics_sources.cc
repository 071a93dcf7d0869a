#include "metrics_sources.h"

#include <algorithm>
#include <string>
#include <utility>

#include <rte_cycles.h>
#include <rte_version.h>

#include "build_config.h"
#include "counter_value.h"
#include "evidence_capture.h"
#include "evidence_metrics.h"
#include "match/database.h"
#include "metrics_exchanges.h"

namespace imds::inspector {

namespace {

using metrics::Family;
using metrics::Samples;

double cycles_to_seconds(const Counter& counter) {
  return as_double(counter) / static_cast<double>(rte_get_tsc_hz());
}

void add_process(Samples& samples, const MetricSources& sources) {
  samples.add(Family::build_info, {kVersion, kRevision, rte_version(), match::library_version()},
              1);
  samples.add(Family::start_time_seconds, static_cast<double>(sources.start.ns) / 1e9);
}

void add_rules(Samples& samples, const MetricSources& sources) {
  const auto policy = sources.engine->policy();
  const rules::RuleSet& rules = *policy->rules;
  samples.add(Family::ruleset_rules, static_cast<double>(rules.size()));
  samples.add(Family::ruleset_generation, rules.generation());
  samples.add(Family::ruleset_parses_every_head, rules.parses_every_head() ? 1 : 0);
  samples.add(Family::ruleset_generations_held,
              static_cast<double>(sources.engine->generations_held()));
  ReloadStatus status;
  status.last_success = sources.start;
  if (sources.reloader != nullptr) {
    status = sources.reloader->status();
  }
  samples.add(Family::reload_success, status.success ? 1 : 0);
  samples.add(Family::reload_last_success_time_seconds,
              static_cast<double>(status.last_success.ns) / 1e9);
  samples.add(Family::reload_duration_seconds, status.seconds);
  samples.add(Family::reloads_total, {"success"}, static_cast<double>(status.succeeded));
  samples.add(Family::reloads_total, {"failure"}, static_cast<double>(status.failed));
}

// Sums the sources (queues) of one port.
struct SourceTotals {
  double packets = 0;
  double bytes = 0;
  double transmitted = 0;
  double refused = 0;
  double truncated = 0;
  std::uint64_t last_packet_ns = 0;
};

void add_source(SourceTotals& t, const port::Source& source) {
  const port::SourceStats& stats = source.stats();
  t.packets += as_double(stats.received_packets);
  t.bytes += as_double(stats.received_bytes);
  t.transmitted += as_double(stats.transmitted_packets);
  t.refused += as_double(stats.transmit_refused);
  t.truncated += as_double(stats.truncated_packets);
  t.last_packet_ns = std::max(t.last_packet_ns, stats.last_packet_ns.get());
}

SourceTotals sum_sources(port::EthdevSet& ports, std::uint16_t port) {
  SourceTotals t;
  if (const port::Distributor* distributor = ports.distributor(port); distributor != nullptr) {
    for (const port::Source* queue : distributor->queues()) {
      add_source(t, *queue);
    }
    return t;
  }
  for (std::uint16_t q = 0; q < ports.queues(); ++q) {
    add_source(t, ports.source(port, q));
  }
  return t;
}

// Of a port without a receive core all are 0.
void add_distribution(Samples& samples, port::EthdevSet& ports, std::uint16_t index) {
  const std::string& name = ports.report(index).name;
  const port::Distributor* d = ports.distributor(index);
  samples.add(Family::port_distribution_dropped_packets_total, {name},
              d != nullptr ? static_cast<double>(d->ring_full()) : 0);
  samples.add(Family::port_receive_core_run_seconds_total, {name},
              d != nullptr ? cycles_to_seconds(d->run_cycles()) : 0);
  samples.add(Family::port_receive_core_busy_seconds_total, {name},
              d != nullptr ? cycles_to_seconds(d->busy_cycles()) : 0);
}

void add_port(Samples& samples, const MetricSources& sources, std::uint16_t index,
              const PortSnapshots::Port& snapshot) {
  const port::PortReport& report = sources.ports->report(index);
  const std::string& name = report.name;
  const SourceTotals t = sum_sources(*sources.ports, index);
  samples.add(Family::port_received_packets_total, {name}, t.packets);
  samples.add(Family::port_received_bytes_total, {name}, t.bytes);
  samples.add(Family::port_missed_packets_total, {name},
              static_cast<double>(snapshot.stats.missed_packets));
  samples.add(Family::port_receive_errors_total, {name},
              static_cast<double>(snapshot.stats.receive_errors));
  samples.add(Family::port_no_mbuf_total, {name}, static_cast<double>(snapshot.stats.no_mbuf));
  samples.add(Family::port_truncated_packets_total, {name}, t.truncated);
  samples.add(Family::port_link_up, {name}, snapshot.link.up ? 1 : 0);
  samples.add(Family::port_link_speed_bytes_per_second, {name},
              snapshot.link.speed_mbps * 125000.0);
  const auto last =
      t.last_packet_ns != 0 ? static_cast<std::int64_t>(t.last_packet_ns) : sources.start.ns;
  samples.add(Family::port_last_packet_age_seconds, {name},
              static_cast<double>(std::max<std::int64_t>(wall_clock_now().ns - last, 0)) / 1e9);
  const bool symmetric = report.rss == port::RssState::symmetric ||
                         report.rss == port::RssState::kernel_symmetric ||
                         report.rss == port::RssState::software;
  samples.add(Family::port_rss_symmetric, {name}, symmetric ? 1 : 0);
  samples.add(Family::port_rss_queues, {name}, report.queues);
}

// What a port forwards was received on its peer, by the peer's sources. A tap has no peer and
// forwards nothing, which the two zeros say.
void add_transmitted(Samples& samples, const MetricSources& sources, std::uint16_t index) {
  port::EthdevSet& ports = *sources.ports;
  SourceTotals t;
  for (std::uint16_t peer = 0; peer < ports.port_count(); ++peer) {
    if (!ports.report(index).peer.empty() && ports.report(peer).name == ports.report(index).peer) {
      t = sum_sources(ports, peer);
    }
  }
  samples.add(Family::port_transmitted_packets_total, {ports.report(index).name}, t.transmitted);
  samples.add(Family::port_transmit_dropped_packets_total, {ports.report(index).name}, t.refused);
}

void add_ports(Samples& samples, const MetricSources& sources) {
  if (sources.ports == nullptr) {
    return;
  }
  std::vector<PortSnapshots::Port> snapshots = sources.snapshots->get();
  snapshots.resize(sources.ports->port_count());
  for (std::uint16_t i = 0; i < sources.ports->port_count(); ++i) {
    add_port(samples, sources, i, snapshots[i]);
    add_transmitted(samples, sources, i);
    add_distribution(samples, *sources.ports, i);
  }
}

void add_one_sided(Samples& samples, const Engine& engine) {
  for (std::size_t port = 0; port < engine.port_names().size(); ++port) {
    double judged = 0;
    double one_sided = 0;
    double acknowledged = 0;
    double unseen = 0;
    for (std::size_t w = 0; w < engine.worker_count(); ++w) {
      const detect::Counters& counters = engine.worker(w).inspector().counters();
      judged += as_double(counters.flows_judged[port]);
      one_sided += as_double(counters.flows_one_sided[port]);
      acknowledged += as_double(counters.bytes_acknowledged[port]);
      unseen += as_double(counters.bytes_unseen[port]);
    }
    samples.add(Family::port_flows_judged_total, {engine.port_names()[port]}, judged);
    samples.add(Family::port_flows_one_sided_total, {engine.port_names()[port]}, one_sided);
    samples.add(Family::port_one_sided_flows_ratio, {engine.port_names()[port]},
                judged > 0 ? one_sided / judged : 0);
    samples.add(Family::port_stream_bytes_acknowledged_total, {engine.port_names()[port]},
                acknowledged);
    samples.add(Family::port_stream_bytes_unseen_total, {engine.port_names()[port]}, unseen);
  }
}

void add_fragments(Samples& samples, const std::string& worker, const pipeline::Worker& w) {
  const flow::DefragmenterCounters& f = w.defragmenter().counters();
  for (std::size_t i = 0; i < flow::kFragmentOutcomeCount; ++i) {
    samples.add(Family::fragments_total, {worker, name(static_cast<flow::FragmentOutcome>(i))},
                as_double(f.fragments[i]));
  }
  const std::pair<const char*, const Counter*> results[] = {
      {"completed", &f.completed}, {"timed_out", &f.timed_out}, {"evicted", &f.evicted}};
  for (const auto& [result, counter] : results) {
    samples.add(Family::fragment_datagrams_total, {worker, result}, as_double(*counter));
  }
  const std::pair<const char*, const Counter*> anomalies[] = {
      {"conflicting", &f.conflicting},
      {"second_reading", &f.second_readings},
      {"different_ends", &f.different_ends},
      {"oversized", &f.oversized}};
  for (const auto& [anomaly, counter] : anomalies) {
    samples.add(Family::fragment_anomalies_total, {worker, anomaly}, as_double(*counter));
  }
  samples.add(Family::fragment_datagrams_waiting, {worker}, as_double(f.waiting));
  samples.add(Family::fragment_memory_capacity_bytes, {worker}, as_double(f.bytes_capacity));
  samples.add(Family::fragment_memory_used_bytes, {worker}, as_double(f.bytes_used));
}

void add_handover(Samples& samples, const std::string& worker, const pipeline::WorkerCounters& c) {
  const std::pair<const char*, const Counter*> kinds[] = {{"packet_taken", &c.taken_over},
                                                          {"datagram_given", &c.datagrams_given},
                                                          {"datagram_taken", &c.datagrams_taken},
                                                          {"refused", &c.handover_refused}};
  for (const auto& [kind, counter] : kinds) {
    samples.add(Family::handover_total, {worker, kind}, as_double(*counter));
  }
}

void add_flows(Samples& samples, const std::string& worker, const pipeline::Worker& w) {
  const flow::TableCounters& flows = w.flows().counters();
  samples.add(Family::flows, {worker}, as_double(flows.live));
  samples.add(Family::flow_capacity, {worker}, w.flows().capacity());
  samples.add(Family::flows_created_total, {worker}, as_double(flows.inserted));
  samples.add(Family::flows_expired_total, {worker},
              as_double(flows.expired) + as_double(flows.erased));
  samples.add(Family::flows_evicted_total, {worker, "idle"}, as_double(flows.evicted_idle));
  samples.add(Family::flows_evicted_total, {worker, "opaque"}, as_double(flows.evicted_opaque));
  samples.add(Family::flows_evicted_total, {worker, "active"}, as_double(flows.evicted_active));
}

void add_http2(Samples& samples, const std::string& worker, const detect::Inspector& inspector) {
  const detect::Counters& d = inspector.counters();
  const detect::Http2Connections::Counters& connections = inspector.http2().counters();
  samples.add(Family::http2_connections_total, {worker}, as_double(d.http2_prefaces));
  samples.add(Family::http2_header_blocks_total, {worker}, as_double(d.http2_header_blocks));
  samples.add(Family::http2_header_blocks_cut_total, {worker}, as_double(d.http2_blocks_cut));
  for (std::size_t i = 0; i < detect::kHttp2BlindCount; ++i) {
    const auto reason = static_cast<detect::Http2Blind>(i);
    samples.add(Family::http2_blind_connections_total, {worker, std::string(name(reason))},
                static_cast<double>(inspector.http2_blind(reason)));
  }
  samples.add(Family::http2_followed_connections, {worker}, as_double(connections.open));
  samples.add(Family::http2_memory_capacity_bytes, {worker}, as_double(connections.bytes_capacity));
  samples.add(Family::http2_memory_used_bytes, {worker}, as_double(connections.bytes_in_use));
}

void add_evaluation(Samples& samples, const std::string& worker, const detect::PolicySeat& seat) {
  const rules::EvaluatorCounters& r = seat.rule_counters();
  samples.add(Family::rule_evaluations_total, {worker}, as_double(r.events));
  samples.add(Family::regexes_given_up_total, {worker}, as_double(r.regexes_given_up));
  samples.add(Family::prefilter_hits_total, {worker}, as_double(r.heads_passed));
  samples.add(Family::scans_total, {worker}, as_double(r.scans));
  samples.add(Family::scanned_bytes_total, {worker}, as_double(r.bytes_scanned));
}

void add_inspection(Samples& samples, const std::string& worker, const pipeline::Worker& w) {
  const detect::Counters& d = w.inspector().counters();
  const flow::Arena::Counters& arena = w.inspector().arena().counters();
  samples.add(Family::stream_gaps_total, {worker}, as_double(d.stream_gaps));
  samples.add(Family::stream_gap_bytes_total, {worker}, as_double(d.stream_gap_bytes));
  samples.add(Family::stream_retransmitted_bytes_total, {worker},
              as_double(d.stream_retransmitted_bytes));
  samples.add(Family::stream_late_bytes_total, {worker}, as_double(d.stream_late_bytes));
  const std::pair<const char*, const Counter*> stream_events[] = {
      {"held", &d.segments_held},
      {"holes_filled", &d.holes_filled},
      {"holes_given_up", &d.holes_given_up},
      {"hold_refused", &d.holds_refused},
      {"overlap_conflict", &d.overlap_conflicts},
      {"overlap_unchecked", &d.overlap_unchecked},
      {"out_of_window", &d.segments_out_of_window},
      {"reset_ignored", &d.resets_ignored},
  };
  for (const auto& [kind, counter] : stream_events) {
    samples.add(Family::stream_events_total, {worker, kind}, as_double(*counter));
  }
  const flow::Arena::Counters& reorder = w.inspector().held_segments().memory();
  samples.add(Family::reorder_capacity_bytes, {worker}, as_double(reorder.bytes_capacity));
  samples.add(Family::reorder_used_bytes, {worker}, as_double(reorder.bytes_in_use));
  samples.add(Family::http_heads_total, {worker}, as_double(d.http_heads));
  samples.add(Family::http_heads_parsed_total, {worker}, as_double(d.http_heads_parsed));
  const std::pair<const char*, const Counter*> anomalies[] = {
      {"disguised", &d.http_heads_disguised},   {"incomplete", &d.http_heads_incomplete},
      {"unparsable", &d.http_heads_unparsable}, {"abandoned", &d.http_heads_abandoned},
      {"too_long", &d.head_too_long},
  };
  for (const auto& [kind, counter] : anomalies) {
    samples.add(Family::http_head_anomalies_total, {worker, kind}, as_double(*counter));
  }
  add_http2(samples, worker, w.inspector());
  add_exchanges(samples, worker, w.inspector());
  samples.add(Family::segments_reprobed_total, {worker}, as_double(d.segments_reprobed));
  samples.add(Family::http_datagrams_total, {worker}, as_double(d.http_datagrams));
  samples.add(Family::proxy_preambles_total, {worker}, as_double(d.proxy_preambles));
  samples.add(Family::framings_in_doubt_total, {worker}, as_double(d.framings_in_doubt));
  samples.add(Family::rule_hits_cut_total, {worker}, as_double(d.rule_hits_cut));
  samples.add(Family::arena_capacity_bytes, {worker}, as_double(arena.bytes_capacity));
  samples.add(Family::arena_used_bytes, {worker}, as_double(arena.bytes_in_use));
  samples.add(Family::arena_exhausted_total, {worker}, as_double(d.arena_exhausted));
  samples.add(Family::findings_lost_total, {worker}, as_double(d.findings_lost));
  samples.add(Family::story_findings_total, {worker}, as_double(d.findings_for_story));
  samples.add(Family::story_repeats_total, {worker}, as_double(d.story_repeats));
}

void add_worker(Samples& samples, std::size_t index, const pipeline::Worker& w) {
  const std::string worker = std::to_string(index);
  const pipeline::WorkerCounters& c = w.counters();
  samples.add(Family::worker_packets_total, {worker}, as_double(c.packets));
  samples.add(Family::worker_bytes_total, {worker}, as_double(c.bytes));
  samples.add(Family::worker_run_seconds_total, {worker}, cycles_to_seconds(c.run_cycles));
  samples.add(Family::worker_busy_seconds_total, {worker}, cycles_to_seconds(c.busy_cycles));
  samples.add(Family::fast_lane_packets_total, {worker}, as_double(c.lane_packets));
  samples.add(Family::worker_loop_stall_max_seconds, {worker},
              cycles_to_seconds(c.longest_loop_cycles));
  samples.add(Family::worker_reload_pause_max_seconds, {worker},
              cycles_to_seconds(c.longest_taking_cycles));
  samples.add(Family::largest_flow_packets_ratio, {worker},
              static_cast<double>(w.largest_flow().share()) /
                  static_cast<double>(pipeline::LargestFlow::kWhole));
  for (std::size_t i = 0; i < kDispositionCount; ++i) {
    samples.add(Family::packets_total, {worker, describe(static_cast<Disposition>(i)).name},
                as_double(c.dispositions[i]));
  }
  add_handover(samples, worker, c);
  add_fragments(samples, worker, w);
  add_flows(samples, worker, w);
  add_inspection(samples, worker, w);
}

void add_reasons(Samples& samples, const Engine& engine) {
  for (std::size_t i = 1; i < kDecodeReasonCount; ++i) {
    double stopped = 0;
    double anomalies = 0;
    for (std::size_t w = 0; w < engine.worker_count(); ++w) {
      stopped += as_double(engine.worker(w).counters().decode_stopped[i]);
      anomalies += as_double(engine.worker(w).counters().anomalies[i]);
    }
    const std::string_view name = describe(static_cast<DecodeReason>(i)).name;
    samples.add(Family::decode_stopped_packets_total, {name}, stopped);
    samples.add(Family::decode_anomalies_total, {name}, anomalies);
  }
}

void add_tunnels(Samples& samples, const Engine& engine) {
  for (std::size_t i = 1; i < kTunnelKindCount; ++i) {
    double packets = 0;
    for (std::size_t w = 0; w < engine.worker_count(); ++w) {
      packets += as_double(engine.worker(w).counters().tunnels[i]);
    }
    samples.add(Family::tunnel_packets_total, {name(static_cast<TunnelKind>(i))}, packets);
  }
}

void add_vlans(Samples& samples, const Engine& engine) {
  classify::VlanCensus::Snapshot seen;
  for (std::size_t w = 0; w < engine.worker_count(); ++w) {
    seen |= engine.worker(w).vlans().snapshot();
  }
  samples.add(Family::vlan_seen, {"untagged"}, seen.untagged ? 1 : 0);
  for (std::size_t id = 0; id < classify::kVlanIds; ++id) {
    if (seen.ids[id]) {
      samples.add(Family::vlan_seen, {std::to_string(id)}, 1);
    }
  }
}

void add_rule_hits(Samples& samples, const Engine& engine) {
  using Counters = detect::Counters;
  constexpr std::pair<const char*, Counter Counters::*> kOutcomes[] = {
      {"queued", &Counters::hits_queued},
      {"suppressed", &Counters::hits_suppressed},
      {"lost", &Counters::hits_lost},
      {"cut", &Counters::rule_hits_cut}};
  for (const auto& [outcome, counter] : kOutcomes) {
    double sum = 0;
    for (std::size_t w = 0; w < engine.worker_count(); ++w) {
      sum += as_double(engine.worker(w).inspector().counters().*counter);
    }
    samples.add(Family::rule_hits_total, {outcome}, sum);
  }
}

void add_findings(Samples& samples, const Engine& engine) {
  for (std::size_t type = 0; type < event::kEventTypeCount; ++type) {
    double produced = 0;
    for (std::size_t w = 0; w < engine.worker_count(); ++w) {
      produced += as_double(engine.worker(w).inspector().counters().findings_produced[type]);
    }
    samples.add(Family::findings_total, {event::name(static_cast<event::EventType>(type))},
                produced);
  }
  add_rule_hits(samples, engine);
  const auto edition = engine.edition();
  for (std::size_t s = 0; s < edition->policy->suppressions.size(); ++s) {
    double suppressed = 0;
    for (const auto& seat : edition->seats) {
      suppressed += as_double(seat->suppressed(s));
    }
    samples.add(Family::suppressed_total, {edition->policy->suppressions.name(s)}, suppressed);
  }
}

// Null: there is no throttling.
void add_throttle(Samples& samples, const story::Throttle* throttle) {
  for (std::size_t p = 0; throttle != nullptr && p < throttle->policies().size(); ++p) {
    samples.add(Family::throttled_total, {throttle->policies()[p].name},
                static_cast<double>(throttle->withheld(p)));
  }
  const auto of = [&](auto value) {
    return throttle != nullptr ? static_cast<double>(value(*throttle)) : 0;
  };
  samples.add(Family::throttle_entries, of([](const auto& t) { return t.size(); }));
  samples.add(Family::throttle_capacity_entries, of([](const auto& t) { return t.capacity(); }));
  samples.add(Family::throttle_evicted_entries_total,
              of([](const auto& t) { return t.evicted(); }));
  samples.add(Family::throttle_untold_alerts_total, of([](const auto& t) { return t.untold(); }));
}

void add_alerts(Samples& samples, const MetricSources& sources) {
  const story::Story& story = sources.engine->story();
  for (const story::RuleBook::Total& total : story.rules().totals()) {
    const alert::RuleFacts& rule = total.rule;
    samples.add(Family::alerts_total, {rule.name, rule.id, rule.level},
                static_cast<double>(total.alerts));
    samples.add(Family::alerts_throttled_total, {rule.name, rule.id, rule.level},
                static_cast<double>(total.throttled));
  }
  add_throttle(samples, story.throttle());
  samples.add(Family::correlated_rule_hits_total, static_cast<double>(story.correlated_only()));
  samples.add(Family::story_rejected_rule_hits_total, static_cast<double>(story.rejected()));
  samples.add(Family::stories, static_cast<double>(story.stages().size()));
  samples.add(Family::story_capacity, static_cast<double>(story.stages().capacity()));
  samples.add(Family::stories_evicted_total, static_cast<double>(story.stages().evicted()));
  samples.add(Family::credential_holders, static_cast<double>(story.stages().holders()));
  samples.add(Family::credential_holders_evicted_total,
              static_cast<double>(story.stages().holders_evicted()));
  if (sources.ring != nullptr) {
    samples.add(Family::ring_published_alerts_total,
                static_cast<double>(sources.ring->published()));
    samples.add(Family::ring_capacity_alerts, sources.ring->capacity());
  }
}

void add_filters(Samples& samples, const Engine& engine) {
  const auto edition = engine.edition();
  const rules::RuleSet& rules = *edition->policy->rules;
  for (std::size_t f = 0; f < rules.filter_count(); ++f) {
    double withheld = 0;
    for (const auto& seat : edition->seats) {
      withheld += static_cast<double>(seat->filtered(f));
    }
    samples.add(Family::filtered_rule_hits_total, {rules.filter_title(f)}, withheld);
  }
}

void add_correlations(Samples& samples, const story::Story& story) {
  const auto page = story.rules().latest();
  const story::Correlator& correlator = *page->correlator;
  for (std::size_t i = 0; i < correlator.size(); ++i) {
    const alert::RuleFacts& rule = page->catalog.rules[page->catalog.base_rules() + i];
    const story::CorrelationCounters& counters = correlator.counters(i);
    const auto add = [&](Family family, double value) {
      samples.add(family, {rule.name, rule.id}, value);
    };
    add(Family::correlation_events_total, as_double(counters.events));
    add(Family::correlation_incomplete_events_total, as_double(counters.incomplete));
    add(Family::correlation_groups, as_double(counters.groups));
    add(Family::correlation_group_capacity, static_cast<double>(correlator.group_capacity(i)));
    add(Family::correlation_groups_evicted_total, as_double(counters.groups_evicted));
  }
}

}  // namespace

void PortSnapshots::set(std::vector<Port> ports) {
  const std::lock_guard lock(mutex_);
  ports_ = std::move(ports);
}

std::vector<PortSnapshots::Port> PortSnapshots::get() const {
  const std::lock_guard lock(mutex_);
  return ports_;
}

void register_sources(metrics::Registry& registry, const MetricSources& sources) {
  registry.add([sources](Samples& samples) {
    add_process(samples, sources);
    add_rules(samples, sources);
    add_ports(samples, sources);
    add_one_sided(samples, *sources.engine);
    for (std::size_t w = 0; w < sources.engine->worker_count(); ++w) {
      add_worker(samples, w, sources.engine->worker(w));
    }
    const auto edition = sources.engine->edition();
    for (std::size_t w = 0; w < edition->seats.size(); ++w) {
      add_evaluation(samples, std::to_string(w), *edition->seats[w]);
    }
    add_reasons(samples, *sources.engine);
    add_tunnels(samples, *sources.engine);
    add_evidence(samples, *sources.engine);
    add_evidence_capture(samples, sources.engine->evidence());
    add_vlans(samples, *sources.engine);
    add_findings(samples, *sources.engine);
    add_filters(samples, *sources.engine);
    add_alerts(samples, sources);
    add_correlations(samples, sources.engine->story());
  });
}

}  // namespace imds::inspector
