#include "event/event.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace imds::event {
namespace {

using Kind = FieldValue::Kind;

Event request() {
  Event event;
  event.type = EventType::http_request;
  event.flow.source = {IpAddress::v4(0x0a000007), 40123, {}};
  event.flow.destination = {IpAddress::v4(0xa9fea9fe), 80, {}};
  event.flow.ip_protocol = 6;
  event.http.method = "GET";
  event.http.target = {"/LATEST//meta-data", "/LATEST/meta-data"};
  event.http.path = {"/LATEST//meta-data", "/LATEST/meta-data"};
  event.http.query = {"", ""};
  event.http.domain = {"169.254.169.254", "169.254.169.254"};
  event.http.host = "169.254.169.254:80";
  event.http.headers = "Host: 169.254.169.254:80\n";
  event.http.version = "1.1";
  return event;
}

FieldValue get(const Event& event, FieldId field) {
  static FieldScratch scratch;
  return value_of(event, field, scratch);
}

TEST(EventType, EveryTypeHasItsOwnNameAndIsFoundByIt) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    ASSERT_FALSE(name(type).empty()) << i;
    EXPECT_TRUE(names.insert(name(type)).second) << name(type);
    EXPECT_EQ(event_type(name(type)), type);
  }
  EXPECT_EQ(name(EventType::credentials_delivered), "credentials_delivered");
  EXPECT_EQ(name(EventType::raw_match), "raw_match");
  EXPECT_EQ(name(EventType::http2_mid_stream), "http2_mid_stream");
  EXPECT_EQ(event_type("Connection"), std::nullopt);
  EXPECT_EQ(event_type(""), std::nullopt);
}

TEST(TransportName, KnowsKeywordsAndGivesNumbersForTheRest) {
  EXPECT_EQ(transport_name(6), "tcp");
  EXPECT_EQ(transport_name(17), "udp");
  EXPECT_EQ(transport_name(1), "icmp");
  EXPECT_EQ(transport_name(58), "ipv6-icmp");
  EXPECT_EQ(transport_name(7), "7");
  EXPECT_EQ(transport_name(99), "99");
  EXPECT_EQ(transport_name(200), "200");
  EXPECT_EQ(transport_name(255), "255");
}

TEST(ValueOf, AddressesAndPorts) {
  const Event event = request();
  EXPECT_EQ(get(event, FieldId::source_ip).kind, Kind::address);
  EXPECT_EQ(get(event, FieldId::source_ip).address, event.flow.source.ip);
  EXPECT_EQ(get(event, FieldId::destination_ip).address, event.flow.destination.ip);
  EXPECT_EQ(get(event, FieldId::source_port).kind, Kind::number);
  EXPECT_EQ(get(event, FieldId::source_port).number, 40123);
  EXPECT_EQ(get(event, FieldId::destination_port).number, 80);
  EXPECT_EQ(get(event, FieldId::destination_port).number_count, 0);
}

TEST(ValueOf, PortsAreAbsentWhereTheProtocolHasNone) {
  Event event = request();
  event.flow.ip_protocol = 1;
  event.flow.source.port = 0;
  EXPECT_EQ(get(event, FieldId::source_port).kind, Kind::absent);
  event.flow.ip_protocol = 17;
  EXPECT_EQ(get(event, FieldId::source_port).kind, Kind::number);
  EXPECT_EQ(get(event, FieldId::source_port).number, 0);
}

TEST(ValueOf, UnsetAddressIsAbsent) {
  Event event = request();
  event.flow.source.ip = IpAddress();
  EXPECT_EQ(get(event, FieldId::source_ip).kind, Kind::absent);
}

TEST(ValueOf, MacIsWrittenWithColonsInLowerCase) {
  Event event = request();
  EXPECT_EQ(get(event, FieldId::source_mac).kind, Kind::absent);
  event.flow.source.mac.bytes = {0x02, 0x00, 0x5E, 0x10, 0xAB, 0x01};
  event.flow.destination.mac.bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(get(event, FieldId::source_mac).text.raw, "02:00:5e:10:ab:01");
  EXPECT_EQ(get(event, FieldId::source_mac).text.raw, event.flow.source.mac.to_string());
  EXPECT_EQ(get(event, FieldId::destination_mac).text.normalised, "ff:ff:ff:ff:ff:ff");
}

