#include "alert/format.h"

#include <cstring>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "samples.h"

namespace imds::alert {
namespace {

using nlohmann::json;

TEST(EcsJson, WholeLine) {
  const imds_alert_record r = record_of(sample_finding());
  EXPECT_EQ(
      to_ecs_json(r),
      R"({"@timestamp":"2025-10-08T12:00:00.123456Z","event":{"id":")" + id_text(r) +
          R"(","kind":"alert","category":["network"],"action":"http_request","severity":3},)"
          R"("rule":{"id":"8b2b0d1c-0f5e-4a3c-9a57-2d5f6f0a1b2c","name":"AWS IMDS metadata access","level":"medium"},)"
          R"("source":{"ip":"10.1.2.3","port":40000,"mac":"02:00:5e:10:00:01"},)"
          R"("destination":{"ip":"169.254.169.254","port":80,"mac":"02:00:5e:10:00:02"},)"
          R"("network":{"transport":"tcp","vlan":{"id":100},"community_id":")" +
          std::string(view(r.community_id)) +
          R"("},"http":{"request":{"method":"GET"}},)"
          R"("url":{"original":"/latest/meta-data/iam/info","path":"/latest/meta-data/iam/info","domain":"169.254.169.254"},)"
          R"("user_agent":{"original":"curl/7.88.1"},)"
          R"("observer":{"hostname":"sensor-1","ingress":{"interface":{"name":"tap0"}}},)"
          R"("imds":{"event":"http_request","endpoint":"aws-imds-v4"}})");
}

TEST(EcsJson, AbsentFieldsAreLeftOut) {
  event::Finding f{};
  f.type = event::EventType::address_claim;
  f.source.mac = MacAddress{{2, 0, 0, 0, 0, 9}};
  RecordMaker maker;
  maker.take(f, {});
  const imds_alert_record r = maker.make({"id-1", "", "", 1}).record;
  const json j = json::parse(to_ecs_json(r));
  EXPECT_EQ(j, json({{"@timestamp", "1970-01-01T00:00:00.000000Z"},
                     {"event",
                      {{"id", id_text(r)},
                       {"kind", "alert"},
                       {"category", {"network"}},
                       {"action", "address_claim"},
                       {"severity", 1}}},
                     {"rule", {{"id", "id-1"}}},
                     {"source", {{"mac", "02:00:00:00:00:09"}}},
                     {"imds", {{"event", "address_claim"}}}}));
}

TEST(EcsJson, AddressesAreCanonical) {
  event::Finding f = sample_finding();
  f.destination.ip = *IpAddress::parse("fd00:0ec2:0:0:0:0:0:254");
  EXPECT_EQ(json::parse(to_ecs_json(record_of(f)))["destination"]["ip"], "fd00:ec2::254");
}

TEST(EcsJson, OuterAndInnermostTag) {
  event::Finding f = sample_finding();
  f.vlan_count = 3;
  f.vlans = {100, 200, 300, 0};
  const json network = json::parse(to_ecs_json(record_of(f)))["network"];
  EXPECT_EQ(network["vlan"]["id"], 100);
  EXPECT_EQ(network["inner"]["vlan"]["id"], 300);
}

TEST(EcsJson, VisibilityTestAndTruncated) {
  event::Finding f = sample_finding();
  f.visibility = event::kDirectionGuessed | event::kMidStream;
  f.is_test = true;
  f.user_agent.assign(std::string(300, 'a'));
  const json imds = json::parse(to_ecs_json(record_of(f)))["imds"];
  EXPECT_EQ(imds["visibility"], json({"direction_guessed", "mid_stream"}));
  EXPECT_EQ(imds["test"], true);
  EXPECT_EQ(imds["truncated"], json({"user_agent.original"}));
}

