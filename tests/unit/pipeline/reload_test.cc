// Policies exchanged under workers: what flows remember is derived anew, nothing is lost, nothing
// is said twice, and what was replaced is freed.
#include <atomic>
#include <malloc.h>
#include <map>
#include <thread>

#include <rte_malloc.h>

#include "fixture.h"

namespace imds::pipeline {
namespace {

using support::TcpSession;

constexpr std::string_view kMetadataId = "11111111-1111-4111-8111-111111111111";
constexpr std::string_view kRawId = "22222222-2222-4222-8222-222222222222";
constexpr std::string_view kContactId = "33333333-3333-4333-8333-333333333333";
constexpr std::string_view kOtherId = "44444444-4444-4444-8444-444444444444";

std::string rule(std::string_view id, std::string_view detection) {
  return "---\ntitle: rule " + std::string(id.substr(0, 4)) + "\nid: " + std::string(id) +
         "\nlevel: low\nlogsource: {category: network}\ndetection:\n  it: {" +
         std::string(detection) + "}\n  condition: it\n";
}
const std::string kMetadataRule = rule(kMetadataId, "'url|contains': /latest/meta-data");
const std::string kRawRule = rule(kRawId, "'request_headers|contains': x-aws-ec2-metadata-token");
const std::string kContactRule = rule(kContactId, "dst_ip: 203.0.113.7");
const std::string kOtherRule = rule(kOtherId, "'url|contains': /something-else");

classify::Options endpoints(const std::vector<std::string>& names) {
  classify::Options options;
  for (const std::string& name : names) {
    options.endpoints.push_back(
        {name, {*IpPrefix::parse(name == "imds4" ? "169.254.169.254/32" : "169.254.170.2/32")}});
  }
  return options;
}

std::shared_ptr<const detect::Policy> policy(std::uint32_t generation, const std::string& rules,
                                             const detect::Policy* former = nullptr,
                                             classify::Options classes = endpoints({"imds4"})) {
  (void)Shared::get();  // EAL
  const auto fields = event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml").value();
  rules::CompileOptions options;
  options.generation = generation;
  const auto loaded = sigma::load_text(rules, "rules.yml", fields);
  if (!loaded) {
    throw std::runtime_error(loaded.error().to_string());
  }
  const auto compiled = rules::RuleSet::compile(loaded->rules, options).value();
  classes.destination_prefixes = compiled->destination_prefixes();
  classes.source_prefixes = compiled->source_prefixes();
  return detect::Policy::create(compiled, classes, former).value();
}

// A worker whose policy can be exchanged, and what it says by rule id.
class Bench {
 public:
  explicit Bench(std::shared_ptr<const detect::Policy> first, bool fast_lane = true)
      : Bench(std::move(first), 64, lane(fast_lane)) {}
  Bench(std::shared_ptr<const detect::Policy> first, std::size_t ring, const Options& options)
      : findings_(ring) {
    note(*first);
    policies_ = PolicySwitch::create(std::move(first), 1).value();
    worker_ = Worker::create(options, *policies_, findings_).value();
  }

  void exchange(std::shared_ptr<const detect::Policy> next) {
    note(*next);
    policies_->publish(policies_->prepare(std::move(next)).value());
  }
  std::shared_ptr<const detect::Policy> current() const { return policies_->current()->policy; }
  void poll(ListSource& source) {
    port::Source* const sources[] = {&source};
    worker_->poll(sources);
  }
  // The next so many packets of a session.
  void feed(const TcpSession& session, std::size_t packets) {
    std::size_t& at = fed_[&session];
    ListSource source(0, 1);
    for (const std::size_t end = at + packets; at < end && at < session.packets().size(); ++at) {
      Given next = given(session.packets()[at].bytes);
      next.time = session.packets()[at].time;
      source.add(std::move(next));
    }
    while (!source.exhausted()) {
      poll(source);
    }
  }
  void feed_rest(const TcpSession& session) { feed(session, session.packets().size()); }