TEST(ValueOf, TransportIsAName) {
  Event event = request();
  EXPECT_EQ(get(event, FieldId::network_transport).text.raw, "tcp");
  event.flow.ip_protocol = 0;
  EXPECT_EQ(get(event, FieldId::network_transport).kind, Kind::absent);
}

TEST(ValueOf, VlansAreAllOfTheStack) {
  Event event = request();
  EXPECT_EQ(get(event, FieldId::network_vlan_id).kind, Kind::absent);
  event.flow.vlans = {100, 7};
  event.flow.vlan_count = 2;
  const FieldValue value = get(event, FieldId::network_vlan_id);
  ASSERT_EQ(value.kind, Kind::number);
  ASSERT_EQ(value.number_count, 2);
  EXPECT_EQ(value.numbers[0], 100);
  EXPECT_EQ(value.numbers[1], 7);
}

TEST(ValueOf, AVlanCountBeyondTheArrayIsCut) {
  Event event = request();
  event.flow.vlan_count = 200;
  EXPECT_EQ(get(event, FieldId::network_vlan_id).number_count, kMaxVlans);
}

TEST(ValueOf, TextWithTwoReadings) {
  const Event event = request();
  const FieldValue url = get(event, FieldId::url);
  ASSERT_EQ(url.kind, Kind::text);
  EXPECT_EQ(url.text.raw, "/LATEST//meta-data");
  EXPECT_EQ(url.text.normalised, "/LATEST/meta-data");
  EXPECT_EQ(get(event, FieldId::url_path).text.normalised, "/LATEST/meta-data");
  EXPECT_EQ(get(event, FieldId::url_domain).text.raw, "169.254.169.254");
}

TEST(ValueOf, ATargetWithoutNormalisedReadingHasTheRawOneTwice) {
  Event event = request();
  event.http.target = {"/latest/meta-data", {}};
  EXPECT_EQ(get(event, FieldId::url).text.normalised, "/latest/meta-data");
}

TEST(ValueOf, TextWithOneReadingHasItTwice) {
  const FieldValue host = get(request(), FieldId::http_host);
  EXPECT_EQ(host.text.raw, "169.254.169.254:80");
  EXPECT_EQ(host.text.raw.data(), host.text.normalised.data());
}

TEST(ValueOf, EmptyTextIsPresentAndMissingTextAbsent) {
  const Event event = request();
  EXPECT_EQ(get(event, FieldId::url_query).kind, Kind::text);
  EXPECT_EQ(get(event, FieldId::url_query).text.raw, "");
  EXPECT_EQ(get(event, FieldId::user_agent).kind, Kind::absent);
}

TEST(ValueOf, TheRemainingRequestFields) {
  Event event = request();
  event.http.user_agent = "curl/8";
  EXPECT_EQ(get(event, FieldId::imds_event).text.raw, "http_request");
  EXPECT_EQ(get(event, FieldId::http_request_method).text.raw, "GET");
  EXPECT_EQ(get(event, FieldId::user_agent).text.raw, "curl/8");
  EXPECT_EQ(get(event, FieldId::request_headers).text.raw, "Host: 169.254.169.254:80\n");
  EXPECT_EQ(get(event, FieldId::http_version).text.raw, "1.1");
  EXPECT_EQ(get(event, FieldId::raw).kind, Kind::absent);
}

TEST(ValueOf, RawBytesStandForUrlAndHeaders) {
  Event event;
  event.type = EventType::raw_match;
  event.raw = "\x01/latest/meta-data";
  for (const FieldId field : {FieldId::raw, FieldId::url, FieldId::request_headers}) {
    EXPECT_EQ(get(event, field).text.raw.data(), event.raw.data());
    EXPECT_EQ(get(event, field).text.normalised, event.raw);
  }
  EXPECT_EQ(get(event, FieldId::url_path).kind, Kind::absent);
  EXPECT_EQ(get(event, FieldId::http_host).kind, Kind::absent);
}