TEST(EveryForm, TellsRepeatsThatWereWithheld) {
  imds_alert_record r = record_of(sample_finding());
  EXPECT_FALSE(json::parse(to_ecs_json(r))["imds"].contains("suppressed_repeats"));
  EXPECT_EQ(to_text(r, false).find("more since"), std::string::npos);
  r.suppressed_repeats = 41;
  EXPECT_EQ(json::parse(to_ecs_json(r))["imds"]["suppressed_repeats"], 41);
  EXPECT_EQ(json::parse(to_eve_json(r))["alert"]["metadata"]["imds_suppressed_repeats"],
            json({"41"}));
  EXPECT_NE(to_text(r, false).find(" (41 more since the last)"), std::string::npos);
}

TEST(Story, IsToldInEveryForm) {
  imds_alert_record r = record_of(sample_finding());
  EXPECT_FALSE(json::parse(to_ecs_json(r))["imds"].contains("stage"));
  EXPECT_FALSE(json::parse(to_ecs_json(r))["imds"].contains("timeline"));
  EXPECT_FALSE(json::parse(to_eve_json(r))["alert"]["metadata"].contains("imds_stage"));
  EXPECT_EQ(to_text(r).find("story"), std::string::npos);

  r.story.reached = IMDS_ALERT_STAGE_ATTEMPTED | IMDS_ALERT_STAGE_TOKEN;
  r.story.after_ms[3] = 1250;
  const std::string timeline = "attempted+0.000s token+1.250s";
  const json imds = json::parse(to_ecs_json(r))["imds"];
  EXPECT_EQ(imds["stage"], "token");
  EXPECT_EQ(imds["timeline"], timeline);
  const json metadata = json::parse(to_eve_json(r))["alert"]["metadata"];
  EXPECT_EQ(metadata["imds_stage"], json({"token"}));
  EXPECT_EQ(metadata["imds_timeline"], json({timeline}));
  EXPECT_TRUE(to_text(r).ends_with("\n    story " + timeline)) << to_text(r);
}

// A record of a newer writer, or one that is damaged.
TEST(Story, StagesThatAreNotKnownAreLeftOut) {
  imds_alert_record r = record_of(sample_finding());
  r.story.reached = 0xff & ~IMDS_ALERT_STAGES;
  EXPECT_FALSE(json::parse(to_ecs_json(r))["imds"].contains("stage"));
  r.story.reached = 0xff;
  std::memset(r.story.after_ms, 0xff, sizeof r.story.after_ms);
  const json imds = json::parse(to_ecs_json(r))["imds"];
  EXPECT_EQ(imds["stage"], "used");
  EXPECT_NE(to_text(r).find("token+4294967.295s"), std::string::npos);
}

TEST(EcsJson, TunnelWithWhatItHas) {
  event::Finding f = sample_finding();
  EXPECT_FALSE(json::parse(to_ecs_json(record_of(f)))["imds"].contains("tunnel"));
  f.tunnel = sample_tunnel();
  EXPECT_EQ(json::parse(to_ecs_json(record_of(f)))["imds"]["tunnel"],
            json({{"path", "gre/vxlan"},
                  {"depth", 2},
                  {"id", 42},
                  {"source", {{"ip", "10.0.0.1"}}},
                  {"destination", {{"ip", "10.0.0.2"}}}}));
  f.tunnel = {{{TunnelKind::pppoe}, 1}, false, 0, {}, {}};
  EXPECT_EQ(json::parse(to_ecs_json(record_of(f)))["imds"]["tunnel"],
            json({{"path", "pppoe"}, {"depth", 1}}));
}

event::Finding sample_delivery() {
  event::Finding f = sample_finding();
  f.type = event::EventType::credentials_delivered;
  f.has_exchange = true;
  event::FindingExchange& x = f.exchange;
  x.status = 200;
  x.version = 2;
  x.has_body_bytes = true;
  x.body_bytes = 319;
  x.delivered = event::Delivered::credentials;
  x.account_source = event::AccountSource::key_id;
  x.account_expected = event::AccountVerdict::no;
  x.account = 29608264753;
  x.expiration = 1759946400;
  x.client_kind.assign("curl");
  x.access_key_id.assign("ASIAQNZGKIQY56JQ7WML");
  x.server.assign("EC2ws");
  x.mime_type.assign("text/plain");
  x.role.assign("deploy");
  f.visibility = event::kBodyIncomplete;
  return f;
}

