// A typed event: what the engine saw, before any rule has judged it. Views only; valid during the
// call that hands it on. Building one never allocates.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/address.h"
#include "base/time.h"
#include "base/tunnel.h"
#include "event/dns.h"
#include "event/evidence.h"
#include "event/exchange.h"
#include "event/fields.h"

namespace imds::event {

enum class EventType : std::uint8_t {
  connection = 0,
  http_request,
  http_response,
  raw_match,
  tcp_overlap_conflict,
  fragment_overlap,
  responder,
  address_claim,
  token_issued,
  credentials_delivered,
  http2_mid_stream,  // HTTP/2 whose beginning was not seen, on a flow that touches an endpoint
  dns,               // a DNS query or answer, if a rule listens to it
  credentials_used,  // TLS to AWS by a client that credentials were delivered to
};
inline constexpr std::size_t kEventTypeCount = 13;

// The value of `imds.event`: "connection", "http_request", …
[[nodiscard]] std::string_view name(EventType type);
// The event of that exact name.
[[nodiscard]] std::optional<EventType> event_type(std::string_view name);

[[nodiscard]] constexpr std::uint32_t bit(EventType type) {
  return 1u << static_cast<unsigned>(type);
}

// What was not seen, or had to be guessed: bits of `imds.visibility`.
enum Visibility : std::uint16_t {
  kDirectionGuessed = 0x01,  // neither SYN nor a parsed head told client from server
  kMidStream = 0x02,         // the flow's beginning was not seen
  kResponsesOnly = 0x04,     // only the server's packets were seen so far
  kCaptureTruncated = 0x08,  // the capture cut the packet
  kStreamGap = 0x10,         // bytes of the stream are missing before or inside what was judged
  kSecondReading = 0x20,     // found only in the second reading of conflicting bytes
  kRequestsOnly = 0x40,      // the server has answered, and no packet of it was seen so far
  kRequestUnseen = 0x80,     // an answer whose request was not seen
  kBodyIncomplete = 0x100,   // the answer's body was not read to its end
};

struct VisibilityName {
  Visibility bit;
  std::string_view name;  // "direction_guessed", …
};
// In order of bits. No name is part of another.
[[nodiscard]] std::span<const VisibilityName> visibility_names();

struct Peer {
  IpAddress ip;
  std::uint16_t port = 0;
  MacAddress mac;  // zero: not known
};

inline constexpr std::size_t kMaxVlans = 4;

// Who talked to whom: `source` is the client, `destination` the server, also on answers.
struct FlowContext {
  Peer source;
  Peer destination;
  std::uint8_t ip_protocol = 0;                  // IANA number
  std::array<std::uint16_t, kMaxVlans> vlans{};  // outermost first
  std::uint8_t vlan_count = 0;
  std::uint8_t ttl = 0;  // or hop limit, of the packet that completed the event; 0: not known
  std::uint16_t visibility = 0;    // Visibility bits
  std::uint16_t ingress_port = 0;  // index of the configured port
  // Of the packet that completed the event. Its addresses are as that packet had them: not turned
  // round for answers, since a mirror's tunnel leads one way for both directions of a flow.
  Tunnel tunnel;
  std::string_view endpoint;   // configured name, empty if neither side is an endpoint
  std::string_view direction;  // see event/direction.h; empty: no rule asks for it
};

// Two readings of the same text; they are equal (same pointer) when normalising changed nothing.
struct TwoReadings {
  std::string_view raw;
  std::string_view normalised;
};

// Set for http_request, and for answers whose request was seen; a view with data() == nullptr is an
// absent field.
struct HttpRequestFields {
  std::string_view method;
  TwoReadings target;
  TwoReadings path;
  TwoReadings query;
  TwoReadings domain;
  std::string_view host;
  std::string_view user_agent;
  std::string_view headers;  // "Name: value\n"…, unfolded
  std::string_view version;
};

// Set for http_response, token_issued and credentials_delivered.
struct HttpResponseFields {
  std::uint16_t status = 0;  // 0: absent
  std::string_view headers;  // "Name: value\n"…, unfolded; data() == nullptr: absent
};

struct Event {
  EventType type = EventType::connection;
  Timestamp time;
  FlowContext flow;
  HttpRequestFields http;
  HttpResponseFields response;
  EvidenceFields evidence;
  std::string_view dns_name;  // dns, address_claim by DNS: the name asked for; empty: none
  DnsFields dns;
  ExchangeFields exchange;
  std::string_view server_name;  // credentials_used: asked for by the ClientHello, in lower case
  std::string_view raw;          // raw_match: the scanned bytes
  std::uint32_t ordinal = 0;     // how many events of this type this flow raised before
  bool is_test = false;          // made by --inject-test
  // What the story adds, which workers do not know: "answered", and
  // "attempted+0.000s answered+0.001s". Empty: the event belongs to no story.
  std::string_view stage;
  std::string_view timeline;
  std::string_view reached;  // the stage that this event reached as the first
};

// Whether the event is part of the story of its client and its server. Test requests are of none.
[[nodiscard]] bool has_story(EventType type, bool is_test, bool at_endpoint);
[[nodiscard]] bool has_story(const Event& event);
// Whether it may carry that story further, so that the story has to know of it, rules or none.
[[nodiscard]] bool moves_story(const Event& event);

// Events that are of a story whatever their addresses: they prove by themselves what the server is.
inline constexpr std::array kAlwaysOfStory{
    EventType::token_issued, EventType::credentials_delivered, EventType::credentials_used};

// One field's value. Text has two readings where the field has; a comparison holds if either
// satisfies it.
struct FieldValue {
  enum class Kind : std::uint8_t { absent, text, number, address } kind = Kind::absent;
  TwoReadings text;
  std::int64_t number = 0;
  IpAddress address;
  // VLAN ids: more than one value; a comparison holds if any satisfies it.
  std::array<std::uint16_t, kMaxVlans> numbers{};
  std::uint8_t number_count = 0;  // >0: `numbers` instead of `number`
};

// `scratch` (the caller's) backs text that does not stand in the packet: a MAC, visibility names, a
// tunnel's path.
// It must outlive the value and serves one value at a time.
struct FieldScratch {
  std::array<char, kMaxTunnelPathText> bytes;
};
// What the event says about a field; `absent` where it says nothing. Never allocates.
// - In raw_match the stream's bytes stand for `url` and `request_headers` too; only `contains`
// means
//   anything there, because nothing says where a target or a header begins. The caller sees to
//   that.
// - imds.visibility is the names of all its bits, comma-separated.
// - Text has equal readings where the field has but one.
// - Single headers have as many values as there are lines: always `absent` here, see
//   for_each_header(). So has dns.answers.data: see DnsFields::answers.
[[nodiscard]] FieldValue value_of(const Event& event, FieldId field, FieldScratch& scratch);

// Calls visit(name, value) for every line of a header text ("Name: value\n"…) that has a name.
template <typename Visit>
void for_each_header(std::string_view headers, Visit&& visit) {
  while (!headers.empty()) {
    const std::size_t end = std::min(headers.find('\n'), headers.size());
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end + 1, headers.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      continue;
    }
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(value.starts_with(' ') ? 1 : 0);
    visit(line.substr(0, colon), value);
  }
}

// ECS network.transport: the IANA keyword in lower case ("tcp", "udp", "icmp", "ipv6-icmp", …), for
// a protocol without a well-known one its number in decimal.
[[nodiscard]] std::string_view transport_name(std::uint8_t ip_protocol);

}  // namespace imds::event
