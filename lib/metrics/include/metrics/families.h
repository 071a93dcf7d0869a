// The one table of metric families: name, type, label names and help. docs/metrics.md has one row
// per entry, checked by a test. Names follow Prometheus' conventions (base units, `_total` for
// counters) and are never renamed once released.
//
// No label ever carries an address, a payload or anything else from the wire: labels are names
// from the configuration and the rules, indices, and enumerators.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace imds::metrics {

enum class Family : std::uint8_t {
  // The process.
  build_info,
  start_time_seconds,
  // Ports.
  port_received_packets_total,
  port_received_bytes_total,
  port_missed_packets_total,
  port_receive_errors_total,
  port_no_mbuf_total,
  port_truncated_packets_total,
  port_transmitted_packets_total,
  port_transmit_dropped_packets_total,
  port_link_up,
  port_link_speed_bytes_per_second,
  port_last_packet_age_seconds,
  port_flows_judged_total,
  port_flows_one_sided_total,
  port_one_sided_flows_ratio,
  port_stream_bytes_acknowledged_total,
  port_stream_bytes_unseen_total,
  port_rss_symmetric,
  port_rss_queues,
  port_distribution_dropped_packets_total,
  port_receive_core_run_seconds_total,
  port_receive_core_busy_seconds_total,
  // Workers.
  worker_packets_total,
  worker_bytes_total,
  worker_run_seconds_total,
  worker_busy_seconds_total,
  worker_loop_stall_max_seconds,
  largest_flow_packets_ratio,
  // What became of the packets.
  packets_total,
  fast_lane_packets_total,
  decode_stopped_packets_total,
  decode_anomalies_total,
  tunnel_packets_total,
  vlan_seen,
  handover_total,
  // Fragments.
  fragments_total,
  fragment_datagrams_total,
  fragment_anomalies_total,
  fragment_datagrams_waiting,
  fragment_memory_capacity_bytes,
  fragment_memory_used_bytes,
  // Flows and streams.
  flows,
  flow_capacity,
  flows_created_total,
  flows_expired_total,
  flows_evicted_total,
  stream_gaps_total,
  stream_gap_bytes_total,
  stream_retransmitted_bytes_total,
  stream_late_bytes_total,
  stream_events_total,
  reorder_capacity_bytes,
  reorder_used_bytes,
  arena_capacity_bytes,
  arena_used_bytes,
  arena_exhausted_total,
  // Inspection.
  http_heads_total,
  http_heads_parsed_total,
  http_head_anomalies_total,
  http2_connections_total,
  http2_header_blocks_total,
  http2_header_blocks_cut_total,
  http2_blind_connections_total,
  http2_followed_connections,
  http2_memory_capacity_bytes,
  http2_memory_used_bytes,
  answers_total,
  answer_bodies_total,
  deliveries_total,
  client_hellos_total,
  tokens_issued_total,
  exchanges,
  exchange_capacity,
  exchanges_evicted_total,
  requests_unnoted_total,
  segments_reprobed_total,
  http_datagrams_total,
  proxy_preambles_total,
  framings_in_doubt_total,
  prefilter_hits_total,
  scans_total,
  scanned_bytes_total,
  rule_evaluations_total,
  regexes_given_up_total,
  // Who answers from endpoints, who claims them.
  evidence_messages_total,
  address_claims_total,
  address_claims_cut_total,
  default_routes_total,
  endpoint_answers_total,
  owner_entries,
  owner_capacity_entries,
  owners_evicted_total,
  answers_forgotten_total,
  dns_messages_total,
  dns_stream_messages_total,
  dns_streams_open,
  dns_streams_capacity,
  // Evidence capture.
  evidence_packets_kept_total,
  evidence_exchanges_total,
  evidence_exchanges_evicted_total,
  evidence_not_kept_total,
  evidence_packets_written_total,
  evidence_bytes_written_total,
  evidence_bytes_overwritten_total,
  evidence_packets_cut_total,
  evidence_packets_lost_total,
  evidence_files_total,
  evidence_files_deleted_total,
  evidence_file_errors_total,
  // Findings and alerts.
  findings_total,
  findings_lost_total,
  rule_hits_cut_total,
  rule_hits_total,
  suppressed_total,
  filtered_rule_hits_total,
  alerts_total,
  alerts_throttled_total,
  throttled_total,
  throttle_entries,
  throttle_capacity_entries,
  throttle_evicted_entries_total,
  throttle_untold_alerts_total,
  correlated_rule_hits_total,
  correlation_events_total,
  correlation_incomplete_events_total,
  correlation_groups,
  correlation_group_capacity,
  correlation_groups_evicted_total,
  story_findings_total,
  story_repeats_total,
  story_rejected_rule_hits_total,
  stories,
  story_capacity,
  stories_evicted_total,
  credential_holders,
  credential_holders_evicted_total,
  ring_published_alerts_total,
  ring_capacity_alerts,
  // Rules.
  ruleset_rules,
  ruleset_generation,
  ruleset_parses_every_head,
  ruleset_generations_held,
  reload_success,
  reload_last_success_time_seconds,
  reload_duration_seconds,
  reloads_total,
  worker_reload_pause_max_seconds,
};
inline constexpr std::size_t kFamilyCount =
    static_cast<std::size_t>(Family::worker_reload_pause_max_seconds) + 1;

inline constexpr std::size_t kMaxLabels = 4;

enum class Type : std::uint8_t { counter, gauge };

struct FamilyInfo {
  Family family = Family::build_info;
  std::string_view name;  // with the prefix "imds_inspector_"
  Type type = Type::counter;
  std::array<std::string_view, kMaxLabels> labels;  // label names; unused ones empty
  std::size_t label_count = 0;
  std::string_view help;  // one sentence, with the unit
};

[[nodiscard]] const FamilyInfo& describe(Family family);

// All families in the table's order; index = the enumerator's value.
[[nodiscard]] std::span<const FamilyInfo> all_families();

}  // namespace imds::metrics