TEST(EcsJson, ExchangeWithWhatItDelivered) {
  const json j = json::parse(to_ecs_json(record_of(sample_delivery())));
  EXPECT_EQ(j["http"]["response"],
            json({{"status_code", 200}, {"mime_type", "text/plain"}, {"body", {{"bytes", 319}}}}));
  EXPECT_EQ(j["imds"], json({{"event", "credentials_delivered"},
                             {"endpoint", "aws-imds-v4"},
                             {"client_kind", "curl"},
                             {"version", "v2"},
                             {"server", "EC2ws"},
                             {"delivered", "credentials"},
                             {"aws_account_id", "029608264753"},
                             {"account_source", "key_id"},
                             {"account_expected", "no"},
                             {"access_key_id", "ASIAQNZGKIQY56JQ7WML"},
                             {"role", "deploy"},
                             {"expiration", "2025-10-08T18:00:00.000000Z"},
                             {"visibility", {"body_incomplete"}}}));
}

TEST(EcsJson, ExchangesLeaveNothingInTheNextRecord) {
  RecordMaker maker;
  maker.take(sample_delivery(), {});
  (void)maker.make(sample_rule());
  maker.take(sample_finding(), {});
  const imds_alert_record r = maker.make(sample_rule()).record;
  const imds_alert_exchange none{};
  EXPECT_EQ(std::memcmp(&r.exchange, &none, sizeof none), 0);
}

TEST(EveJson, ExchangeIsMetadata) {
  const json j = json::parse(to_eve_json(record_of(sample_delivery())));
  EXPECT_EQ(j["http"]["status"], 200);
  EXPECT_EQ(j["http"]["http_content_type"], "text/plain");
  EXPECT_EQ(j["alert"]["metadata"]["imds_aws_account_id"], json::array({"029608264753"}));
  EXPECT_EQ(j["alert"]["metadata"]["imds_account_expected"], json::array({"no"}));
}

TEST(Text, AnswersHaveALineOfTheirOwn) {
  event::Finding f = sample_delivery();
  f.exchange.server.assign("x\x1b[31m");
  const std::string text = to_text(record_of(f), false);
  EXPECT_NE(text.find("\n    status 200  server x\\x1b[31m  client curl  delivered credentials  "
                      "account 029608264753  expected no  key ASIAQNZGKIQY56JQ7WML  role deploy  "
                      "until 2025-10-08T18:00:00.000000Z"),
            std::string::npos)
      << text;
}

TEST(Record, ExchangeCodesOutOfRangeAreRefused) {
  imds_alert_record r = record_of(sample_delivery());
  EXPECT_TRUE(is_valid(r));
  r.exchange.delivered = 9;
  EXPECT_FALSE(is_valid(r));
  r = record_of(sample_delivery());
  r.exchange.role.length = 65;
  EXPECT_FALSE(is_valid(r));
}

TEST(EcsJson, HostileTextStaysOneValidLine) {
  event::Finding f = sample_finding();
  f.user_agent.assign(std::string_view("a\n\"}\0\x1b[31m\xff\xc0\xaf\xed\xa0\x80z", 17));
  f.method.assign("G\\E\"T");
  const std::string line = to_ecs_json(record_of(f));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  const json j = json::parse(line);
  EXPECT_EQ(j["http"]["request"]["method"], "G\\E\"T");
  const std::string agent = j["user_agent"]["original"];
  EXPECT_EQ(agent.substr(0, 4), "a\n\"}");
  EXPECT_NE(agent.find("\xef\xbf\xbd"), std::string::npos);
}

