// The whole configuration as plain typed values. A default-constructed Config is what an empty
// configuration file means, and what conf/inspector.yaml as shipped means.
//
// Units stand in the names (`_mib`, `_bytes`, `_seconds`). Positions (`where`) say where in the
// file a thing was written, for errors found later (an interface that does not exist); they do
// not take part in comparisons.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "base/time.h"

namespace imds::config {

// Where a value was written; line 0 for one that was not. All origins compare equal, so that two
// configurations are equal when they mean the same.
struct Origin {
  SourcePosition position;
  friend bool operator==(const Origin&, const Origin&) { return true; }
};

struct Observer {
  std::string hostname;  // empty: the system's host name
  friend bool operator==(const Observer&, const Observer&) = default;
};

enum class PortDriver : std::uint8_t {
  af_packet,  // net_af_packet on a kernel interface
  af_xdp,     // net_af_xdp on a kernel interface
  device,     // `device`: a PCI address or a vdev string, the driver is DPDK's choice
};

enum class PortMode : std::uint8_t {
  tap,          // receives only, never transmits
  inline_pair,  // forwards to `peer` what it receives
};

// Whether a receive core spreads a tap's packets over the workers.
enum class Distribute : std::uint8_t {
  automatic,  // when the port has fewer queues than there are workers to share it
  off,
  on,
};

struct Port {
  std::string name;       // 1–32 of [A-Za-z0-9_.-]; label of metrics and alerts
  std::string interface;  // kernel interface; empty when driver is `device`
  PortDriver driver = PortDriver::af_packet;
  std::string device;  // "0000:3b:00.0" or "net_…,…"; empty unless driver is `device`
  PortMode mode = PortMode::tap;
  std::string peer;                  // inline: name of the other port, which names this one
  std::uint16_t rx_descriptors = 0;  // per queue; 0: derived from the device's limits
  std::uint16_t tx_descriptors = 0;
  std::uint16_t mtu = 0;  // bytes without Ethernet header; 0: the device's own
  bool promiscuous = true;
  Distribute distribute = Distribute::automatic;  // inline ports are never distributed
  Origin where;
  friend bool operator==(const Port&, const Port&) = default;
};

enum class RssMode : std::uint8_t { ip_pair, five_tuple };

struct Workers {
  std::uint16_t count = 1;           // equals cores.size() when cores are given
  std::vector<std::uint16_t> cores;  // CPU of each worker; empty: chosen at start
  RssMode rss = RssMode::ip_pair;
  Origin where;
  friend bool operator==(const Workers&, const Workers&) = default;
};

enum class HugePages : std::uint8_t { automatic, required, off };

struct Memory {
  HugePages hugepages = HugePages::automatic;
  std::uint32_t limit_mib = 0;  // DPDK memory; 0: derived from the rest
  Origin where;
  friend bool operator==(const Memory&, const Memory&) = default;
};

struct Eal {
  std::string file_prefix = "imds-inspector";
  std::vector<std::string> extra_arguments;  // appended to DPDK's own arguments, last
  Origin where;
  friend bool operator==(const Eal&, const Eal&) = default;
};

struct Endpoint {
  std::string name;  // 1–32 of [A-Za-z0-9_.-], as in alerts and suppressions
  std::vector<IpPrefix> addresses;
  Origin where;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Both ends included, ids 1 to 4094. 0 to 0 stands for packets without a tag ("untagged").
struct VlanRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  friend bool operator==(const VlanRange&, const VlanRange&) = default;
};

// Whoever answers: by address or, where the address's family is none, by MAC.
struct Responder {
  IpPrefix address;
  MacAddress mac;
  friend bool operator==(const Responder&, const Responder&) = default;
};

// Minutes since midnight UTC, `first` within and `last` no longer; past midnight where it ends
// before it begins.
struct DailyHours {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  friend bool operator==(const DailyHours&, const DailyHours&) = default;
};

// Traffic that is expected and must not alert. All criteria given must hold; an empty one holds
// always; at least one besides time is given.
struct Suppression {
  std::string name;
  std::vector<IpPrefix> source;         // the client is in any of these
  std::vector<IpPrefix> destination;    // the server is in any of these
  std::vector<IpPrefix> outer;          // either outermost address is in any of these
  std::vector<VlanRange> vlan;          // any tag of the packet is in any of these
  std::vector<std::string> endpoint;    // names of endpoints
  std::vector<std::string> rule;        // the alert's rule has one of these ids, in lower case
  std::vector<std::string> tag;         // the alert's rule has one of these tags, in lower case
  std::vector<std::string> user_agent;  // whole text, `*` for anything
  std::vector<Responder> responder;     // the server is any of these
  std::optional<Timestamp> from;        // packets from here on
  std::optional<Timestamp> until;       // packets before
  std::vector<DailyHours> daily;        // packets in any of these hours
  Origin where;
  friend bool operator==(const Suppression&, const Suppression&) = default;
};

// An AWS account whose credentials may be delivered, and to which clients.
struct ExpectedAccount {
  std::uint64_t account = 0;       // twelve decimal digits
  std::vector<IpPrefix> networks;  // of the clients; empty: any
  Origin where;
  friend bool operator==(const ExpectedAccount&, const ExpectedAccount&) = default;
};

// A kind of client, by its user agent; see load_clients().
struct ClientKind {
  std::string kind;                     // 1–32 of [A-Za-z0-9_.-]
  std::vector<std::string> user_agent;  // whole text, `*` for anything
  Origin where;
  friend bool operator==(const ClientKind&, const ClientKind&) = default;
};

// What the rules' modifier `expand` puts in place of %name%.
struct Placeholder {
  std::string name;
  std::vector<std::string> values;  // as a rule would write them
  Origin where;
  friend bool operator==(const Placeholder&, const Placeholder&) = default;
};

// Networks whose clients alert; nobody else does. Empty: everybody.
struct OnPremises {
  std::vector<IpPrefix> networks;
  Origin where;
  friend bool operator==(const OnPremises&, const OnPremises&) = default;
};

// The name under which alerts of other clients are counted.
inline constexpr std::string_view kOutsideOnPremises = "outside-on-premises";

struct Rules {
  // Files and folders. Relative ones were relative to the configuration file's folder and have
  // been joined to it.
  std::vector<std::string> paths = {"rules"};
  std::string fields = "fields.yaml";  // field alias table, likewise
  // Table of user agents, likewise; unless it is named: clients.yaml beside `fields`.
  std::string clients = "clients.yaml";
  std::vector<Placeholder> placeholders;
  std::string cache;                            // folder of compiled rules, likewise; empty: none
  std::uint16_t compile_timeout_seconds = 120;  // rules that take longer are refused
  friend bool operator==(const Rules&, const Rules&) = default;
};

struct FlowTimeouts {
  std::uint16_t tcp_syn_seconds = 10;
  std::uint16_t tcp_established_seconds = 300;
  std::uint16_t tcp_closed_seconds = 5;
  std::uint16_t udp_seconds = 30;
  friend bool operator==(const FlowTimeouts&, const FlowTimeouts&) = default;
};

struct FlowKey {
  bool vlan = true;
  bool vni = true;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};

struct Flow {
  std::uint32_t capacity = 262144;  // flows per worker
  FlowTimeouts timeouts;
  FlowKey key;
  friend bool operator==(const Flow&, const Flow&) = default;
};

// A UDP port that announces a tunnel, on either end of a datagram.
struct TunnelPort {
  std::uint16_t number = 0;
  Origin where;
  friend bool operator==(const TunnelPort&, const TunnelPort&) = default;
};
using TunnelPortList = std::vector<TunnelPort>;  // at most kMaxTunnelPorts; empty: switched off

// No port belongs to two of them.
struct TunnelPorts {
  TunnelPortList vxlan = {{4789, {}}, {8472, {}}};
  TunnelPortList vxlan_gpe = {{4790, {}}};
  TunnelPortList geneve = {{6081, {}}};
  TunnelPortList teredo = {{3544, {}}};
  TunnelPortList gtp_u = {{2152, {}}};
  TunnelPortList l2tp = {{1701, {}}};
  TunnelPortList mpls = {{6635, {}}};
  friend bool operator==(const TunnelPorts&, const TunnelPorts&) = default;
};

struct Tunnels {
  std::uint8_t max_depth = 4;  // encapsulations peeled from one packet
  TunnelPorts ports;
  friend bool operator==(const Tunnels&, const Tunnels&) = default;
};

struct Inspect {
  std::uint32_t head_bytes_max = 65536;  // longest HTTP head that is parsed
  std::uint32_t raw_scan_bytes = 4096;   // per direction, of protocols not known; 0: none
  std::uint32_t arena_mib = 64;          // per worker, for heads split over segments
  std::uint32_t reorder_mib = 16;        // per worker, for segments that came early
  std::uint32_t reorder_bytes = 65536;   // the same, per direction of a flow
  std::uint32_t reorder_segments = 256;  // per direction of a flow
  std::uint32_t history_mib = 8;         // per worker, for heads just read
  bool verify_checksums = false;
  std::uint32_t http2_mib = 16;             // per worker, for HTTP/2 header compression
  std::uint32_t exchanges = 1024;           // per worker, connections whose answers are read
  std::uint32_t compressed_bodies = 32;     // per worker, decompressed at once
  std::uint32_t body_bytes_max = 2u << 20;  // read of one answer's body, and again decompressed
  friend bool operator==(const Inspect&, const Inspect&) = default;
};

// Putting IP datagrams together from fragments.
struct Fragments {
  std::uint32_t memory_mib = 16;  // per worker
  std::uint16_t timeout_seconds = 30;
  std::uint32_t per_datagram = 1024;  // more fragments of one datagram are looked at alone
  friend bool operator==(const Fragments&, const Fragments&) = default;
};

// Names of metadata services: an answer of DNS for one of them is a claim. In lower case, `*` for
// anything.
[[nodiscard]] std::vector<std::string> default_metadata_names();

// Packets of alerted exchanges, kept in files.
struct EvidenceCapture {
  bool enabled = false;
  std::string directory = "/var/lib/imds-inspector";
  std::uint32_t file_mib = 64;
  std::uint32_t files = 8;                   // per worker; the oldest makes room
  std::uint32_t exchange_packets = 256;      // most of one exchange
  std::uint32_t exchange_kib = 256;          // the same
  std::uint32_t exchanges_per_minute = 600;  // per worker
  std::uint32_t queue_mib = 8;               // per worker, on the way to the writer
  Origin where;
  friend bool operator==(const EvidenceCapture&, const EvidenceCapture&) = default;
};

// Who answers from the endpoints' addresses, and who claims them.
struct Evidence {
  std::vector<std::string> metadata_names = default_metadata_names();
  std::uint32_t owners = 4096;          // per worker, addresses whose owner is remembered
  std::uint32_t forget_seconds = 3600;  // owners not seen for so long are new again
  std::uint32_t dns_streams = 64;       // per worker, DNS messages over TCP under way, 64 KiB each
  EvidenceCapture capture;
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

struct AlertRing {
  std::string name = "/imds-inspector";  // POSIX shared memory
  std::uint32_t records = 8192;          // of 4 KiB; rounded up to a power of two
  std::uint32_t mode = 0640;             // permission bits of the segment
  friend bool operator==(const AlertRing&, const AlertRing&) = default;
};

// Names of query parameters whose values are masked in alerts; compared without case.
[[nodiscard]] std::vector<std::string> default_redacted_parameters();

// What repeats are counted by, beside the rule.
enum class ThrottleTrack : std::uint8_t { rule, source, destination, both, flow };

enum class ThrottleType : std::uint8_t {
  limit,      // at most `count` alerts in `seconds`
  threshold,  // every `count`-th alert of those in `seconds`
  both,       // one alert in `seconds`, the `count`-th
  none,       // every alert
};

// How alerts of some rules are throttled. All criteria given must hold; without any, all rules.
struct ThrottlePolicy {
  std::string name;
  std::vector<std::string> rule;   // ids, in lower case
  std::vector<std::string> tag;    // in lower case
  std::vector<std::string> level;  // Sigma's
  ThrottleTrack track = ThrottleTrack::source;
  ThrottleType type = ThrottleType::limit;
  std::uint32_t count = 20;
  std::uint32_t seconds = 3600;
  Origin where;
  friend bool operator==(const ThrottlePolicy&, const ThrottlePolicy&) = default;
};

[[nodiscard]] std::vector<ThrottlePolicy> default_throttle_policies();

struct Throttle {
  bool enabled = true;
  std::uint32_t entries = 65536;  // remembered at once; rounded up to a power of two
  std::vector<ThrottlePolicy> policies = default_throttle_policies();  // the first that applies
  friend bool operator==(const Throttle&, const Throttle&) = default;
};

struct Alerts {
  AlertRing ring;
  Throttle throttle;
  std::vector<std::string> redact_query_parameters = default_redacted_parameters();
  std::uint32_t finding_ring_records = 4096;  // per worker, on the way to the story thread
  std::uint32_t correlation_mib = 32;         // groups of all correlation rules together
  std::uint32_t story_mib = 16;               // stages of clients
  std::uint32_t story_seconds = 600;          // how long a story is remembered that does not go on
  friend bool operator==(const Alerts&, const Alerts&) = default;
};

// The HTTP server of the metrics listens on IPv4 only.
struct ListenAddress {
  IpAddress address;
  std::uint16_t port = 0;                       // 0: any free port
  [[nodiscard]] std::string to_string() const;  // "127.0.0.1:39254"
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct Metrics {
  bool enabled = true;
  ListenAddress listen{IpAddress::v4(0x7f000001), 39254};
  Origin where;
  friend bool operator==(const Metrics&, const Metrics&) = default;
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };

struct Log {
  LogLevel level = LogLevel::info;
  friend bool operator==(const Log&, const Log&) = default;
};

// Legal, but probably not meant.
struct Warning {
  std::string message;
  SourcePosition where;
  // "file:line:column: message"
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Warning&, const Warning&) { return true; }
};

[[nodiscard]] std::vector<Endpoint> default_endpoints();

struct Config {
  Observer observer;
  std::vector<Port> ports;
  Workers workers;
  Memory memory;
  Eal eal;
  std::vector<Endpoint> endpoints = default_endpoints();
  OnPremises on_premises;
  std::vector<Suppression> suppress;
  std::vector<ExpectedAccount> expected_accounts;
  Rules rules;
  std::vector<ClientKind> clients;  // what rules.clients holds: see load_clients()
  Tunnels tunnels;
  Flow flow;
  Inspect inspect;
  Fragments fragments;
  Evidence evidence;
  Alerts alerts;
  Metrics metrics;
  Log log;

  std::vector<Warning> warnings;  // in the order of the file
  friend bool operator==(const Config&, const Config&) = default;
};

// The names used in the file and in messages: "af_packet", "tap", "ip", "auto", "info", …
[[nodiscard]] std::string_view name(PortDriver value);
[[nodiscard]] std::string_view name(PortMode value);
[[nodiscard]] std::string_view name(Distribute value);
[[nodiscard]] std::string_view name(RssMode value);
[[nodiscard]] std::string_view name(HugePages value);
[[nodiscard]] std::string_view name(LogLevel value);
[[nodiscard]] std::string_view name(ThrottleTrack value);
[[nodiscard]] std::string_view name(ThrottleType value);

}  // namespace imds::config
