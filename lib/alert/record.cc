#include "alert/record.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "alert/community_id.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "copy_fields.h"
#include "sha1.h"

namespace imds::alert {
namespace {

// The segment's codes are the engine's.
static_assert(int{IMDS_ALERT_DIRECTION_GUESSED} == int{event::kDirectionGuessed});
static_assert(int{IMDS_ALERT_MID_STREAM} == int{event::kMidStream});
static_assert(int{IMDS_ALERT_RESPONSES_ONLY} == int{event::kResponsesOnly});
static_assert(int{IMDS_ALERT_CAPTURE_TRUNCATED} == int{event::kCaptureTruncated});
static_assert(int{IMDS_ALERT_STREAM_GAP} == int{event::kStreamGap});
static_assert(int{IMDS_ALERT_SECOND_READING} == int{event::kSecondReading});
static_assert(int{IMDS_ALERT_ANSWER_ICMP} == int{static_cast<int>(event::Answer::icmp)});
static_assert(std::size_t{IMDS_ALERT_ANSWER_ICMP} + 1 == event::kAnswerCount);
static_assert(std::size_t{IMDS_ALERT_CLAIM_DNS_METADATA_NAME} + 1 == event::kClaimKindCount);
static_assert(int{IMDS_ALERT_CLAIM_ICMP_REDIRECT} ==
              static_cast<int>(event::ClaimKind::icmp_redirect));
static_assert(int{IMDS_ALERT_CLAIM_DHCPV6_LEASE} ==
              static_cast<int>(event::ClaimKind::dhcpv6_lease));
static_assert(int{IMDS_ALERT_SIGN_MAC_MISMATCH} == int{event::kMacMismatch});
static_assert(int{IMDS_ALERT_SIGN_OVERLOADED} == int{event::kOverloaded});
static_assert(int{IMDS_ALERT_STAGE_CLAIMED} == 1 << int(event::Stage::claimed));
static_assert(int{IMDS_ALERT_STAGE_ATTEMPTED} == 1 << int(event::Stage::attempted));
static_assert(int{IMDS_ALERT_STAGE_ANSWERED} == 1 << int(event::Stage::answered));
static_assert(int{IMDS_ALERT_STAGE_TOKEN} == 1 << int(event::Stage::token));
static_assert(int{IMDS_ALERT_STAGE_CREDENTIALS} == 1 << int(event::Stage::credentials));
static_assert(int{IMDS_ALERT_STAGE_USED} == 1 << int(event::Stage::used));
static_assert(std::size(imds_alert_story{}.after_ms) >= event::kStageCount);
static_assert(int{IMDS_ALERT_REQUESTS_ONLY} == int{event::kRequestsOnly});
static_assert(int{IMDS_ALERT_REQUEST_UNSEEN} == int{event::kRequestUnseen});
static_assert(int{IMDS_ALERT_BODY_INCOMPLETE} == int{event::kBodyIncomplete});
static_assert(IMDS_ALERT_DELIVERED_USER_DATA == int{static_cast<int>(event::Delivered::user_data)});
static_assert(IMDS_ALERT_ACCOUNT_CONFLICTING ==
              int{static_cast<int>(event::AccountSource::conflicting)});
static_assert(IMDS_ALERT_ACCOUNT_ON_WRONG_NETWORK ==
              int{static_cast<int>(event::AccountVerdict::wrong_network)});
static_assert(IMDS_ALERT_CONTENT_BINARY == int{static_cast<int>(event::ContentKind::binary)});
static_assert(sizeof(imds_alert_record::vlans) == sizeof(event::Finding::vlans));
static_assert(sizeof(imds_alert_text160::data) >= kMaxTunnelPathText);

// The namespace of alert ids; drawn at random once, never to change.
constexpr std::string_view kIdNamespace(
    "\x33\x8f\x2c\x48\x44\x78\x42\xb1\x87\x56\x11\xdd\xf8\x8b\x00\xd3", 16);

bool has_ports(std::uint8_t ip_protocol) {
  constexpr std::uint8_t kTcp = 6;
  constexpr std::uint8_t kUdp = 17;
  constexpr std::uint8_t kSctp = 132;
  return ip_protocol == kTcp || ip_protocol == kUdp || ip_protocol == kSctp;
}

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

// The lines that `size` bytes from `begin` on stand in; size > 0.
constexpr RecordLines lines(std::size_t begin, std::size_t size) {
  const std::size_t first = begin / kRecordLine;
  const std::size_t last = (begin + size - 1) / kRecordLine;
  return kAllLines >> (63 - last) & kAllLines << first;
}

// Writes a name that is hashed, into room that is long enough for the longest.
class Name {
 public:
  explicit Name(std::span<std::uint8_t> room) : room_(room) {}
  void add_byte(std::uint8_t value) { room_[size_++] = value; }
  void add(std::string_view text) {
    copy_bytes(&room_[size_], text.data(), text.size());
    size_ += text.size();
  }
  void add_number(std::uint64_t value) {
    store_be32(&room_[size_], static_cast<std::uint32_t>(value >> 32));
    store_be32(&room_[size_ + 4], static_cast<std::uint32_t>(value));
    size_ += sizeof value;
  }
  void add(const event::Peer& peer) {
    add_byte(static_cast<std::uint8_t>(peer.ip.family));
    std::memcpy(&room_[size_], peer.ip.bytes.data(), peer.ip.bytes.size());
    size_ += peer.ip.bytes.size();
    add_number(peer.port);
  }
  void add(const MacAddress& mac) {
    std::memcpy(&room_[size_], mac.bytes.data(), mac.bytes.size());
    size_ += mac.bytes.size();
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::span<std::uint8_t> room_;
  std::size_t size_ = 0;
};

}  // namespace

RecordMaker::RecordMaker(const RedactionOptions& redaction) : redactor_(redaction) {}

// `field` holds `size` bytes of text now: says where, and clears what a longer one left behind.
template <typename Field>
void RecordMaker::finish(Field& field, std::size_t size) {
  if (field.length > size) {
    zero_bytes<sizeof field.data>(field.data + size, field.length - size);
  }
  field.length = static_cast<std::uint16_t>(size);
  if (size > 0) {
    const auto begin = static_cast<std::size_t>(reinterpret_cast<const unsigned char*>(&field) -
                                                reinterpret_cast<unsigned char*>(&out_.record));
    out_.lines |= lines(begin, offsetof(Field, data) + size);
  }
}

void RecordMaker::mark(imds_alert_truncated bit, bool cut) {
  out_.record.truncated |= cut ? static_cast<std::uint32_t>(bit) : 0;
}

template <typename Field>
void RecordMaker::set(Field& field, std::string_view text, imds_alert_truncated bit, bool cut) {
  const std::size_t size = std::min(text.size(), sizeof field.data);
  copy_bytes<sizeof field.data>(field.data, text.data(), size);
  finish(field, size);
  mark(bit, cut || size < text.size());
}

template <typename Field, std::size_t Capacity>
void RecordMaker::set_masked(Field& field, const FixedText<Capacity>& text, Redactor::Form form,
                             imds_alert_truncated bit) {
  static_assert(Capacity <= kMaxMaskable);
  const Redactor::Masked masked = redactor_.mask(text.view(), form, text.truncated, field.data);
  finish(field, masked.length);
  mark(bit, masked.cut || text.truncated);
}

void RecordMaker::set_story(const event::Timeline& story) {
  imds_alert_story& out = out_.record.story;
  out.reached = story.reached;
  std::copy(story.after_ms.begin(), story.after_ms.end(), out.after_ms);
  if (story.reached != 0) {
    out_.lines |= lines(offsetof(imds_alert_record, story), sizeof out);
  }
}

void RecordMaker::set_tunnel(const event::Finding& finding) {
  imds_alert_tunnel& out = out_.record.tunnel;
  if (!finding.has(event::Part::tunnel) || !finding.tunnel.is_set()) {
    if (out.depth > 0) {
      std::memset(&out, 0, sizeof out);
    }
    return;
  }
  const Tunnel& tunnel = finding.tunnel;
  std::array<char, kMaxTunnelPathText> room;
  const std::string_view path = path_text(tunnel.path, room);
  std::memcpy(out.path.data, path.data(), path.size());
  finish(out.path, path.size());
  out.depth = static_cast<std::uint8_t>(std::min<std::size_t>(tunnel.path.count, kMaxTunnels));
  out.has_id = tunnel.has_id ? 1 : 0;
  out.id = tunnel.has_id ? tunnel.id : 0;
  set_address(out.source, tunnel.source);
  set_address(out.destination, tunnel.destination);
  out_.lines |= lines(offsetof(imds_alert_record, tunnel), offsetof(imds_alert_tunnel, path));
}

void RecordMaker::set_evidence(const event::Finding& finding) {
  const event::EvidenceFields& from = finding.evidence;
  imds_alert_evidence& out = out_.record.evidence;
  const bool is_there = finding.has(event::Part::evidence) &&
                        !(from == event::EvidenceFields{} && finding.dns_name.empty());
  if (!is_there) {
    if (has_evidence_) {
      std::memset(&out, 0, sizeof out);
    }
    has_evidence_ = false;
    return;
  }
  has_evidence_ = true;
  out.answer = static_cast<std::uint8_t>(from.answer);
  out.claim = static_cast<std::uint8_t>(from.claim);
  out.ttl = from.ttl;
  out.has_hops = from.hop_distance ? 1 : 0;
  out.hop_distance = from.hop_distance.value_or(0);
  out.signs = from.signs;
  set_address(out.prefix, from.prefix.address);
  out.prefix_length = from.prefix.length;
  set_address(out.gateway, from.gateway);
  std::memcpy(out.claimed_mac, from.claimed_mac.bytes.data(), sizeof out.claimed_mac);
  std::memcpy(out.previous_mac, from.previous_mac.bytes.data(), sizeof out.previous_mac);
  out_.lines |=
      lines(offsetof(imds_alert_record, evidence), offsetof(imds_alert_evidence, dns_name));
  set(out.dns_name, finding.dns_name.view(), IMDS_ALERT_CUT_DNS_NAME, finding.dns_name.truncated);
}

void RecordMaker::set_exchange(const event::Finding& finding) {
  imds_alert_exchange& out = out_.record.exchange;
  if (!finding.has_exchange) {
    if (has_exchange_) {
      std::memset(&out, 0, sizeof out);
    }
    has_exchange_ = false;
    return;
  }
  has_exchange_ = true;
  const event::FindingExchange& from = finding.exchange;
  out.aws_account_id = from.account;
  out.expiration = from.expiration;
  out.body_bytes = from.body_bytes;
  out.token_length = from.token_length;
  out.token_ttl = from.token_ttl;
  out.http_status = from.status;
  out.has_body_bytes = from.has_body_bytes ? 1 : 0;
  out.imds_version = from.version;
  out.forwarded = from.forwarded ? 1 : 0;
  out.delivered = static_cast<std::uint8_t>(from.delivered);
  out.content = static_cast<std::uint8_t>(from.content);
  out.account_source = static_cast<std::uint8_t>(from.account_source);
  out.account_expected = static_cast<std::uint8_t>(from.account_expected);
  constexpr auto kNoBit = static_cast<imds_alert_truncated>(0);  // never longer than its field
  set(out.client_kind, from.client_kind.view(), kNoBit);
  out_.lines |= lines(offsetof(imds_alert_record, exchange), offsetof(imds_alert_exchange, region));
  if (!finding.has(event::Part::answer)) {
    clear(out.region, out.access_key_id, out.server, out.mime_type, out.role);
    return;
  }
  set(out.region, from.region.view(), kNoBit);
  set(out.access_key_id, from.access_key_id.view(), kNoBit);
  set(out.server, from.server.view(), IMDS_ALERT_CUT_SERVER, from.server.truncated);
  set(out.mime_type, from.mime_type.view(), IMDS_ALERT_CUT_MIME_TYPE, from.mime_type.truncated);
  set(out.role, from.role.view(), kNoBit);
}

void RecordMaker::set_request(const event::Finding& finding) {
  imds_alert_record& out = out_.record;
  if (!finding.has(event::Part::request)) {
    clear(out.http_method, out.http_version, out.user_agent, out.url_original, out.url_path,
          out.url_domain);
    return;
  }
  const auto copy = [this](auto& field, const auto& text, imds_alert_truncated bit) {
    set(field, text.view(), bit, text.truncated);
  };
  copy(out.http_method, finding.method, IMDS_ALERT_CUT_HTTP_METHOD);
  copy(out.http_version, finding.http_version, IMDS_ALERT_CUT_HTTP_VERSION);
  copy(out.user_agent, finding.user_agent, IMDS_ALERT_CUT_USER_AGENT);
  set_masked(out.url_original, finding.target, Redactor::Form::target, IMDS_ALERT_CUT_URL_ORIGINAL);
  set_masked(out.url_path, finding.path, Redactor::Form::path, IMDS_ALERT_CUT_URL_PATH);
  set_masked(out.url_domain, finding.domain, Redactor::Form::domain, IMDS_ALERT_CUT_URL_DOMAIN);
}

void RecordMaker::set_packets(const event::KeptPackets& kept) {
  imds_alert_packets& out = out_.record.packets;
  if (!kept.is_set()) {
    out = {};
    return;
  }
  out.run = kept.run;
  out.file = kept.file;
  out.last = kept.last;
  out.completes = kept.completes ? 1 : 0;
  out.before = kept.before;
  out_.lines |= lines(offsetof(imds_alert_record, packets), sizeof out);
}

// What tells this finding's alerts from any other's, in a form that no machine or build changes.
void RecordMaker::set_name(const event::Finding& finding) {
  const imds_alert_record& record = out_.record;
  Name name(name_);
  name.add(kIdNamespace);
  name.add_number(static_cast<std::uint64_t>(finding.time.ns));
  name.add_number(finding.ip_protocol);
  name.add(finding.source);
  name.add(finding.destination);
  name.add_number(record.vlan_count);
  for (std::size_t i = 0; i < record.vlan_count; ++i) {
    name.add_number(record.vlans[i]);
  }
  name.add_number(finding.ordinal);
  // The same packet seen inside and outside a tunnel gives two alerts. No event's name begins with
  // this byte, so that alerts without a tunnel have the id they always had.
  if (record.tunnel.depth > 0) {
    name.add_byte(1);
    name.add(view(record.tunnel.path));
    name.add_byte(0);
    name.add_byte(record.tunnel.has_id);
    name.add_number(record.tunnel.id);
  }
  // Several claims of one packet; of other events there is nothing to tell apart.
  if (finding.has(event::Part::evidence) && finding.evidence.claim != event::ClaimKind::none) {
    name.add_byte(2);
    name.add_byte(static_cast<std::uint8_t>(finding.evidence.claim));
    name.add_byte(finding.evidence.prefix.length);
    name.add(event::Peer{finding.evidence.prefix.address, 0, {}});
    name.add(finding.evidence.claimed_mac);
  }
  name.add(event::name(finding.type));
  name.add_byte(0);
  name_size_ = name.size();
  hash_name();
}

// The rules of one finding share what is hashed of its name.
void RecordMaker::hash_name() {
  Sha1 hash;
  hash.add_blocks(name_.data(), name_size_ / Sha1::kBlock);
  name_hash_ = hash.state();
}

// A UUID of version 5 (RFC 4122, section 4.3).
void RecordMaker::set_id(const RuleFacts& rule) {
  constexpr std::size_t kBlocks = 4;  // no id is longer, unless it is a file's name
  constexpr std::size_t kMost = kBlocks * Sha1::kBlock;
  std::array<std::uint8_t, kMost + Sha1::kPadding> rest;
  const std::size_t hashed = name_size_ / Sha1::kBlock * Sha1::kBlock;
  std::size_t size = name_size_ - hashed;
  copy_bytes(rest.data(), &name_[hashed], size);
  Sha1 hash(name_hash_, hashed);
  std::string_view id = rule.id;
  while (size + id.size() > kMost) {
    copy_bytes(&rest[size], id.data(), kMost - size);
    id.remove_prefix(kMost - size);
    hash.add_blocks(rest.data(), kBlocks);
    size = 0;
  }
  copy_bytes(&rest[size], id.data(), id.size());
  const Sha1Digest digest = hash.finish(rest.data(), size + id.size());

  std::uint8_t* out = out_.record.id;
  std::memcpy(out, digest.data(), sizeof out_.record.id);
  out[6] = static_cast<std::uint8_t>((out[6] & 0x0f) | 0x50);
  out[8] = static_cast<std::uint8_t>((out[8] & 0x3f) | 0x80);
}

void RecordMaker::take(const event::Finding& finding, const ObserverNames& names,
                       const event::Timeline& story) {
  imds_alert_record& out = out_.record;
  out_.lines = lines(0, offsetof(imds_alert_record, rule_level));
  out.truncated = 0;
  out.time_ns = finding.time.ns;
  out.flags = has_ports(finding.ip_protocol) ? std::uint32_t{IMDS_ALERT_HAS_PORTS} : 0;
  out.flags |= finding.is_test ? std::uint32_t{IMDS_ALERT_IS_TEST} : 0;
  out.ip_protocol = finding.ip_protocol;
  out.visibility = static_cast<std::uint8_t>(finding.visibility);
  out.visibility_more = static_cast<std::uint8_t>(finding.visibility >> 8);
  out.worker = finding.worker;
  out.vlan_count =
      static_cast<std::uint8_t>(std::min<std::size_t>(finding.vlan_count, event::kMaxVlans));
  std::memset(out.vlans, 0, sizeof out.vlans);
  std::copy_n(finding.vlans.begin(), out.vlan_count, out.vlans);
  set_peer(out.source, finding.source);
  set_peer(out.destination, finding.destination);
  set_tunnel(finding);
  // What is hashed here and there does not depend on each other: the processor does both at once.
  set_name(finding);
  set_community(finding);
  set_evidence(finding);
  set_exchange(finding);
  set_packets(finding.kept);

  mark(IMDS_ALERT_CUT_RULES, finding.rules_truncated);
  set_event(event::name(finding.type));
  set(out.endpoint, finding.endpoint.view(), IMDS_ALERT_CUT_ENDPOINT, finding.endpoint.truncated);
  set_request(finding);
  set(out.hostname, names.hostname, IMDS_ALERT_CUT_HOSTNAME);
  set(out.interface_name, names.interface_name, IMDS_ALERT_CUT_INTERFACE);
  set_story(story);
  finding_lines_ = out_.lines;
  finding_truncated_ = out.truncated;
}

void RecordMaker::set_community(const event::Finding& finding) {
  std::array<char, kCommunityIdText> room;
  const std::string_view id =
      community_id(finding.source.ip, finding.destination.ip, finding.ip_protocol,
                   finding.source.port, finding.destination.port, room);
  copy_bytes<kCommunityIdText>(out_.record.community_id.data, id.data(), id.size());
  finish(out_.record.community_id, id.size());
}

void RecordMaker::set_event(std::string_view name) {
  imds_alert_record& out = out_.record;
  copy_bytes(out.event.data, name.data(), name.size());
  finish(out.event, name.size());
}

namespace {

bool contains(std::span<const event::FieldId> fields, event::FieldId field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

}  // namespace

void RecordMaker::take_correlated(const event::Finding& finding,
                                  std::span<const event::FieldId> shown, std::uint8_t part,
                                  const ObserverNames& names, const event::Timeline& story) {
  using event::FieldId;
  take(finding, names);
  const std::array<std::uint8_t, kNameRoom> whole = name_;
  const std::size_t whole_size = name_size_;

  event::Finding common{};
  common.time = finding.time;
  common.type = finding.type;
  common.worker = finding.worker;
  common.is_test = finding.is_test;
  common.ingress_port = finding.ingress_port;
  common.visibility = finding.visibility;
  common.kept = finding.kept;  // of the event that completed it
  for (const FieldId field : shown) {
    copy_field(common, finding, field);
  }
  if (finding.has(event::Part::tunnel) && contains(shown, FieldId::imds_tunnel_path) &&
      contains(shown, FieldId::imds_tunnel_id)) {
    common.tunnel = finding.tunnel;
  }
  take(common, names, contains(shown, FieldId::source_ip) ? story : event::Timeline{});
  const bool is_flow =
      contains(shown, FieldId::source_ip) && contains(shown, FieldId::source_port) &&
      contains(shown, FieldId::destination_ip) && contains(shown, FieldId::destination_port);
  if (!is_flow) {
    finish(out_.record.community_id, 0);
  }
  set_event(kCorrelationEvent);
  finding_lines_ = out_.lines;

  name_ = whole;
  Name name(std::span<std::uint8_t>(name_).subspan(whole_size));
  name.add(kCorrelationEvent);
  name.add_byte(part);
  name.add_byte(0);
  name_size_ = whole_size + name.size();
  hash_name();
}

const SparseRecord& RecordMaker::make(const RuleFacts& rule, std::uint64_t repeats) {
  imds_alert_record& out = out_.record;
  out_.lines = finding_lines_;
  out.truncated = finding_truncated_;
  out.severity = static_cast<std::uint8_t>(std::clamp(rule.severity, 1, 5));
  out.suppressed_repeats = static_cast<std::uint32_t>(std::min<std::uint64_t>(repeats, UINT32_MAX));
  if (repeats > 0) {
    out_.lines |= lines(offsetof(imds_alert_record, suppressed_repeats), sizeof(std::uint32_t));
  }
  set(out.rule_id, rule.id, IMDS_ALERT_CUT_RULE_ID);
  set(out.rule_name, rule.name, IMDS_ALERT_CUT_RULE_NAME);
  set(out.rule_level, rule.level, IMDS_ALERT_CUT_RULE_LEVEL);
  set_id(rule);
  return out_;
}

}  // namespace imds::alert