  using Said = std::vector<std::string>;
  // "event first-digits-of-id[ endpoint]" of what was found since the last call.
  Said said() {
    Said out;
    while (const event::Finding* finding = findings_.front()) {
      for (std::size_t i = 0; i < finding->rule_count; ++i) {
        const std::string& id = ids_.at(finding->ruleset_generation).at(finding->rules[i]);
        const std::string endpoint(finding->endpoint.view());
        out.push_back(std::string(event::name(finding->type)) + ' ' + id.substr(0, 2) +
                      (endpoint.empty() ? "" : ' ' + endpoint));
      }
      last_generation_ = finding->ruleset_generation;
      findings_.pop();
    }
    return out;
  }
  [[nodiscard]] std::uint32_t last_generation() const { return last_generation_; }
  [[nodiscard]] Worker& worker() { return *worker_; }
  [[nodiscard]] PolicySwitch& policies() { return *policies_; }
  [[nodiscard]] detect::FindingRing& findings() { return findings_; }
  [[nodiscard]] const std::string& id_of(std::uint32_t generation, std::uint16_t rule) const {
    return ids_.at(generation).at(rule);
  }

 private:
  static Options lane(bool on) {
    Options options = small_options();
    options.fast_lane = on;
    return options;
  }
  void note(const detect::Policy& policy) {
    std::vector<std::string>& ids = ids_[policy.generation()];
    for (std::size_t i = 0; i < policy.rules->size(); ++i) {
      ids.push_back(policy.rules->info(i).id);
    }
  }

