#include "alert/record.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>

#include "alert/community_id.h"

namespace imds::alert {
namespace {

// The segment's codes are the engine's.
static_assert(int{IMDS_ALERT_DIRECTION_GUESSED} == int{event::kDirectionGuessed});
static_assert(int{IMDS_ALERT_MID_STREAM} == int{event::kMidStream});
static_assert(int{IMDS_ALERT_RESPONSES_ONLY} == int{event::kResponsesOnly});
static_assert(int{IMDS_ALERT_CAPTURE_TRUNCATED} == int{event::kCaptureTruncated});
static_assert(int{IMDS_ALERT_STREAM_GAP} == int{event::kStreamGap});
static_assert(int{IMDS_ALERT_SECOND_READING} == int{event::kSecondReading});
static_assert(sizeof(imds_alert_record::vlans) == sizeof(event::Finding::vlans));
static_assert(sizeof(imds_alert_text160::data) >= kMaxTunnelPathText);

// The namespace of alert ids; drawn at random once, never to change.
constexpr boost::uuids::uuid kIdNamespace = {{0x33, 0x8f, 0x2c, 0x48, 0x44, 0x78, 0x42, 0xb1, 0x87,
                                              0x56, 0x11, 0xdd, 0xf8, 0x8b, 0x00, 0xd3}};

bool has_ports(std::uint8_t ip_protocol) {
  constexpr std::uint8_t kTcp = 6;
  constexpr std::uint8_t kUdp = 17;
  constexpr std::uint8_t kSctp = 132;
  return ip_protocol == kTcp || ip_protocol == kUdp || ip_protocol == kSctp;
}

// Returns whether the text was cut to the field's capacity.
template <typename Field>
bool assign(Field& field, std::string_view text) {
  const std::size_t size = std::min(text.size(), sizeof field.data);
  if (size > 0) {
    std::memcpy(field.data, text.data(), size);
  }
  field.length = static_cast<std::uint16_t>(size);
  return size < text.size();
}

class Filler {
 public:
  explicit Filler(imds_alert_record& record) : record_(record) {}

  template <typename Field>
  void set(Field& field, std::string_view text, imds_alert_truncated bit) {
    mark(bit, assign(field, text));
  }
  template <typename Field, std::size_t Capacity>
  void set(Field& field, const FixedText<Capacity>& text, imds_alert_truncated bit) {
    mark(bit, assign(field, text.view()) || text.truncated);
  }
  template <typename Field, std::size_t Capacity>
  void set_masked(Field& field, const FixedText<Capacity>& text, const Redactor& redactor,
                  Redactor::Form form, imds_alert_truncated bit) {
    static_assert(Capacity <= kMaxMaskable);
    const Redactor::Masked masked = redactor.mask(text.view(), form, text.truncated, field.data);
    field.length = static_cast<std::uint16_t>(masked.length);
    mark(bit, masked.cut || text.truncated);
  }
  void mark(imds_alert_truncated bit, bool cut) {
    if (cut) {
      record_.truncated |= static_cast<std::uint32_t>(bit);
    }
  }

 private:
  imds_alert_record& record_;
};

void set_peer(imds_alert_peer& out, const event::Peer& peer) {
  std::memcpy(out.ip, peer.ip.bytes.data(), sizeof out.ip);
  out.family = static_cast<std::uint8_t>(peer.ip.family);
  out.port = peer.port;
  out.has_mac = peer.mac.is_zero() ? 0 : 1;
  std::memcpy(out.mac, peer.mac.bytes.data(), sizeof out.mac);
}

void set_address(imds_alert_address& out, const IpAddress& address) {
  std::memcpy(out.ip, address.bytes.data(), sizeof out.ip);
  out.family = static_cast<std::uint8_t>(address.family);
}

void set_tunnel(imds_alert_tunnel& out, const Tunnel& tunnel) {
  if (!tunnel.is_set()) {
    return;
  }
  std::array<char, kMaxTunnelPathText> room;
  assign(out.path, path_text(tunnel.path, room));
  out.depth = static_cast<std::uint8_t>(std::min<std::size_t>(tunnel.path.count, kMaxTunnels));
  out.has_id = tunnel.has_id ? 1 : 0;
  out.id = tunnel.has_id ? tunnel.id : 0;
  set_address(out.source, tunnel.source);
  set_address(out.destination, tunnel.destination);
}

// Everything that tells this alert from any other, in a form that no machine or build changes.
void set_id(imds_alert_record& record, const event::Finding& finding, const RuleFacts& rule) {
  std::string name;
  const auto add_number = [&name](std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      name.push_back(static_cast<char>(value >> shift));
    }
  };
  const auto add_peer = [&](const event::Peer& peer) {
    name.push_back(static_cast<char>(peer.ip.family));
    name.append(reinterpret_cast<const char*>(peer.ip.bytes.data()), peer.ip.bytes.size());
    add_number(peer.port);
  };
  add_number(static_cast<std::uint64_t>(finding.time.ns));
  add_number(finding.ip_protocol);
  add_peer(finding.source);
  add_peer(finding.destination);
  add_number(record.vlan_count);
  for (std::size_t i = 0; i < record.vlan_count; ++i) {
    add_number(record.vlans[i]);
  }
  add_number(finding.ordinal);
  // The same packet seen inside and outside a tunnel gives two alerts. No event's name begins with
  // this byte, so that alerts without a tunnel have the id they always had.
  if (record.tunnel.depth > 0) {
    name.push_back('\1');
    name += view(record.tunnel.path);
    name.push_back('\0');
    name.push_back(static_cast<char>(record.tunnel.has_id));
    add_number(record.tunnel.id);
  }
  name += event::name(finding.type);
  name.push_back('\0');
  name += rule.id;