TEST(EcsJson, CutInTheMiddleOfACharacterIsStillUtf8) {
  event::Finding f = sample_finding();
  std::string agent(255, 'a');
  agent += "\xc3\xa9";  // é, cut in half by the cap of 256
  f.user_agent.assign(agent);
  const json j = json::parse(to_ecs_json(record_of(f)));
  EXPECT_EQ(j["user_agent"]["original"], std::string(255, 'a') + "\xef\xbf\xbd");
}

TEST(EveJson, AlertLine) {
  const imds_alert_record r = record_of(sample_finding());
  const json j = json::parse(to_eve_json(r));
  EXPECT_EQ(j["timestamp"], "2025-10-08T12:00:00.123456+0000");
  EXPECT_EQ(j["event_type"], "alert");
  EXPECT_EQ(j["in_iface"], "tap0");
  EXPECT_EQ(j["src_ip"], "10.1.2.3");
  EXPECT_EQ(j["src_port"], 40000);
  EXPECT_EQ(j["dest_ip"], "169.254.169.254");
  EXPECT_EQ(j["dest_port"], 80);
  EXPECT_EQ(j["proto"], "TCP");
  EXPECT_EQ(j["vlan"], json({100}));
  EXPECT_EQ(j["community_id"], std::string(view(r.community_id)));
  EXPECT_EQ(j["app_proto"], "http");
  EXPECT_EQ(j["http"], json({{"hostname", "169.254.169.254"},
                             {"url", "/latest/meta-data/iam/info"},
                             {"http_user_agent", "curl/7.88.1"},
                             {"http_method", "GET"},
                             {"protocol", "HTTP/1.1"}}));
  const json alert = j["alert"];
  EXPECT_EQ(alert["action"], "allowed");
  EXPECT_EQ(alert["gid"], 1);
  EXPECT_EQ(alert["rev"], 1);
  EXPECT_EQ(alert["signature"], "AWS IMDS metadata access");
  EXPECT_EQ(alert["severity"], 2);
  EXPECT_EQ(alert["metadata"]["rule_id"], json({sample_rule().id}));
  EXPECT_EQ(alert["metadata"]["event_id"], json({id_text(r)}));
}

TEST(EveJson, SignatureNumberFollowsTheRule) {
  const auto number = [](const char* id) {
    RuleFacts rule = sample_rule();
    rule.id = id;
    return json::parse(to_eve_json(record_of(sample_finding(), rule)))["alert"]["signature_id"]
        .get<std::int64_t>();
  };
  EXPECT_EQ(number("8b2b0d1c-0f5e-4a3c-9a57-2d5f6f0a1b2c"),
            number("8b2b0d1c-0f5e-4a3c-9a57-2d5f6f0a1b2c"));
  EXPECT_NE(number("a"), number("b"));
  EXPECT_GT(number(""), 0);
  EXPECT_LE(number("a"), 0x7fffffff);
}

TEST(EveJson, SeverityScale) {
  const auto severity = [](int ours) {
    RuleFacts rule = sample_rule();
    rule.severity = ours;
    return json::parse(to_eve_json(record_of(sample_finding(), rule)))["alert"]["severity"];
  };
  EXPECT_EQ(severity(5), 1);
  EXPECT_EQ(severity(4), 1);
  EXPECT_EQ(severity(3), 2);
  EXPECT_EQ(severity(2), 3);
  EXPECT_EQ(severity(1), 3);
}

TEST(EveJson, NoHttpWithoutARequest) {
  event::Finding f = sample_finding();
  f.type = event::EventType::connection;
  f.method.clear();
  f.target.clear();
  f.path.clear();
  f.domain.clear();
  f.user_agent.clear();
  f.http_version.clear();
  const json j = json::parse(to_eve_json(record_of(f)));
  EXPECT_FALSE(j.contains("http"));
  EXPECT_FALSE(j.contains("app_proto"));
}

