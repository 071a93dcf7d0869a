#include "alert/format.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "alert/record.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "event/event.h"
#include "event/stage.h"
#include "evidence_format.h"
#include "exchange_format.h"
#include "packets_format.h"

namespace imds::alert {
namespace {

// Keeps fields in the order they are set, so that lines are easy to read and compare.
using Json = nlohmann::ordered_json;

struct CutName {
  imds_alert_truncated bit;
  std::string_view field;
};
constexpr std::array kCutNames{
    CutName{IMDS_ALERT_CUT_RULE_ID, "rule.id"},
    CutName{IMDS_ALERT_CUT_RULE_NAME, "rule.name"},
    CutName{IMDS_ALERT_CUT_RULE_LEVEL, "rule.level"},
    CutName{IMDS_ALERT_CUT_ENDPOINT, "imds.endpoint"},
    CutName{IMDS_ALERT_CUT_HTTP_METHOD, "http.request.method"},
    CutName{IMDS_ALERT_CUT_HTTP_VERSION, "http.version"},
    CutName{IMDS_ALERT_CUT_URL_ORIGINAL, "url.original"},
    CutName{IMDS_ALERT_CUT_URL_PATH, "url.path"},
    CutName{IMDS_ALERT_CUT_URL_DOMAIN, "url.domain"},
    CutName{IMDS_ALERT_CUT_USER_AGENT, "user_agent.original"},
    CutName{IMDS_ALERT_CUT_HOSTNAME, "observer.hostname"},
    CutName{IMDS_ALERT_CUT_INTERFACE, "observer.ingress.interface.name"},
    CutName{IMDS_ALERT_CUT_RULES, "rule"},
    CutName{IMDS_ALERT_CUT_DNS_NAME, "dns.question.name"},
    CutName{IMDS_ALERT_CUT_SERVER, "imds.server"},
    CutName{IMDS_ALERT_CUT_MIME_TYPE, "http.response.mime_type"},
};

bool has(const imds_alert_record& record, imds_alert_flags flag) {
  return (record.flags & static_cast<std::uint32_t>(flag)) != 0;
}

bool is_cut(const imds_alert_record& record, imds_alert_truncated bit) {
  return (record.truncated & static_cast<std::uint32_t>(bit)) != 0;
}

// Of a TLS connection, whose name stands in the place of a request's.
bool is_use(const imds_alert_record& record) {
  return view(record.event) == event::name(event::EventType::credentials_used);
}

std::size_t vlan_count(const imds_alert_record& record) {
  return std::min<std::size_t>(record.vlan_count, std::size(record.vlans));
}

// Bits that this build does not know are a newer writer's.
event::Timeline story_of(const imds_alert_record& record) {
  event::Timeline story;
  story.reached = static_cast<std::uint8_t>(record.story.reached & IMDS_ALERT_STAGES);
  std::copy_n(record.story.after_ms, story.after_ms.size(), story.after_ms.begin());
  return story;
}

std::string story_text(const event::Timeline& story) {
  std::array<char, event::kMaxTimelineText> room;
  return std::string(event::timeline_text(story, room));
}

std::string mac_text(const imds_alert_peer& peer) {
  return MacAddress::wire(peer.mac).to_string();
}

// Creates the path of objects only when there is something to put in.
template <typename Text>
void put(Json& root, std::initializer_list<const char*> path, const Text& text) {
  const std::string_view value = view(text);
  if (value.empty()) {
    return;
  }
  Json* node = &root;
  for (const char* name : path) {
    node = &(*node)[name];
  }
  *node = to_valid_utf8(value);
}

unsigned visibility(const imds_alert_record& record) {
  return record.visibility | unsigned{record.visibility_more} << 8;
}

std::vector<std::string_view> visibility_words(const imds_alert_record& record) {
  std::vector<std::string_view> words;
  for (const event::VisibilityName& entry : event::visibility_names()) {
    if ((visibility(record) & entry.bit) != 0) {
      words.push_back(entry.name);
    }
  }
  return words;
}

void put_peer(Json& root, const char* side, const imds_alert_record& record,
              const imds_alert_peer& peer) {
  const IpAddress address = address_of(peer);
  if (address.is_set()) {
    root[side]["ip"] = address.to_string();
  }
  // A correlation's events may have only one side's port in common.
  if (has(record, IMDS_ALERT_HAS_PORTS) && (address.is_set() || peer.port != 0)) {
    root[side]["port"] = peer.port;
  }
  if (peer.has_mac != 0) {
    root[side]["mac"] = mac_text(peer);
  }
}

void put_network(Json& root, const imds_alert_record& record) {
  if (record.ip_protocol != 0) {
    root["network"]["transport"] = event::transport_name(record.ip_protocol);
  }
  // ECS knows two tags: the outer one, and the innermost one under network.inner.
  if (const std::size_t count = vlan_count(record); count > 0) {
    root["network"]["vlan"]["id"] = record.vlans[0];
    if (count > 1) {
      root["network"]["inner"]["vlan"]["id"] = record.vlans[count - 1];
    }
  }
  put(root, {"network", "community_id"}, record.community_id);
}

void put_tunnel(Json& imds, const imds_alert_tunnel& tunnel) {
  if (tunnel.depth == 0) {
    return;
  }
  Json& out = imds["tunnel"];
  put(out, {"path"}, tunnel.path);
  out["depth"] = tunnel.depth;
  if (tunnel.has_id != 0) {
    out["id"] = tunnel.id;
  }
  if (const IpAddress source = address_of(tunnel.source); source.is_set()) {
    out["source"]["ip"] = source.to_string();
  }
  if (const IpAddress destination = address_of(tunnel.destination); destination.is_set()) {
    out["destination"]["ip"] = destination.to_string();
  }
}

void put_imds(Json& root, const imds_alert_record& record) {
  Json& imds = root["imds"];
  put(imds, {"event"}, record.event);
  put(imds, {"endpoint"}, record.endpoint);
  put_evidence(imds, record.evidence);
  if (const event::Timeline story = story_of(record); story.reached != 0) {
    imds["stage"] = event::name(story.furthest());
    imds["timeline"] = story_text(story);
  }
  put_exchange(imds, record.exchange);
  put_packets(imds, record);
  if (visibility(record) != 0) {
    imds["visibility"] = visibility_words(record);
  }
  put_tunnel(imds, record.tunnel);
  if (record.suppressed_repeats > 0) {
    imds["suppressed_repeats"] = record.suppressed_repeats;
  }
  if (has(record, IMDS_ALERT_IS_TEST)) {
    imds["test"] = true;
  }
  for (const CutName& cut : kCutNames) {
    if (is_cut(record, cut.bit)) {
      imds["truncated"].push_back(cut.field);
    }
  }
}

// Every text went through to_valid_utf8; `replace` only makes dump() unable to throw.
std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  }
  return out;
}