  detect::FindingRing findings_;
  std::unique_ptr<PolicySwitch> policies_;
  std::unique_ptr<Worker> worker_;
  std::map<std::uint32_t, std::vector<std::string>> ids_;
  std::map<const TcpSession*, std::size_t> fed_;
  std::uint32_t last_generation_ = 0;
};

using Said = Bench::Said;

TEST(Reload, NextPacketIsJudgedByTheNewRules) {
  Bench bench(policy(1, kOtherRule));
  TcpSession session(elsewhere());
  session.handshake();
  for (const char* n : {"1", "2", "3"}) {
    session.client("GET /latest/meta-data/" + std::string(n) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  bench.feed(session, 4);
  EXPECT_EQ(bench.said(), Said());
  bench.exchange(policy(2, kMetadataRule, bench.current().get()));
  bench.feed(session, 1);
  EXPECT_EQ(bench.said(), Said{"http_request 11"});
  EXPECT_EQ(bench.last_generation(), 2u);
  bench.exchange(policy(3, kOtherRule, bench.current().get()));
  bench.feed_rest(session);
  EXPECT_EQ(bench.said(), Said());
  EXPECT_EQ(bench.worker().counters().policies_taken.get(), 2u);
}

// A flow that the fast lane carries would never be looked at again.
TEST(Reload, ArmedFlowReportsContactWithAnAddressThatNewRulesName) {
  Bench bench(policy(1, kOtherRule));
  TcpSession session(elsewhere());
  session.handshake().client("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  for (int i = 0; i < 6; ++i) {
    session.client(std::string(1000, 'b'));
  }
  bench.feed(session, 7);
  EXPECT_GT(bench.worker().counters().lane_packets.get(), 0u);
  bench.exchange(policy(2, kOtherRule + kContactRule, bench.current().get()));
  bench.feed_rest(session);
  EXPECT_EQ(bench.said(), Said{"connection 33"});
  // And is carried again.
  const std::uint64_t carried = bench.worker().counters().lane_packets.get();
  bench.exchange(policy(3, kContactRule + kOtherRule, bench.current().get()));
  session.client(std::string(1000, 'b')).client(std::string(1000, 'b'));
  bench.feed_rest(session);
  EXPECT_EQ(bench.said(), Said()) << "the connection was reported";
  EXPECT_EQ(bench.worker().counters().lane_packets.get(), carried + 1);
}

// What the lane does with a beginning or an end rests on nobody watching the flow.
TEST(Reload, BeginningsAndEndsOfFlowsThatNewRulesNameAreNotPassedOver) {
  for (const std::size_t before : {1u, 2u, 3u}) {
    Bench bench(policy(1, kOtherRule));
    TcpSession session(elsewhere());
    session.handshake().fin();
    bench.feed(session, before);
    EXPECT_EQ(bench.worker().counters().lane_packets.get(), before);
    bench.exchange(policy(2, kOtherRule + kContactRule, bench.current().get()));
    bench.feed(session, 1);
    EXPECT_EQ(bench.said(), Said{"connection 33"}) << before;
    bench.feed_rest(session);
    EXPECT_EQ(bench.said(), Said()) << before;
  }
}

TEST(Reload, FlowsThatBeginAfterwardsPassTheLaneFromTheirFirstPacket) {
  Bench bench(policy(1, kContactRule));
  bench.exchange(policy(2, kOtherRule, bench.current().get()));
  TcpSession session(elsewhere());
  session.handshake();
  bench.feed_rest(session);
  EXPECT_EQ(bench.worker().counters().lane_packets.get(), session.packets().size());
  EXPECT_EQ(bench.said(), Said());
}

class ReloadRaw : public ::testing::TestWithParam<bool> {};

// Under another index it is the same rule; and it is another rule that has the former's index.
TEST_P(ReloadRaw, RuleAlertsOncePerFlowWhateverItsIndex) {
  Bench bench(policy(1, kRawRule + kMetadataRule), GetParam());
  TcpSession session(elsewhere());
  session.handshake().client("\x01\x02 hello");
  for (int i = 0; i < 6; ++i) {
    session.client("x-aws-ec2-metadata-token ").client("nothing here").client("/latest/meta-data ");
  }
  bench.feed(session, 5);
  EXPECT_EQ(bench.said(), Said{"raw_match 22"});
  bench.exchange(policy(2, kMetadataRule + kOtherRule + kRawRule, bench.current().get()));
  bench.feed(session, 4);
  EXPECT_EQ(bench.said(), Said{"raw_match 11"});
  bench.exchange(policy(3, kRawRule + kMetadataRule, bench.current().get()));
  bench.feed_rest(session);
  EXPECT_EQ(bench.said(), Said());
}

// Cut at the very moment of the exchange.
TEST_P(ReloadRaw, StringAcrossTheExchangeIsFoundOnce) {
  const std::string text = "hello x-aws-ec2-metadata-token-ttl bye";
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    Bench bench(policy(1, kRawRule), GetParam());
    TcpSession session(elsewhere());
    session.handshake().client("\x01\x02").client(text.substr(0, cut)).client(text.substr(cut));
    bench.feed(session, 5);
    bench.exchange(policy(2, kMetadataRule + kRawRule, bench.current().get()));
    bench.feed_rest(session);
    EXPECT_EQ(bench.said(), Said{"raw_match 22"}) << cut;
  }
}

TEST_P(ReloadRaw, StreamIsScannedFromWhereRulesFirstAskForIt) {
  Bench bench(policy(1, kContactRule), GetParam());
  TcpSession::Options options;
  options.server_ip = "203.0.113.8";
  TcpSession session(options);
  session.handshake().client("\x01\x02 hello").client("x-aws-ec2-metadata-token");
  session.client("more").client("x-aws-ec2-metadata-token");
  bench.feed(session, 6);
  EXPECT_EQ(bench.said(), Said());
  bench.exchange(policy(2, kRawRule, bench.current().get()));
  bench.feed_rest(session);
  EXPECT_EQ(bench.said(), Said{"raw_match 22"});
}

INSTANTIATE_TEST_SUITE_P(Lane, ReloadRaw, ::testing::Bool());

// A flow's endpoint is an index, and the order of endpoints may change.
TEST(Reload, FlowKeepsTheNameOfItsEndpoint) {
  Bench bench(policy(1, kMetadataRule, nullptr, endpoints({"imds4", "ecs"})));
  TcpSession session;
  session.handshake().client("GET /latest/meta-data/a HTTP/1.1\r\nHost: a\r\n\r\n");
  session.client("GET /latest/meta-data/b HT").client("TP/1.1\r\nHost: a\r\n\r\n");
  session.client("GET /latest/meta-data/unfinished HTTP/1.1\r\nHost: a\r\n");
  bench.feed(session, 5);
  EXPECT_EQ(bench.said(), Said{"http_request 11 imds4"});
  bench.exchange(policy(2, kMetadataRule, bench.current().get(), endpoints({"ecs", "imds4"})));
  bench.feed(session, 1);
  EXPECT_EQ(bench.said(), Said{"http_request 11 imds4"});
  bench.feed_rest(session);
  // An end without another packet.
  bench.exchange(policy(3, kMetadataRule, bench.current().get(), endpoints({"ecs"})));
  ListSource nothing;
  bench.poll(nothing);
  bench.worker().finish();
  EXPECT_EQ(bench.said(), Said{"http_request 11"}) << "its address is no endpoint any more";
}

TEST(Reload, CountersGoOn) {
  classify::Options classes = endpoints({"imds4"});
  classes.suppressions = {{"lab", {*IpPrefix::parse("10.0.0.0/8")}, {}, {}}};
  Bench bench(policy(1, kMetadataRule, nullptr, classes));
  TcpSession session;
  session.handshake();
  for (int i = 0; i < 3; ++i) {
    session.client("GET /latest/meta-data/a HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  bench.feed(session, 4);
  classes.suppressions.insert(classes.suppressions.begin(),
                              {"other", {*IpPrefix::parse("192.0.2.0/24")}, {}, {}});
  bench.exchange(policy(2, kOtherRule + kMetadataRule, bench.current().get(), classes));
  bench.feed_rest(session);
  const auto now = bench.policies().current();
  EXPECT_EQ(now->seats[0]->suppressed(0).get(), 0u);
  EXPECT_EQ(now->seats[0]->suppressed(1).get(), 3u);
  // The connection, its answer, and the requests.
  EXPECT_EQ(now->seats[0]->rule_counters().events.get(), 5u);
  EXPECT_EQ(bench.said(), Said());
}

TEST(Reload, ClassifierIsSharedWhileAddressesMapAlike) {
  const auto first = policy(1, kMetadataRule);
  const auto second = policy(2, kOtherRule, first.get());
  EXPECT_EQ(first->classifier, second->classifier);
  const auto third = policy(3, kContactRule, second.get());
  EXPECT_NE(third->classifier, second->classifier);
  EXPECT_TRUE(third->classifier->lookup(*IpAddress::parse("203.0.113.7")).named_as_destination);
}

// Freed only once the worker has come by and nobody else looks.
TEST(Reload, FormerPolicyIsFreedAfterTheWorkerHasLeftIt) {
  std::weak_ptr<const detect::Policy> former;
  Bench bench(policy(1, kMetadataRule));
  former = bench.current();
  auto looking = bench.policies().current();
  bench.exchange(policy(2, kMetadataRule, bench.current().get()));
  EXPECT_FALSE(bench.policies().is_settled());
  EXPECT_EQ(bench.policies().reclaim(), 1u);
  ListSource nothing;
  bench.poll(nothing);
  EXPECT_TRUE(bench.policies().is_settled());
  EXPECT_EQ(bench.policies().reclaim(), 1u) << "somebody still looks at it";
  EXPECT_FALSE(former.expired());
  looking.reset();
  EXPECT_EQ(bench.policies().reclaim(), 0u);
  EXPECT_TRUE(former.expired());
}

std::size_t eal_bytes() {
  std::size_t bytes = 0;
  for (unsigned socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket) {
    rte_malloc_socket_stats stats;
    if (rte_malloc_get_socket_stats(static_cast<int>(socket), &stats) == 0) {
      bytes += stats.heap_allocsz_bytes;
    }
  }
  return bytes;
}

TEST(Reload, MemoryDoesNotGrow) {
  constexpr std::uint32_t kReloads = 1000;
  constexpr std::uint32_t kSettledAfter = 10;
  constexpr std::size_t kToleranceBytes = std::size_t{256} << 10;
  Bench bench(policy(1, kMetadataRule));
  ListSource nothing;
  std::size_t heap = 0;
  std::size_t eal = 0;
  std::uint32_t generation = 1;
  for (std::uint32_t i = 1; i <= kReloads; ++i) {
    // Tables of addresses take long to clear: every hundredth reload makes others.
    const std::string rules =
        i / 100 % 2 == 0 ? kMetadataRule + kRawRule : kContactRule + kRawRule + kOtherRule;
    bench.policies().publish(
        bench.policies().prepare(policy(++generation, rules, bench.current().get())).value());
    bench.poll(nothing);
    ASSERT_EQ(bench.policies().reclaim(), 0u);
    if (i == kSettledAfter) {
      heap = mallinfo2().uordblks + mallinfo2().hblkhd;
      eal = eal_bytes();
    }
  }
  EXPECT_LT(mallinfo2().uordblks + mallinfo2().hblkhd, heap + kToleranceBytes);
  EXPECT_LT(eal_bytes(), eal + kToleranceBytes);
}

// Conversations that interleave, each with requests and a raw stream beside them, so that an
// exchange finds flows in every state.
std::vector<support::TimedPacket> busy_traffic(unsigned conversations, unsigned requests) {
  std::vector<TcpSession> sessions;
  for (unsigned c = 0; c < conversations; ++c) {
    TcpSession::Options options;
    options.client_ip = "10.1." + std::to_string(c / 250) + '.' + std::to_string(c % 250 + 1);
    options.client_port = 2000 + c;
    options.server_ip = c % 3 == 0 ? "169.254.169.254" : "203.0.113.9";
    TcpSession& session = sessions.emplace_back(options);
    session.handshake();
    for (unsigned r = 0; r < requests; ++r) {
      const std::string head = "GET /latest/meta-data/" + std::to_string(c) + '/' +
                               std::to_string(r) + " HTTP/1.1\r\nHost: a\r\n\r\n";
      if (c % 3 == 2) {
        session.client("\x01\x02 x-aws-ec2-me").client("tadata-token-ttl ");
      } else if (r % 2 == 0) {
        session.client(head);
      } else {
        session.client(head.substr(0, 30)).client(head.substr(30)).server_ack();
      }
    }
    session.fin();
  }
  std::vector<support::TimedPacket> out;
  for (std::size_t at = 0, left = 1; left > 0; ++at) {
    left = 0;
    for (const TcpSession& session : sessions) {
      if (at < session.packets().size()) {
        out.push_back(session.packets()[at]);
        ++left;
      }
    }
  }
  return out;
}

// A source that hands out no more packets than it was allowed to so far.
class GatedSource final : public port::Source {
 public:
  explicit GatedSource(ListSource& from) : Source(0), from_(from) {}
  void allow(std::uint64_t packets) { allowed_.store(packets); }
  std::uint16_t receive(std::span<rte_mbuf*> burst) override {
    return from_.stats().received_packets.get() < allowed_.load() ? from_.receive(burst)
                                                                  : std::uint16_t{0};
  }
  void release(std::span<rte_mbuf* const> burst) override { from_.release(burst); }
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }

 private:
  ListSource& from_;
  std::atomic<std::uint64_t> allowed_{0};
};

// No packet and no alert is lost or doubled, and each alert names the right rule, while policies
// are exchanged under a worker at full load.
TEST(Reload, NothingIsLostOrDoubledUnderLoad) {
  constexpr unsigned kConversations = 6000;
  constexpr unsigned kRequests = 4;
  constexpr std::uint32_t kExchanges = 100;
  (void)Shared::get();  // EAL
  ListSource source;
  std::size_t packets = 0;
  const auto traffic = busy_traffic(kConversations, kRequests);
  // Now: a worker that waits for packets lets flows age by the wall clock.
  const std::int64_t shift = wall_clock_now().ns - traffic.front().time.ns;
  for (const support::TimedPacket& packet : traffic) {
    Given next = given(packet.bytes);
    next.time = Timestamp{packet.time.ns + shift};
    source.add(std::move(next));
    ++packets;
  }
  source.set_largest_burst(4);
  // Every rule has another index in each.
  const std::string sets[] = {kMetadataRule + kContactRule + kRawRule + kOtherRule,
                              kContactRule + kOtherRule + kMetadataRule + kRawRule};
  std::vector<std::shared_ptr<const detect::Policy>> policies = {policy(1, sets[1])};
  for (std::uint32_t generation = 2; generation <= kExchanges + 1; ++generation) {
    policies.push_back(policy(generation, sets[generation % 2], policies.back().get()));
  }
  Options options = small_options();
  options.flows.flows = 4 * kConversations;
  options.inspector.arena.blocks = {kConversations, 64, 16, 4};
  Bench bench(policies[0], 65536, options);
  std::atomic<bool> stop{false};
  GatedSource gate(source);
  std::thread worker([&] {
    port::Source* const sources[] = {&gate};
    bench.worker().run(sources, stop);
  });
  std::map<std::string, unsigned> seen;  // "id event flow ordinal" → times
  std::map<std::uint32_t, unsigned> by_generation;
  const auto drain = [&] {
    while (const event::Finding* finding = bench.findings().front()) {
      for (std::size_t i = 0; i < finding->rule_count; ++i) {
        ++seen[bench.id_of(finding->ruleset_generation, finding->rules[i]) + ' ' +
               std::string(event::name(finding->type)) + ' ' +
               std::to_string(finding->source.port) + ' ' + std::string(finding->target.view())];
      }
      ++by_generation[finding->ruleset_generation];
      bench.findings().pop();
    }
  };
  const auto taken = [&] { return bench.worker().counters().packets.get(); };
  // Each share of the packets begins under one generation, and may end under the next.
  for (std::uint32_t i = 1; i <= kExchanges; ++i) {
    const std::uint64_t share = packets * i / (kExchanges + 1);
    gate.allow(share);
    bench.exchange(policies[i]);
    while (!bench.policies().is_settled() || bench.policies().reclaim() > 0 || taken() < share) {
      drain();
    }
  }
  gate.allow(packets);
  while (taken() < packets) {
    drain();
  }
  stop.store(true);
  worker.join();
  bench.worker().finish();
  drain();

  EXPECT_GE(by_generation.size(), kExchanges / 10) << "exchanges fell between findings";
  EXPECT_EQ(bench.worker().counters().policies_taken.get(), kExchanges);
  const WorkerCounters& counters = bench.worker().counters();
  EXPECT_EQ(counters.packets.get(), packets);
  std::uint64_t disposed = 0;
  for (const Counter& counter : counters.dispositions) {
    disposed += counter.get();
  }
  EXPECT_EQ(disposed, packets);
  EXPECT_EQ(bench.worker().inspector().counters().findings_lost.get(), 0u);
  std::map<std::string, unsigned> expected;
  for (unsigned c = 0; c < kConversations; ++c) {
    const std::string port = std::to_string(2000 + c);
    if (c % 3 == 2) {
      expected[std::string(kRawId) + " raw_match " + port + ' '] = 1;
      continue;
    }
    for (unsigned r = 0; r < kRequests; ++r) {
      expected[std::string(kMetadataId) + " http_request " + port + " /latest/meta-data/" +
               std::to_string(c) + '/' + std::to_string(r)] = 1;
    }
  }
  EXPECT_EQ(seen, expected);
}

}  // namespace
}  // namespace imds::pipeline
