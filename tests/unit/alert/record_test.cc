#include "alert/record.h"

#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::alert {
namespace {

TEST(Record, CarriesTheFinding) {
  const imds_alert_record r = record_of(sample_finding());
  EXPECT_TRUE(is_valid(r));
  EXPECT_EQ(r.sequence, 0u);
  EXPECT_EQ(r.epoch, 0u);
  EXPECT_EQ(r.time_ns, 1'759'924'800'123'456'789);
  EXPECT_EQ(r.flags, std::uint32_t{IMDS_ALERT_HAS_PORTS});
  EXPECT_EQ(r.truncated, 0u);
  EXPECT_EQ(r.severity, 3);
  EXPECT_EQ(r.worker, 2);
  EXPECT_EQ(r.vlan_count, 1);
  EXPECT_EQ(r.vlans[0], 100);
  EXPECT_EQ(address_of(r.source).to_string(), "10.1.2.3");
  EXPECT_EQ(r.source.port, 40000);
  EXPECT_EQ(address_of(r.destination).to_string(), "169.254.169.254");
  EXPECT_EQ(view(r.event), "http_request");
  EXPECT_EQ(view(r.rule_id), sample_rule().id);
  EXPECT_EQ(view(r.rule_name), "AWS IMDS metadata access");
  EXPECT_EQ(view(r.rule_level), "medium");
  EXPECT_EQ(view(r.endpoint), "aws-imds-v4");
  EXPECT_EQ(view(r.url_original), "/latest/meta-data/iam/info");
  EXPECT_EQ(view(r.user_agent), "curl/7.88.1");
  EXPECT_EQ(view(r.hostname), "sensor-1");
  EXPECT_EQ(view(r.interface_name), "tap0");
}

TEST(Record, CarriesTheStoryAndForgetsIt) {
  event::Timeline story;
  story.reached = 0b00110;
  story.after_ms = {0, 0, 12};
  RecordMaker maker;
  maker.take(sample_finding(), {"sensor-1", "tap0"}, story);
  const SparseRecord told = maker.make(sample_rule());
  EXPECT_TRUE(is_valid(told.record));
  EXPECT_EQ(told.record.story.reached, IMDS_ALERT_STAGE_ATTEMPTED | IMDS_ALERT_STAGE_ANSWERED);
  EXPECT_EQ(told.record.story.after_ms[2], 12u);
  const std::size_t line = offsetof(imds_alert_record, story) / kRecordLine;
  EXPECT_NE(told.lines >> line & 1u, 0u);

  maker.take(sample_finding(), {"sensor-1", "tap0"});
  const imds_alert_record record = maker.make(sample_rule()).record;
  EXPECT_EQ(record.story.reached, 0);
  EXPECT_EQ(record.story.after_ms[2], 0u);
  // It is no part of what tells alerts apart.
  EXPECT_EQ(id_text(told.record), id_text(record));
}

TEST(Record, CarriesTheTunnel) {
  event::Finding f = sample_finding();
  EXPECT_EQ(record_of(f).tunnel.depth, 0);
  f.tunnel = sample_tunnel();
  const imds_alert_record r = record_of(f);
  EXPECT_TRUE(is_valid(r));
  EXPECT_EQ(r.tunnel.depth, 2);
  EXPECT_EQ(view(r.tunnel.path), "gre/vxlan");
  EXPECT_EQ(r.tunnel.has_id, 1);
  EXPECT_EQ(r.tunnel.id, 42u);
  EXPECT_EQ(address_of(r.tunnel.source).to_string(), "10.0.0.1");
  EXPECT_EQ(address_of(r.tunnel.destination).to_string(), "10.0.0.2");

  f.tunnel = {{{TunnelKind::pppoe}, 1}, false, 0, {}, {}};
  const imds_alert_record link_layer = record_of(f);
  EXPECT_TRUE(is_valid(link_layer));
  EXPECT_EQ(link_layer.tunnel.has_id, 0);
  EXPECT_FALSE(address_of(link_layer.tunnel.source).is_set());

  f.tunnel.path.kinds.fill(TunnelKind::ethernet_pseudowire);
  f.tunnel.path.count = kMaxTunnels;
  EXPECT_TRUE(is_valid(record_of(f)));
  EXPECT_EQ(view(record_of(f).tunnel.path).size(), 159u);
}

// Everything set, and every text as long as it can be.
event::Finding longest_finding() {
  event::Finding f = sample_finding();
  const std::string text(1024, 'x');
  f.source.ip = f.destination.ip = *IpAddress::parse("fd00:ec2::254");
  f.vlans = {1, 2, 3, 4};
  f.vlan_count = 4;
  f.visibility = 0xff;
  f.is_test = f.rules_truncated = true;
  f.tunnel = sample_tunnel();
  f.tunnel.path.kinds.fill(TunnelKind::ethernet_pseudowire);
  f.tunnel.path.count = kMaxTunnels;
  f.endpoint.assign(text);
  f.method.assign(text);
  f.target.assign(text);
  f.path.assign(text);
  f.domain.assign(text);
  f.user_agent.assign(text);
  f.http_version.assign(text);
  return f;
}

event::Finding shortest_finding() {
  event::Finding f{};
  f.type = event::EventType::connection;
  return f;
}

bool same_bytes(const imds_alert_record& a, const imds_alert_record& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

TEST(Record, NothingOfAnEarlierRecordRemains) {
  const std::string text(300, 'y');
  const std::vector<event::Finding> findings{longest_finding(), shortest_finding(),
                                             sample_finding(),  shortest_finding(),
                                             longest_finding(), sample_finding()};
  const std::vector<RuleFacts> rules{{text, text, text, 5}, {"id", "", "low", 2}, sample_rule()};
  RecordMaker reused;
  for (const event::Finding& finding : findings) {
    reused.take(finding, {&finding == &findings[0] ? text : "host", "tap0"});
    for (const RuleFacts& rule : rules) {
      RecordMaker fresh;
      fresh.take(finding, {&finding == &findings[0] ? text : "host", "tap0"});
      EXPECT_TRUE(same_bytes(reused.make(rule).record, fresh.make(rule).record));
    }
  }
}

TEST(Record, RepeatsAreOfOneAlertOnly) {
  RecordMaker maker;
  maker.take(sample_finding(), {"sensor-1", "tap0"});
  const imds_alert_record plain = maker.make(sample_rule()).record;
  const SparseRecord& made = maker.make(sample_rule(), 7);
  EXPECT_EQ(made.record.suppressed_repeats, 7u);
  const std::size_t line = offsetof(imds_alert_record, suppressed_repeats) / kRecordLine;
  EXPECT_NE(made.lines >> line & 1, 0u);
  EXPECT_EQ(id_text(made.record), id_text(plain));  // it is the same alert
  EXPECT_TRUE(same_bytes(maker.make(sample_rule()).record, plain));
  EXPECT_EQ(maker.make(sample_rule(), std::uint64_t{1} << 40).record.suppressed_repeats,
            UINT32_MAX);
}

TEST(Record, OutsideItsLinesAllIsZero) {
  RecordMaker maker;
  for (const event::Finding& finding : {longest_finding(), shortest_finding(), sample_finding()}) {
    maker.take(finding, {"sensor-1", "tap0"});
    const SparseRecord& made = maker.make(sample_rule());
    const auto* bytes = reinterpret_cast<const unsigned char*>(&made.record);
    for (std::size_t i = 0; i < sizeof made.record; ++i) {
      if ((made.lines >> i / kRecordLine & 1) == 0) {
        ASSERT_EQ(bytes[i], 0) << i;
      }
    }
  }
  // Only of use if most records have few lines.
  EXPECT_LT(std::popcount(maker.make(sample_rule()).lines), 20);
}

TEST(Record, SecretsAreMaskedAndNowhereElse) {
  event::Finding f = sample_finding();
  f.target.assign("http://bob:Zq9Xw7Vu@h/latest?X-Amz-Security-Token=Zq9Xw7Vu&b=1");
  f.path.assign("/latest?token=Zq9Xw7Vu");
  f.domain.assign("bob:Zq9Xw7Vu@h");
  const imds_alert_record r = record_of(f);
  EXPECT_EQ(view(r.url_original), "http://bob:REDACTED@h/latest?X-Amz-Security-Token=REDACTED&b=1");
  const std::string_view bytes(reinterpret_cast<const char*>(&r), sizeof r);
  EXPECT_EQ(bytes.find("Zq9Xw7Vu"), std::string_view::npos);
}

TEST(Record, TargetCutBeforeTheAtSignDoesNotLeak) {
  event::Finding f = sample_finding();
  const std::string password(2000, 'p');
  f.target.assign("http://bob:" + password + "@169.254.169.254/latest");
  const imds_alert_record r = record_of(f);
  EXPECT_EQ(view(r.url_original), "http://bob:REDACTED");
  EXPECT_TRUE(r.truncated & IMDS_ALERT_CUT_URL_ORIGINAL);
}

TEST(Record, CutFieldsAreNamed) {
  event::Finding f = sample_finding();
  f.user_agent.assign(std::string(257, 'a'));
  f.path.assign("/" + std::string(1024, 'b'));
  f.rules_truncated = true;
  RuleFacts rule = sample_rule();
  rule.name = std::string(300, 'n');
  const imds_alert_record r = record_of(f, rule);
  EXPECT_EQ(r.truncated, std::uint32_t{IMDS_ALERT_CUT_USER_AGENT} | IMDS_ALERT_CUT_URL_PATH |
                             IMDS_ALERT_CUT_RULES | IMDS_ALERT_CUT_RULE_NAME);
  EXPECT_EQ(view(r.user_agent).size(), 256u);
}

TEST(Record, MaskingThatMakesATargetLongerMayCutIt) {
  event::Finding f = sample_finding();
  std::string target = "/a?key=1&";
  target += std::string(1024 - target.size(), 'x');
  f.target.assign(target);
  const imds_alert_record r = record_of(f);
  EXPECT_EQ(view(r.url_original).size(), 1024u);
  EXPECT_TRUE(r.truncated & IMDS_ALERT_CUT_URL_ORIGINAL);
}

TEST(Record, IdIsStable) {
  // Pinned: receivers drop repeats by it, across versions and machines.
  EXPECT_EQ(id_text(record_of(sample_finding())), "ab8239cb-bc61-58d4-8894-3f3faceeeeab");
  EXPECT_EQ(id_text(record_of(sample_finding()))[14], '5');
}

// A rule without an id is named after its file.
TEST(Record, IdIsStableHoweverLongTheRulesNameIs) {
  const auto id_of = [](std::size_t size) {
    RuleFacts rule = sample_rule();
    rule.id.assign(size, 'x');
    return id_text(record_of(sample_finding(), rule));
  };
  EXPECT_EQ(id_of(0), "29e1b4ef-6c80-55ea-8a30-d9cbe27ec670");
  EXPECT_EQ(id_of(100), "e95b3f90-6097-55cc-b05d-a9f5be9a1a51");
  EXPECT_EQ(id_of(200), "5841b065-e223-5bc7-95ff-ad5942edf5cb");
  EXPECT_EQ(id_of(700), "f116cfec-028a-5af4-b846-5fe5085827bc");
}

TEST(Record, IdTellsAlertsApart) {
  using Change = std::function<void(event::Finding&, RuleFacts&)>;
  const std::vector<Change> changes{
      [](event::Finding&, RuleFacts&) {},
      [](event::Finding& f, RuleFacts&) { f.time.ns += 1; },
      [](event::Finding& f, RuleFacts&) { f.source.port += 1; },
      [](event::Finding& f, RuleFacts&) { f.destination.port += 1; },
      [](event::Finding& f, RuleFacts&) { f.source.ip = *IpAddress::parse("10.1.2.4"); },
      [](event::Finding& f, RuleFacts&) { f.destination.ip = *IpAddress::parse("10.1.2.4"); },
      [](event::Finding& f, RuleFacts&) { f.ip_protocol = 17; },
      [](event::Finding& f, RuleFacts&) { f.vlans[0] = 101; },
      [](event::Finding& f, RuleFacts&) { f.vlan_count = 2; },
      [](event::Finding& f, RuleFacts&) { f.ordinal = 1; },
      [](event::Finding& f, RuleFacts&) { f.type = event::EventType::connection; },
      [](event::Finding&, RuleFacts& r) { r.id = "another"; },
      [](event::Finding& f, RuleFacts&) { f.tunnel = sample_tunnel(); },
      [](event::Finding& f, RuleFacts&) {
        f.tunnel = sample_tunnel();
        f.tunnel.path.count = 1;
      },
      [](event::Finding& f, RuleFacts&) {
        f.tunnel = sample_tunnel();
        f.tunnel.id = 43;
      },
      [](event::Finding& f, RuleFacts&) {
        f.tunnel = sample_tunnel();
        f.tunnel.id = 0;
      },
      [](event::Finding& f, RuleFacts&) {
        f.tunnel = sample_tunnel();
        f.tunnel.has_id = false;
      },
  };
  std::set<std::string> ids;
  for (const Change& change : changes) {
    event::Finding finding = sample_finding();
    RuleFacts rule = sample_rule();
    change(finding, rule);
    ids.insert(id_text(record_of(finding, rule)));
  }
  EXPECT_EQ(ids.size(), changes.size());
}

TEST(Record, IdDoesNotDependOnWhatDiffersBetweenRuns) {
  event::Finding other = sample_finding();
  other.worker = 7;
  other.ruleset_generation = 3;
  other.ingress_port = 1;
  EXPECT_EQ(id_text(record_of(other)), id_text(record_of(sample_finding())));
}

// What a finding lacks holds what another left in the ring: none of it gets into an alert.
TEST(Record, NothingIsTakenOfWhatAFindingLacks) {
  event::Event event;
  event.type = event::EventType::connection;
  event.flow.source = {*IpAddress::parse("10.1.2.3"), 40000, {}};
  event.flow.destination = {*IpAddress::parse("169.254.169.254"), 80, {}};
  event.flow.ip_protocol = 6;
  event.flow.endpoint = "aws-imds-v4";
  event::Event answer = event;
  answer.type = event::EventType::http_request;
  answer.http.method = "GET";
  answer.exchange.client_kind = "curl";
  for (const event::Event& lean : {event, answer}) {
    event::Finding clean{};
    event::fill(clean, lean);
    event::Finding used = sample_finding();
    used.tunnel = sample_tunnel();
    used.evidence.claim = event::ClaimKind::arp_reply;
    used.dns_name.assign("metadata.example");
    used.has_exchange = true;
    used.exchange.server.assign("EC2ws");
    used.exchange.role.assign("deploy");
    RecordMaker maker;
    maker.take(used, {"sensor-1", "tap0"});
    static_cast<void>(maker.make(sample_rule()));
    event::fill(used, lean);
    used.worker = 0;
    maker.take(used, {"sensor-1", "tap0"});
    const imds_alert_record expected = record_of(clean);
    EXPECT_EQ(std::memcmp(&maker.make(sample_rule()).record, &expected, sizeof expected), 0);
    constexpr std::array kShown{event::FieldId::imds_claim_kind, event::FieldId::url,
                                event::FieldId::imds_role, event::FieldId::imds_tunnel_path,
                                event::FieldId::imds_tunnel_id};
    maker.take_correlated(used, kShown, 0, {"sensor-1", "tap0"});
    const imds_alert_record& correlated = maker.make(sample_rule()).record;
    EXPECT_EQ(correlated.evidence.claim, 0);
    EXPECT_EQ(correlated.url_original.length, 0);
    EXPECT_EQ(correlated.exchange.role.length, 0);
    EXPECT_EQ(correlated.tunnel.depth, 0);
  }
}

// Also of what has no exchange.
TEST(Record, CorrelationsTellEvidence) {
  event::Finding claim = sample_finding();
  claim.evidence.claim = event::ClaimKind::arp_reply;
  claim.dns_name.assign("metadata.example");
  constexpr std::array kShown{event::FieldId::imds_claim_kind, event::FieldId::dns_question_name};
  RecordMaker maker;
  maker.take_correlated(claim, kShown, 0, {"sensor-1", "tap0"});
  const imds_alert_record& record = maker.make(sample_rule()).record;
  EXPECT_EQ(record.evidence.claim, IMDS_ALERT_CLAIM_ARP_REPLY);
  EXPECT_EQ(view(record.evidence.dns_name), "metadata.example");
}

TEST(Record, ImpossibleContentsAreNotValid) {
  const imds_alert_record good = record_of(sample_finding());
  const auto damaged = [&](auto change) {
    imds_alert_record r = good;
    change(r);
    return !is_valid(r);
  };
  EXPECT_TRUE(damaged([](auto& r) { r.url_original.length = 1025; }));
  EXPECT_TRUE(damaged([](auto& r) { r.rule_id.length = 65; }));
  EXPECT_TRUE(damaged([](auto& r) { r.http_version.length = 9; }));
  EXPECT_TRUE(damaged([](auto& r) { r.event.length = 0; }));
  EXPECT_TRUE(damaged([](auto& r) { r.severity = 0; }));
  EXPECT_TRUE(damaged([](auto& r) { r.severity = 6; }));
  EXPECT_TRUE(damaged([](auto& r) { r.vlan_count = 5; }));
  EXPECT_TRUE(damaged([](auto& r) { r.source.family = 5; }));
  EXPECT_TRUE(damaged([](auto& r) { r.tunnel.depth = 1; }));  // without a path
  EXPECT_TRUE(damaged([](auto& r) { r.tunnel.path.length = 3; }));
  event::Finding f = sample_finding();
  f.tunnel = sample_tunnel();
  const imds_alert_record tunnelled = record_of(f);
  const auto damaged_tunnel = [&](auto change) {
    imds_alert_record r = tunnelled;
    change(r.tunnel);
    return !is_valid(r);
  };
  EXPECT_FALSE(damaged_tunnel([](auto&) {}));
  EXPECT_TRUE(damaged_tunnel([](auto& t) { t.depth = 9; }));
  EXPECT_TRUE(damaged_tunnel([](auto& t) { t.depth = 0; }));
  EXPECT_TRUE(damaged_tunnel([](auto& t) { t.has_id = 2; }));
  EXPECT_TRUE(damaged_tunnel([](auto& t) { t.path.length = 161; }));
  EXPECT_TRUE(damaged_tunnel([](auto& t) { t.source.family = 1; }));
  EXPECT_TRUE(damaged_tunnel([](auto& t) { t.destination.family = 7; }));
  EXPECT_TRUE(damaged([](auto& r) { std::memset(&r, 0xff, sizeof r); }));
}

}  // namespace
}  // namespace imds::alert