TEST(ValueOf, AConnectionHasNoRequest) {
  Event event = request();
  event.type = EventType::connection;
  event.http = {};
  for (const FieldId field :
       {FieldId::url, FieldId::url_path, FieldId::url_query, FieldId::url_domain,
        FieldId::http_request_method, FieldId::request_headers, FieldId::http_version}) {
    EXPECT_EQ(get(event, field).kind, Kind::absent) << describe(field).name;
  }
}

TEST(ValueOf, Endpoint) {
  Event event = request();
  EXPECT_EQ(get(event, FieldId::imds_endpoint).kind, Kind::absent);
  event.flow.endpoint = "aws-imds-v4";
  EXPECT_EQ(get(event, FieldId::imds_endpoint).text.raw, "aws-imds-v4");
}

TEST(ValueOf, VisibilityNamesEveryBit) {
  Event event = request();
  EXPECT_EQ(get(event, FieldId::imds_visibility).kind, Kind::absent);
  event.flow.visibility = kMidStream;
  EXPECT_EQ(get(event, FieldId::imds_visibility).text.raw, "mid_stream");
  event.flow.visibility = 0xffff;
  EXPECT_EQ(get(event, FieldId::imds_visibility).text.raw,
            "direction_guessed,mid_stream,responses_only,capture_truncated,stream_gap,"
            "second_reading,requests_only,request_unseen,body_incomplete");
}

TEST(ValueOf, TunnelThePacketCameIn) {
  Event event = request();
  for (const FieldId field :
       {FieldId::imds_tunnel_path, FieldId::imds_tunnel_id, FieldId::imds_tunnel_source_ip,
        FieldId::imds_tunnel_destination_ip}) {
    EXPECT_EQ(get(event, field).kind, Kind::absent) << describe(field).name;
  }
  Tunnel& tunnel = event.flow.tunnel;
  tunnel.path = {{TunnelKind::mpls, TunnelKind::ethernet_pseudowire}, 2};
  EXPECT_EQ(get(event, FieldId::imds_tunnel_path).text.raw, "mpls/ethernet_pseudowire");
  EXPECT_EQ(get(event, FieldId::imds_tunnel_id).kind, Kind::absent);
  EXPECT_EQ(get(event, FieldId::imds_tunnel_source_ip).kind, Kind::absent);
  tunnel.path.kinds.fill(TunnelKind::ethernet_pseudowire);
  tunnel.path.count = kMaxTunnels;
  tunnel.has_id = true;
  tunnel.source = IpAddress::v4(0x0a000001);
  tunnel.destination = IpAddress::v4(0x0a000002);
  EXPECT_EQ(get(event, FieldId::imds_tunnel_path).text.raw.size(), 159u);
  EXPECT_EQ(get(event, FieldId::imds_tunnel_id).number, 0);
  EXPECT_EQ(get(event, FieldId::imds_tunnel_source_ip).address, tunnel.source);
  EXPECT_EQ(get(event, FieldId::imds_tunnel_destination_ip).address, tunnel.destination);
}

TEST(ValueOf, CarriesOnlyWhatTheDescriptionSays) {
  // An event with everything set must show every field its type is said to carry.
  Event event = request();
  event.flow.source.mac.bytes = {1, 2, 3, 4, 5, 6};
  event.flow.destination.mac = event.flow.source.mac;
  event.flow.vlan_count = 1;
  event.flow.endpoint = "aws-imds";
  event.flow.visibility = kMidStream;
  event.flow.tunnel = {
      {{TunnelKind::vxlan}, 1}, true, 42, event.flow.source.ip, event.flow.destination.ip};
  event.http.user_agent = "curl";
  event.stage = "answered";
  event.timeline = "answered+0.000s";
  event.reached = "answered";
  for (const EventType type :
       {EventType::connection, EventType::http_request, EventType::raw_match}) {
    event.type = type;
    event.http = type == EventType::http_request ? request().http : HttpRequestFields();
    event.http.user_agent = type == EventType::http_request ? "curl" : std::string_view();
    event.raw = type == EventType::raw_match ? "bytes" : std::string_view();
    event.flow.ttl = 64;
    event.flow.direction = "internal";
    event.exchange = {};
    if (type == EventType::http_request) {
      event.exchange.client_kind = "curl";
      event.exchange.version = 2;
      event.exchange.forwarded = true;
    }
    if (type == EventType::http_request) {
      event.http.path = {"/a.txt", "/a.txt"};
    }
    for (std::size_t i = 0; i < kFieldCount; ++i) {
      const FieldDescription& field = describe(static_cast<FieldId>(i));
      if (is_single_header(field.id)) {
        continue;  // has its values by name
      }
      EXPECT_EQ(get(event, field.id).kind != Kind::absent, (field.events & bit(type)) != 0)
          << field.name << " of " << name(type);
    }
  }
}