// EVE numbers signatures; ours have names. The same id always gives the same number.
std::uint32_t signature_number(std::string_view rule_id) {
  return (mix32(crc32c(0, rule_id.data(), rule_id.size())) & 0x7fffffffu) | 1u;
}

// EVE: 1 is the most severe.
int eve_severity(std::uint8_t severity) {
  return severity >= 4 ? 1 : severity == 3 ? 2 : 3;
}

// By the names Suricata's classification.config gives them. What no receiver would have sent is an
// anomaly of the protocol, everything else an attempt to learn something.
std::string_view eve_category(const imds_alert_record& record) {
  const auto type = event::event_type(view(record.event));
  const bool anomaly =
      type == event::EventType::tcp_overlap_conflict || type == event::EventType::fragment_overlap;
  return anomaly ? "Generic Protocol Command Decode" : "Attempted Information Leak";
}

Json eve_alert(const imds_alert_record& record) {
  Json alert;
  alert["action"] = "allowed";
  alert["gid"] = 1;
  alert["signature_id"] = signature_number(view(record.rule_id));
  alert["rev"] = 1;
  alert["signature"] = to_valid_utf8(view(record.rule_name));
  alert["category"] = eve_category(record);
  alert["severity"] = eve_severity(record.severity);
  // Suricata writes each metadata key as a list of texts.
  Json& metadata = alert["metadata"];
  const auto add = [&metadata](const char* key, std::string_view value) {
    if (!value.empty()) {
      metadata[key].push_back(to_valid_utf8(value));
    }
  };
  add("event_id", id_text(record));
  add("rule_id", view(record.rule_id));
  add("rule_level", view(record.rule_level));
  add("imds_event", view(record.event));
  add("imds_endpoint", view(record.endpoint));
  if (const event::Timeline story = story_of(record); story.reached != 0) {
    add("imds_stage", event::name(story.furthest()));
    add("imds_timeline", story_text(story));
  }
  for_each_exchange_word(record.exchange, [&](const char* key, const std::string& value) {
    add((std::string("imds_") + key).c_str(), value);
  });
  for (const std::string_view word : visibility_words(record)) {
    add("imds_visibility", word);
  }
  for (const auto& [key, value] : evidence_metadata(record.evidence)) {
    add(key, value);
  }
  for (const auto& [key, value] : packets_metadata(record)) {
    add(key, value);
  }
  if (record.suppressed_repeats > 0) {
    add("imds_suppressed_repeats", std::to_string(record.suppressed_repeats));
  }
  if (has(record, IMDS_ALERT_IS_TEST)) {
    add("imds_test", "true");
  }
  return alert;
}