TEST(Text, TwoLines) {
  EXPECT_EQ(to_text(record_of(sample_finding())),
            "2025-10-08T12:00:00.123456Z  MEDIUM  AWS IMDS metadata access  http_request  "
            "10.1.2.3:40000 -> 169.254.169.254:80 tcp vlan 100 (aws-imds-v4)\n"
            "    GET /latest/meta-data/iam/info  host 169.254.169.254  agent \"curl/7.88.1\"");
}

TEST(Text, OneLineWithoutARequest) {
  event::Finding f{};
  f.type = event::EventType::connection;
  f.source.ip = *IpAddress::parse("fd00::1");
  f.source.port = 40000;
  f.destination.ip = *IpAddress::parse("fd00:ec2::254");
  f.destination.port = 80;
  f.ip_protocol = 6;
  f.visibility = event::kMidStream;
  f.is_test = true;
  EXPECT_EQ(to_text(record_of(f)),
            "1970-01-01T00:00:00.000000Z  MEDIUM  AWS IMDS metadata access  connection  "
            "[fd00::1]:40000 -> [fd00:ec2::254]:80 tcp mid_stream TEST");
}

imds_alert_record record_of_type(event::EventType type) {
  event::Finding f = sample_finding();
  f.type = type;
  f.method.assign("");
  f.target.assign("");
  f.path.assign("");
  f.domain.assign("");
  f.user_agent.assign("");
  f.http_version.assign("");
  return record_of(f);
}

TEST(Forms, EventsWithoutARequest) {
  for (const auto type : {event::EventType::tcp_overlap_conflict,
                          event::EventType::fragment_overlap, event::EventType::http2_mid_stream}) {
    const std::string name(event::name(type));
    const imds_alert_record r = record_of_type(type);
    const json ecs = json::parse(to_ecs_json(r));
    EXPECT_EQ(ecs["event"]["action"], name);
    EXPECT_EQ(ecs["event"]["kind"], "alert");
    EXPECT_EQ(ecs["event"]["category"], json({"network"}));
    EXPECT_EQ(ecs["imds"]["event"], name);
    EXPECT_EQ(ecs["imds"]["endpoint"], "aws-imds-v4");
    EXPECT_EQ(ecs["destination"]["ip"], "169.254.169.254");
    EXPECT_FALSE(ecs.contains("http"));
    EXPECT_FALSE(ecs.contains("url"));
    const json eve = json::parse(to_eve_json(r));
    EXPECT_EQ(eve["alert"]["metadata"]["imds_event"], json({name}));
    EXPECT_FALSE(eve.contains("http"));
    const bool is_http2 = type == event::EventType::http2_mid_stream;
    EXPECT_EQ(eve["alert"]["category"],
              is_http2 ? "Attempted Information Leak" : "Generic Protocol Command Decode");
    EXPECT_EQ(eve.value("app_proto", ""), is_http2 ? "http2" : "");
    EXPECT_EQ(to_text(r), "2025-10-08T12:00:00.123456Z  MEDIUM  AWS IMDS metadata access  " + name +
                              "  10.1.2.3:40000 -> 169.254.169.254:80 tcp vlan 100 (aws-imds-v4)");
  }
}

// A TLS connection has a name where others have the host that is asked for.
TEST(Forms, UseOfCredentials) {
  const event::Finding request = sample_finding();
  event::Event event = event::event_of(request);
  event.type = event::EventType::credentials_used;
  event.http = {};
  event.server_name = "sts.amazonaws.com";
  event.exchange.access_key_id = "ASIAQNZGKIQY56JQ7WML";
  event.exchange.account = 29608264753;
  event.exchange.account_source = event::AccountSource::key_id;
  event.exchange.client_kind = "curl";
  event::Finding finding{};
  event::fill(finding, event);
  const imds_alert_record r = record_of(finding);
  const json ecs = json::parse(to_ecs_json(r));
  EXPECT_EQ(ecs["tls"], json({{"client", {{"server_name", "sts.amazonaws.com"}}}}));
  EXPECT_FALSE(ecs.contains("url"));
  EXPECT_EQ(ecs["imds"]["access_key_id"], "ASIAQNZGKIQY56JQ7WML");
  const json eve = json::parse(to_eve_json(r));
  EXPECT_EQ(eve["tls"], json({{"sni", "sts.amazonaws.com"}}));
  EXPECT_EQ(eve["app_proto"], "tls");
  EXPECT_FALSE(eve.contains("http"));
  const std::string text = to_text(r);
  EXPECT_NE(text.find("\n    TLS to sts.amazonaws.com\n"), std::string::npos) << text;
  EXPECT_NE(text.find("account 029608264753"), std::string::npos) << text;
}