  const boost::uuids::uuid id =
      boost::uuids::name_generator_sha1(kIdNamespace)(name.data(), name.size());
  std::memcpy(record.id, id.data, sizeof record.id);
}

template <typename Text>
bool fits(const Text& text) {
  return text.length <= sizeof text.data;
}

bool is_family(std::uint8_t family) {
  return family == 0 || family == 4 || family == 6;
}

bool is_valid(const imds_alert_tunnel& tunnel) {
  return tunnel.depth <= kMaxTunnels && tunnel.has_id <= 1 && is_family(tunnel.source.family) &&
         is_family(tunnel.destination.family) && fits(tunnel.path) &&
         (tunnel.depth > 0) == (tunnel.path.length > 0);
}

IpAddress address_of_wire(const std::uint8_t* ip, std::uint8_t family) {
  switch (family) {
    case 4:
      return IpAddress::v4_wire(ip);
    case 6:
      return IpAddress::v6_wire(ip);
    default:
      return {};
  }
}

}  // namespace

void make_record(const event::Finding& finding, const RuleFacts& rule, const ObserverNames& names,
                 const Redactor& redactor, imds_alert_record& out) {
  std::memset(&out, 0, sizeof out);
  Filler fill(out);
  out.time_ns = finding.time.ns;
  out.flags = has_ports(finding.ip_protocol) ? std::uint32_t{IMDS_ALERT_HAS_PORTS} : 0;
  out.flags |= finding.is_test ? std::uint32_t{IMDS_ALERT_IS_TEST} : 0;
  out.severity = static_cast<std::uint8_t>(std::clamp(rule.severity, 1, 5));
  out.ip_protocol = finding.ip_protocol;
  out.visibility = finding.visibility;
  out.worker = finding.worker;
  out.vlan_count =
      static_cast<std::uint8_t>(std::min<std::size_t>(finding.vlan_count, event::kMaxVlans));
  std::copy_n(finding.vlans.begin(), out.vlan_count, out.vlans);
  set_peer(out.source, finding.source);
  set_peer(out.destination, finding.destination);
  set_tunnel(out.tunnel, finding.tunnel);

  fill.set(out.rule_id, rule.id, IMDS_ALERT_CUT_RULE_ID);
  fill.set(out.rule_name, rule.name, IMDS_ALERT_CUT_RULE_NAME);
  fill.set(out.rule_level, rule.level, IMDS_ALERT_CUT_RULE_LEVEL);
  fill.mark(IMDS_ALERT_CUT_RULES, finding.rules_truncated);
  assign(out.event, event::name(finding.type));
  assign(out.community_id,
         community_id(finding.source.ip, finding.destination.ip, finding.ip_protocol,
                      finding.source.port, finding.destination.port));

  fill.set(out.endpoint, finding.endpoint, IMDS_ALERT_CUT_ENDPOINT);
  fill.set(out.http_method, finding.method, IMDS_ALERT_CUT_HTTP_METHOD);
  fill.set(out.http_version, finding.http_version, IMDS_ALERT_CUT_HTTP_VERSION);
  fill.set(out.user_agent, finding.user_agent, IMDS_ALERT_CUT_USER_AGENT);
  fill.set_masked(out.url_original, finding.target, redactor, Redactor::Form::target,
                  IMDS_ALERT_CUT_URL_ORIGINAL);
  fill.set_masked(out.url_path, finding.path, redactor, Redactor::Form::path,
                  IMDS_ALERT_CUT_URL_PATH);
  fill.set_masked(out.url_domain, finding.domain, redactor, Redactor::Form::domain,
                  IMDS_ALERT_CUT_URL_DOMAIN);
  fill.set(out.hostname, names.hostname, IMDS_ALERT_CUT_HOSTNAME);
  fill.set(out.interface_name, names.interface_name, IMDS_ALERT_CUT_INTERFACE);
  set_id(out, finding, rule);
}

bool is_valid(const imds_alert_record& r) {
  return r.severity >= 1 && r.severity <= 5 && r.vlan_count <= 4 && is_family(r.source.family) &&
         is_family(r.destination.family) && is_valid(r.tunnel) && r.event.length > 0 &&
         fits(r.event) && fits(r.rule_level) && fits(r.community_id) && fits(r.rule_id) &&
         fits(r.rule_name) && fits(r.endpoint) && fits(r.http_method) && fits(r.http_version) &&
         fits(r.url_original) && fits(r.url_path) && fits(r.url_domain) && fits(r.user_agent) &&
         fits(r.hostname) && fits(r.interface_name);
}

IpAddress address_of(const imds_alert_peer& peer) {
  return address_of_wire(peer.ip, peer.family);
}

IpAddress address_of(const imds_alert_address& address) {
  return address_of_wire(address.ip, address.family);
}

std::string id_text(const imds_alert_record& record) {
  boost::uuids::uuid id;
  std::memcpy(id.data, record.id, sizeof record.id);
  return boost::uuids::to_string(id);
}

}  // namespace imds::alert