Json eve_http(const imds_alert_record& record) {
  Json http;
  if (!is_use(record)) {
    put(http, {"hostname"}, record.url_domain);
  }
  put(http, {"url"}, record.url_original);
  put(http, {"http_user_agent"}, record.user_agent);
  put(http, {"http_method"}, record.http_method);
  if (record.exchange.http_status != 0) {
    http["status"] = record.exchange.http_status;
  }
  put(http, {"http_content_type"}, record.exchange.mime_type);
  if (const std::string_view version = view(record.http_version); !version.empty()) {
    http["protocol"] = "HTTP/" + to_valid_utf8(version);
  }
  return http;
}

// Suricata's object of that name, with what it does not tell: the way there and the network's id.
Json eve_tunnel(const imds_alert_tunnel& tunnel) {
  Json out;
  if (const IpAddress source = address_of(tunnel.source); source.is_set()) {
    out["src_ip"] = source.to_string();
  }
  if (const IpAddress destination = address_of(tunnel.destination); destination.is_set()) {
    out["dest_ip"] = destination.to_string();
  }
  out["depth"] = tunnel.depth;
  put(out, {"path"}, tunnel.path);
  if (tunnel.has_id != 0) {
    out["id"] = tunnel.id;
  }
  return out;
}

// --- text for people ---

constexpr std::string_view kReset = "\x1b[0m";

std::string_view colour_of(std::uint8_t severity) {
  switch (severity) {
    case 5:
      return "\x1b[1;31m";
    case 4:
      return "\x1b[31m";
    case 3:
      return "\x1b[33m";
    case 2:
      return "\x1b[36m";
    default:
      return "\x1b[2m";
  }
}

std::string peer_text(const imds_alert_record& record, const imds_alert_peer& peer) {
  const IpAddress address = address_of(peer);
  std::string out = address.is_set()    ? address.to_string()
                    : peer.has_mac != 0 ? mac_text(peer)
                                        : "?";
  if (has(record, IMDS_ALERT_HAS_PORTS)) {
    out = (address.is_v6() ? "[" + out + "]" : out) + ":" + std::to_string(peer.port);
  }
  return out;
}

// " via gre/vxlan 42 (10.0.0.1 > 10.0.0.2)"
std::string tunnel_text(const imds_alert_tunnel& tunnel) {
  if (tunnel.depth == 0) {
    return {};
  }
  std::string out = " via " + escape_for_terminal(view(tunnel.path));
  if (tunnel.has_id != 0) {
    out += " " + std::to_string(tunnel.id);
  }
  const IpAddress source = address_of(tunnel.source);
  const IpAddress destination = address_of(tunnel.destination);
  if (source.is_set() && destination.is_set()) {
    out += " (" + source.to_string() + " > " + destination.to_string() + ")";
  }
  return out;
}

template <typename Text>
std::string shown(const imds_alert_record& record, const Text& text, imds_alert_truncated bit) {
  return escape_for_terminal(view(text)) + (is_cut(record, bit) ? "…" : "");
}

std::string first_line(const imds_alert_record& record, bool colour) {
  const std::string_view level = view(record.rule_level);
  std::string shown_level = upper(
      escape_for_terminal(level.empty() ? "severity " + std::to_string(record.severity) : level));
  std::string out = to_rfc3339(Timestamp{record.time_ns}) + "  ";
  out += colour ? std::string(colour_of(record.severity)) + shown_level + std::string(kReset)
                : shown_level;
  out += "  " + shown(record, record.rule_name, IMDS_ALERT_CUT_RULE_NAME) + "  ";
  out += escape_for_terminal(view(record.event)) + "  ";
  out += peer_text(record, record.source) + " -> " + peer_text(record, record.destination);
  if (record.ip_protocol != 0) {
    out += " " + std::string(event::transport_name(record.ip_protocol));
  }
  for (std::size_t i = 0; i < vlan_count(record); ++i) {
    out += (i == 0 ? " vlan " : ".") + std::to_string(record.vlans[i]);
  }
  out += tunnel_text(record.tunnel);
  if (record.endpoint.length > 0) {
    out += " (" + shown(record, record.endpoint, IMDS_ALERT_CUT_ENDPOINT) + ")";
  }
  for (const std::string_view word : visibility_words(record)) {
    out += " " + std::string(word);
  }
  if (record.suppressed_repeats > 0) {
    out += " (" + std::to_string(record.suppressed_repeats) + " more since the last)";
  }
  if (has(record, IMDS_ALERT_IS_TEST)) {
    out += " TEST";
  }
  return out;
}