TEST(EveJson, AppProtoTellsHttp2FromHttp1) {
  event::Finding f = sample_finding();
  EXPECT_EQ(json::parse(to_eve_json(record_of(f)))["app_proto"], "http");
  f.http_version.assign("2");
  EXPECT_EQ(json::parse(to_eve_json(record_of(f)))["app_proto"], "http2");
}

TEST(EveJson, Tunnel) {
  event::Finding f = sample_finding();
  EXPECT_FALSE(json::parse(to_eve_json(record_of(f))).contains("tunnel"));
  f.tunnel = sample_tunnel();
  EXPECT_EQ(json::parse(to_eve_json(record_of(f)))["tunnel"], json({{"src_ip", "10.0.0.1"},
                                                                    {"dest_ip", "10.0.0.2"},
                                                                    {"depth", 2},
                                                                    {"path", "gre/vxlan"},
                                                                    {"id", 42}}));
}

TEST(Text, Tunnel) {
  event::Finding f = sample_finding();
  f.tunnel = sample_tunnel();
  EXPECT_NE(to_text(record_of(f))
                .find("tcp vlan 100 via gre/vxlan 42 (10.0.0.1 > 10.0.0.2) (aws-imds-v4)\n"),
            std::string::npos);
  f.tunnel = {{{TunnelKind::pppoe}, 1}, false, 0, {}, {}};
  EXPECT_NE(to_text(record_of(f)).find("tcp vlan 100 via pppoe (aws-imds-v4)\n"),
            std::string::npos);
}

TEST(Text, DisguisedTargetShowsWhatItMeans) {
  event::Finding f = sample_finding();
  f.target.assign("/%6catest//meta-data");
  f.path.assign("/latest/meta-data");
  EXPECT_NE(to_text(record_of(f)).find("GET /%6catest//meta-data  means /latest/meta-data"),
            std::string::npos);
}

TEST(Text, ColourOnlyWhenAsked) {
  const imds_alert_record r = record_of(sample_finding());
  EXPECT_EQ(to_text(r).find('\x1b'), std::string::npos);
  EXPECT_NE(to_text(r, true).find("\x1b[33mMEDIUM\x1b[0m"), std::string::npos);
}

TEST(Text, TrafficCannotDriveTheTerminal) {
  event::Finding f = sample_finding();
  f.user_agent.assign("\x1b]0;pwned\x07\r\n\xe2\x80\xae");
  f.target.assign("/\x1b[2J\n2025-10-08 CRITICAL forged");
  const std::string text = to_text(record_of(f));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

// Whatever a segment may hold, formatting it is safe.
TEST(Format, AnyBytesAreSafe) {
  imds_alert_record r;
  std::uint64_t state = 1;
  for (int round = 0; round < 200; ++round) {
    auto* bytes = reinterpret_cast<unsigned char*>(&r);
    for (std::size_t i = 0; i < sizeof r; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      bytes[i] = static_cast<unsigned char>(state >> 56);
    }
    EXPECT_TRUE(json::accept(to_ecs_json(r)));
    EXPECT_TRUE(json::accept(to_eve_json(r)));
    EXPECT_EQ(to_text(r).find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace imds::alert