TEST(ValueOf, KindsAgreeWithTheDescription) {
  Event event = request();
  event.flow.vlan_count = 1;
  event.flow.tunnel = {
      {{TunnelKind::vxlan}, 1}, true, 42, event.flow.source.ip, event.flow.destination.ip};
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const FieldDescription& field = describe(static_cast<FieldId>(i));
    const FieldValue value = get(event, field.id);
    if (value.kind == Kind::absent) {
      continue;
    }
    const Kind expected = field.kind == FieldKind::text      ? Kind::text
                          : field.kind == FieldKind::address ? Kind::address
                                                             : Kind::number;
    EXPECT_EQ(value.kind, expected) << field.name;
  }
}

TEST(ValueOf, ExchangesSayWhatTheyCameTo) {
  Event event;
  event.type = EventType::credentials_delivered;
  ExchangeFields& x = event.exchange;
  EXPECT_EQ(get(event, FieldId::imds_aws_account_id).kind, Kind::absent);
  EXPECT_EQ(get(event, FieldId::imds_delivered).kind, Kind::absent);
  EXPECT_EQ(get(event, FieldId::imds_version).kind, Kind::absent);
  EXPECT_EQ(get(event, FieldId::imds_forwarded).kind, Kind::absent);
  EXPECT_EQ(get(event, FieldId::http_body_bytes).kind, Kind::absent);
  x.account = 29608264753;
  x.account_source = AccountSource::key_id;
  x.account_expected = AccountVerdict::no;
  x.delivered = Delivered::role_info;
  x.version = 1;
  x.forwarded = true;
  x.has_body_bytes = true;
  FieldScratch scratch;
  EXPECT_EQ(value_of(event, FieldId::imds_aws_account_id, scratch).text.raw, "029608264753");
  EXPECT_EQ(get(event, FieldId::imds_account_source).text.raw, "key_id");
  EXPECT_EQ(get(event, FieldId::imds_account_expected).text.raw, "no");
  EXPECT_EQ(get(event, FieldId::imds_delivered).text.raw, "role_info");
  EXPECT_EQ(get(event, FieldId::imds_version).text.raw, "v1");
  EXPECT_EQ(get(event, FieldId::imds_forwarded).text.raw, "yes");
  EXPECT_EQ(get(event, FieldId::http_body_bytes).kind, Kind::number);
}

TEST(ValueOf, ExtensionIsOfTheLastSegment) {
  Event event = request();
  for (const auto& [path, extension] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/a/b.tar.gz", "gz"}, {"/x.d/b.exe", "exe"}, {"b.js", "js"}}) {
    event.http.path = {path, path};
    EXPECT_EQ(get(event, FieldId::url_extension).text.raw, extension) << path;
  }
  for (const char* path : {"/", "/a.d/b", "/a.", ""}) {
    event.http.path = {path, path};
    EXPECT_EQ(get(event, FieldId::url_extension).kind, Kind::absent) << path;
  }
  event.http.path = {"/a%2eexe", "/a.exe"};
  EXPECT_EQ(get(event, FieldId::url_extension).text.raw, "exe");
}

TEST(ForEachHeader, GivesNamesAndValues) {
  std::string seen;
  for_each_header("Host: a:80\nX:\nno header\n: nameless\nCookie:b=c\nLast: 1",
                  [&](std::string_view name, std::string_view value) {
                    seen += std::string(name) + "=" + std::string(value) + ";";
                  });
  EXPECT_EQ(seen, "Host=a:80;X=;Cookie=b=c;Last=1;");
  for_each_header({}, [](std::string_view, std::string_view) { ADD_FAILURE(); });
}

}  // namespace
}  // namespace imds::event