// The request, with the normalised path where it is not plain to see in what was sent.
std::string request_line(const imds_alert_record& record) {
  std::string out = shown(record, record.http_method, IMDS_ALERT_CUT_HTTP_METHOD);
  if (record.url_original.length > 0) {
    out +=
        (out.empty() ? "" : " ") + shown(record, record.url_original, IMDS_ALERT_CUT_URL_ORIGINAL);
  }
  const std::string_view path = view(record.url_path);
  if (!path.empty() && view(record.url_original).find(path) == std::string_view::npos) {
    out += "  means " + shown(record, record.url_path, IMDS_ALERT_CUT_URL_PATH);
  }
  if (record.url_domain.length > 0) {
    out += (is_use(record) ? "TLS to " : "  host ") +
           shown(record, record.url_domain, IMDS_ALERT_CUT_URL_DOMAIN);
  }
  if (record.user_agent.length > 0) {
    out += "  agent \"" + shown(record, record.user_agent, IMDS_ALERT_CUT_USER_AGENT) + "\"";
  }
  return out;
}

}  // namespace

std::string to_ecs_json(const imds_alert_record& record) {
  Json root;
  root["@timestamp"] = to_rfc3339(Timestamp{record.time_ns});
  Json& event = root["event"];
  event["id"] = id_text(record);
  event["kind"] = "alert";
  event["category"] = Json::array({"network"});
  put(event, {"action"}, record.event);
  event["severity"] = record.severity;
  put(root, {"rule", "id"}, record.rule_id);
  put(root, {"rule", "name"}, record.rule_name);
  put(root, {"rule", "level"}, record.rule_level);
  put_peer(root, "source", record, record.source);
  put_peer(root, "destination", record, record.destination);
  put_network(root, record);
  put(root, {"http", "request", "method"}, record.http_method);
  put_response(root, record.exchange);
  put(root, {"url", "original"}, record.url_original);
  put(root, {"url", "path"}, record.url_path);
  if (is_use(record)) {
    put(root, {"tls", "client", "server_name"}, record.url_domain);
  } else {
    put(root, {"url", "domain"}, record.url_domain);
  }
  put(root, {"user_agent", "original"}, record.user_agent);
  put(root, {"dns", "question", "name"}, record.evidence.dns_name);
  put(root, {"observer", "hostname"}, record.hostname);
  put(root, {"observer", "ingress", "interface", "name"}, record.interface_name);
  put_imds(root, record);
  return one_line(root);
}

std::string to_eve_json(const imds_alert_record& record) {
  Json root;
  std::string time = to_rfc3339(Timestamp{record.time_ns});
  time.replace(time.size() - 1, 1, "+0000");
  root["timestamp"] = time;
  root["event_type"] = "alert";
  put(root, {"in_iface"}, record.interface_name);
  const auto add_peer = [&](const char* ip, const char* port, const imds_alert_peer& peer) {
    if (const IpAddress address = address_of(peer); address.is_set()) {
      root[ip] = address.to_string();
    }
    if (has(record, IMDS_ALERT_HAS_PORTS) && (root.contains(ip) || peer.port != 0)) {
      root[port] = peer.port;
    }
  };
  add_peer("src_ip", "src_port", record.source);
  add_peer("dest_ip", "dest_port", record.destination);
  if (record.ip_protocol != 0) {
    root["proto"] = upper(event::transport_name(record.ip_protocol));
  }
  for (std::size_t i = 0; i < vlan_count(record); ++i) {
    root["vlan"].push_back(record.vlans[i]);
  }
  put(root, {"community_id"}, record.community_id);
  put(root, {"host"}, record.hostname);
  if (record.tunnel.depth > 0) {
    root["tunnel"] = eve_tunnel(record.tunnel);
  }
  root["alert"] = eve_alert(record);
  if (Json http = eve_http(record); !http.empty()) {
    root["app_proto"] = view(record.http_version) == "2" ? "http2" : "http";
    root["http"] = std::move(http);
  } else if (event::event_type(view(record.event)) == event::EventType::http2_mid_stream) {
    root["app_proto"] = "http2";
  } else if (event::event_type(view(record.event)) == event::EventType::dns) {
    root["app_proto"] = "dns";
  } else if (is_use(record)) {
    root["app_proto"] = "tls";
    put(root, {"tls", "sni"}, record.url_domain);
  }
  return one_line(root);
}

std::string to_text(const imds_alert_record& record, bool colour) {
  std::string out = first_line(record, colour);
  for (const std::string& line : {request_line(record), evidence_line(record)}) {
    out += line.empty() ? line : "\n    " + line;
  }
  if (const event::Timeline story = story_of(record); story.reached != 0) {
    out += "\n    story " + story_text(story);
  }
  if (const std::string answer = answer_line(record.exchange); !answer.empty()) {
    out += "\n    " + answer;
  }
  if (const std::string packets = packets_line(record); !packets.empty()) {
    out += "\n    " + packets;
  }
  return out;
}

}  // namespace imds::alert
