#include "metrics/families.h"

#include <initializer_list>
#include <iterator>

namespace imds::metrics {
namespace {

constexpr FamilyInfo counter(Family family, std::string_view name,
                             std::initializer_list<std::string_view> labels,
                             std::string_view help) {
  FamilyInfo info{family, name, Type::counter, {}, labels.size(), help};
  std::size_t i = 0;
  for (const std::string_view label : labels) {
    info.labels[i++] = label;
  }
  return info;
}

constexpr FamilyInfo gauge(Family family, std::string_view name,
                           std::initializer_list<std::string_view> labels, std::string_view help) {
  FamilyInfo info = counter(family, name, labels, help);
  info.type = Type::gauge;
  return info;
}

// In the order of Family.
constexpr FamilyInfo kFamilies[] = {
    gauge(Family::build_info, "imds_inspector_build_info",
          {"version", "revision", "dpdk", "matcher"}, "What is running; always 1."),
    gauge(Family::start_time_seconds, "imds_inspector_start_time_seconds", {},
          "When the inspector started, in seconds since the Unix epoch."),

    counter(Family::port_received_packets_total, "imds_inspector_port_received_packets_total",
            {"port"}, "Packets the port's driver handed over."),
    counter(Family::port_received_bytes_total, "imds_inspector_port_received_bytes_total", {"port"},
            "Bytes of the packets the port's driver handed over."),
    counter(Family::port_missed_packets_total, "imds_inspector_port_missed_packets_total", {"port"},
            "Packets the device dropped because its receive ring was full."),
    counter(Family::port_receive_errors_total, "imds_inspector_port_receive_errors_total", {"port"},
            "Packets the device refused: bad frame checksum, wrong size."),
    counter(Family::port_no_mbuf_total, "imds_inspector_port_no_mbuf_total", {"port"},
            "Packets lost because there was no free packet buffer."),
    counter(Family::port_truncated_packets_total, "imds_inspector_port_truncated_packets_total",
            {"port"}, "Packets of which only the beginning was received."),
    counter(Family::port_transmitted_packets_total, "imds_inspector_port_transmitted_packets_total",
            {"port"}, "Packets forwarded out of an inline port."),
    counter(Family::port_transmit_dropped_packets_total,
            "imds_inspector_port_transmit_dropped_packets_total", {"port"},
            "Packets an inline port could not forward: transmit ring full, or a device error."),
    gauge(Family::port_link_up, "imds_inspector_port_link_up", {"port"},
          "Whether the port has a link: 1 or 0."),
    gauge(Family::port_link_speed_bytes_per_second,
          "imds_inspector_port_link_speed_bytes_per_second", {"port"},
          "Speed of the port's link in bytes per second; 0 when not known."),
    gauge(Family::port_last_packet_age_seconds, "imds_inspector_port_last_packet_age_seconds",
          {"port"},
          "Seconds since the port's last packet, or since the start when there was none."),
    counter(Family::port_flows_judged_total, "imds_inspector_port_flows_judged_total", {"port"},
            "TCP flows with payload, long enough to tell whether both directions are seen."),
    counter(Family::port_flows_one_sided_total, "imds_inspector_port_flows_one_sided_total",
            {"port"}, "Those of the judged TCP flows that were seen in one direction only."),
    gauge(Family::port_one_sided_flows_ratio, "imds_inspector_port_one_sided_flows_ratio", {"port"},
          "Share (0 to 1) of the port's judged TCP flows seen in one direction only, since the "
          "start."),
    counter(Family::port_stream_bytes_acknowledged_total,
            "imds_inspector_port_stream_bytes_acknowledged_total", {"port"},
            "Bytes that receivers acknowledged, of TCP flows seen in both directions."),
    counter(Family::port_stream_bytes_unseen_total, "imds_inspector_port_stream_bytes_unseen_total",
            {"port"},
            "Acknowledged bytes that no packet showed: lost on the way to the inspector."),
    gauge(Family::port_rss_symmetric, "imds_inspector_port_rss_symmetric", {"port"},
          "Whether both directions of a flow are known to reach the same worker: 1 or 0."),
    gauge(Family::port_rss_queues, "imds_inspector_port_rss_queues", {"port"},
          "Receive queues in use on the port; workers beyond them have nothing to do."),

    counter(Family::worker_packets_total, "imds_inspector_worker_packets_total", {"worker"},
            "Packets the worker received."),
    counter(Family::worker_bytes_total, "imds_inspector_worker_bytes_total", {"worker"},
            "Bytes of the packets the worker received."),
    counter(Family::worker_run_seconds_total, "imds_inspector_worker_run_seconds_total", {"worker"},
            "Seconds the worker's loop has run."),
    counter(Family::worker_busy_seconds_total, "imds_inspector_worker_busy_seconds_total",
            {"worker"}, "Seconds the worker's loop spent on bursts that held packets."),
    gauge(Family::worker_loop_stall_max_seconds, "imds_inspector_worker_loop_stall_max_seconds",
          {"worker"}, "Longest time between two polls of the worker's queues since the start."),

    counter(Family::packets_total, "imds_inspector_packets_total", {"worker", "disposition"},
            "Packets by what became of them; each counts once."),
    counter(Family::decode_stopped_packets_total, "imds_inspector_decode_stopped_packets_total",
            {"reason"}, "Packets that were not decoded to the end, by reason."),
    counter(Family::decode_anomalies_total, "imds_inspector_decode_anomalies_total", {"reason"},
            "Packets that were decoded but not as they should be, by reason."),
    counter(Family::tunnel_packets_total, "imds_inspector_tunnel_packets_total", {"kind"},
            "Packets by the encapsulation taken off them; one in several counts under each."),
    gauge(Family::vlan_seen, "imds_inspector_vlan_seen", {"vlan"},
          "1 for each VLAN id, or untagged, seen since the start."),

    counter(Family::handover_total, "imds_inspector_handover_total", {"worker", "kind"},
            "What workers gave each other because its flow belongs to another."),

    counter(Family::fragments_total, "imds_inspector_fragments_total", {"worker", "outcome"},
            "IP fragments by what became of them."),
    counter(Family::fragment_datagrams_total, "imds_inspector_fragment_datagrams_total",
            {"worker", "result"}, "Fragmented datagrams by how they ended."),
    counter(Family::fragment_anomalies_total, "imds_inspector_fragment_anomalies_total",
            {"worker", "anomaly"}, "Fragmented datagrams that contradict themselves or IP."),
    gauge(Family::fragment_datagrams_waiting, "imds_inspector_fragment_datagrams_waiting",
          {"worker"}, "Datagrams of which fragments are missing."),
    gauge(Family::fragment_memory_capacity_bytes, "imds_inspector_fragment_memory_capacity_bytes",
          {"worker"}, "Memory for fragments."),
    gauge(Family::fragment_memory_used_bytes, "imds_inspector_fragment_memory_used_bytes",
          {"worker"}, "Memory in use for incomplete datagrams."),

    gauge(Family::flows, "imds_inspector_flows", {"worker"}, "Flows in the worker's table."),
    gauge(Family::flow_capacity, "imds_inspector_flow_capacity", {"worker"},
          "Flows the worker's table can hold."),
    counter(Family::flows_created_total, "imds_inspector_flows_created_total", {"worker"},
            "Flows entered into the table."),
    counter(Family::flows_expired_total, "imds_inspector_flows_expired_total", {"worker"},
            "Flows removed because they were idle for their timeout."),
    counter(Family::flows_evicted_total, "imds_inspector_flows_evicted_total", {"worker", "kind"},
            "Flows removed early to make room: idle, opaque or still active ones."),
    counter(Family::stream_gaps_total, "imds_inspector_stream_gaps_total", {"worker"},
            "Holes in followed TCP streams: bytes that were never seen."),
    counter(Family::stream_gap_bytes_total, "imds_inspector_stream_gap_bytes_total", {"worker"},
            "Bytes missing from followed TCP streams."),
    counter(Family::stream_retransmitted_bytes_total,
            "imds_inspector_stream_retransmitted_bytes_total", {"worker"},
            "Bytes of followed TCP streams that were seen again and trimmed."),
    counter(Family::stream_late_bytes_total, "imds_inspector_stream_late_bytes_total", {"worker"},
            "Bytes that came late, where the order of segments does not matter."),
    counter(Family::stream_events_total, "imds_inspector_stream_events_total", {"worker", "kind"},
            "What happened to TCP segments that were not simply the next."),
    gauge(Family::reorder_capacity_bytes, "imds_inspector_reorder_capacity_bytes", {"worker"},
          "Memory for TCP segments that wait for the bytes in front of them."),
    gauge(Family::reorder_used_bytes, "imds_inspector_reorder_used_bytes", {"worker"},
          "Memory in use for TCP segments that wait."),
    gauge(Family::arena_capacity_bytes, "imds_inspector_arena_capacity_bytes", {"worker"},
          "Memory for HTTP heads that are split over packets."),
    gauge(Family::arena_used_bytes, "imds_inspector_arena_used_bytes", {"worker"},
          "Memory in use for HTTP heads that are split over packets."),
    counter(Family::arena_exhausted_total, "imds_inspector_arena_exhausted_total", {"worker"},
            "Split HTTP heads that found no memory and were judged by what was there."),

    counter(Family::http_heads_total, "imds_inspector_http_heads_total", {"worker"},
            "HTTP request heads met."),
    counter(Family::http_heads_parsed_total, "imds_inspector_http_heads_parsed_total", {"worker"},
            "HTTP request heads parsed and matched field by field."),
    counter(Family::http_head_anomalies_total, "imds_inspector_http_head_anomalies_total",
            {"worker", "anomaly"},
            "HTTP request heads that were not plain and whole, by what was odd."),
    counter(Family::http2_connections_total, "imds_inspector_http2_connections_total", {"worker"},
            "HTTP/2 connections whose beginning was seen."),
    counter(Family::http2_header_blocks_total, "imds_inspector_http2_header_blocks_total",
            {"worker"}, "Header blocks of HTTP/2 clients decompressed and judged."),
    counter(Family::http2_header_blocks_cut_total, "imds_inspector_http2_header_blocks_cut_total",
            {"worker"}, "HTTP/2 header blocks that decompress to more than is looked at."),
    counter(Family::http2_blind_connections_total, "imds_inspector_http2_blind_connections_total",
            {"worker", "reason"},
            "HTTP/2 connections whose requests could not be read (any more), by reason."),
    gauge(Family::http2_followed_connections, "imds_inspector_http2_followed_connections",
          {"worker"}, "HTTP/2 connections whose header compression is followed."),
    gauge(Family::http2_memory_capacity_bytes, "imds_inspector_http2_memory_capacity_bytes",
          {"worker"}, "Memory for the header compression of HTTP/2 connections."),
    gauge(Family::http2_memory_used_bytes, "imds_inspector_http2_memory_used_bytes", {"worker"},
          "Memory in use for the header compression of HTTP/2 connections."),
    counter(Family::segments_reprobed_total, "imds_inspector_segments_reprobed_total", {"worker"},
            "TCP segments that were to be skipped but began like a request."),
    counter(Family::http_datagrams_total, "imds_inspector_http_datagrams_total", {"worker"},
            "HTTP requests in UDP datagrams."),
    counter(Family::proxy_preambles_total, "imds_inspector_proxy_preambles_total", {"worker"},
            "SOCKS and PROXY protocol messages passed over in front of requests."),
    counter(Family::framings_in_doubt_total, "imds_inspector_framings_in_doubt_total", {"worker"},
            "Streams whose HTTP framing was in doubt, read in every way."),
    counter(Family::prefilter_hits_total, "imds_inspector_prefilter_hits_total", {"worker"},
            "HTTP heads the prefilter could not rule out."),
    counter(Family::scans_total, "imds_inspector_scans_total", {"worker"},
            "Pattern scans of HTTP heads, fields and raw bytes."),
    counter(Family::scanned_bytes_total, "imds_inspector_scanned_bytes_total", {"worker"},
            "Bytes given to pattern scans."),
    counter(Family::rule_evaluations_total, "imds_inspector_rule_evaluations_total", {"worker"},
            "Events the rules were evaluated on."),

    counter(Family::findings_total, "imds_inspector_findings_total", {"event"},
            "Events that at least one rule hit, by event type."),
    counter(Family::findings_lost_total, "imds_inspector_findings_lost_total", {"worker"},
            "Findings lost because the worker's finding ring was full."),
    counter(Family::rule_hits_cut_total, "imds_inspector_rule_hits_cut_total", {"worker"},
            "Rule hits of one event beyond what a finding can name."),
    counter(Family::suppressed_total, "imds_inspector_suppressed_total", {"suppression"},
            "Findings withheld by a configured suppression."),
    counter(Family::alerts_total, "imds_inspector_alerts_total", {"rule", "rule_id", "severity"},
            "Alerts raised, by rule title, rule id and severity."),
    counter(Family::ring_published_alerts_total, "imds_inspector_ring_published_alerts_total", {},
            "Alert records written to the shared-memory ring."),
    gauge(Family::ring_capacity_alerts, "imds_inspector_ring_capacity_alerts", {},
          "Alert records the shared-memory ring holds before it overwrites the oldest."),

    gauge(Family::ruleset_rules, "imds_inspector_ruleset_rules", {}, "Rules in force."),
    gauge(Family::ruleset_generation, "imds_inspector_ruleset_generation", {},
          "How often rules have been put in force since the start."),
    gauge(Family::ruleset_parses_every_head, "imds_inspector_ruleset_parses_every_head", {},
          "Whether some rule makes every HTTP head be parsed: 1 or 0."),
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(kFamilies); ++i) {
    if (static_cast<std::size_t>(kFamilies[i].family) != i) {
      return false;
    }
  }
  return std::size(kFamilies) == kFamilyCount;
}
static_assert(in_order(), "every family once, in the order of the enumeration");

}  // namespace

const FamilyInfo& describe(Family family) {
  return kFamilies[static_cast<std::size_t>(family)];
}

std::span<const FamilyInfo> all_families() {
  return kFamilies;
}

}  // namespace imds::metrics
