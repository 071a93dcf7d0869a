// What a reload takes over, and what it cannot.
#include "reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rig.h"

namespace imds::inspector {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NeedsRestart, NamesSectionsThatDiffer) {
  const config::Config before;
  config::Config after = before;
  EXPECT_THAT(needs_restart(before, after), IsEmpty());
  after.rules.paths = {"elsewhere"};
  after.endpoints.clear();
  after.suppress.emplace_back().name = "x";
  after.on_premises.networks.push_back({IpAddress::v4(0x0a000000), 8});
  after.log.level = config::LogLevel::debug;
  EXPECT_THAT(needs_restart(before, after), IsEmpty()) << "these are taken over";
  after.flow.capacity = 7;
  after.metrics.enabled = false;
  EXPECT_THAT(needs_restart(before, after), ElementsAre("flow", "metrics"));
}

// Every section is either taken over or listed. One that is added does not compile here: place it.
TEST(NeedsRestart, EverySectionIsAccountedFor) {
  const config::Config before;
  const auto& [observer, ports, workers, memory, eal, endpoints, on_premises, suppress,
               expected_accounts, rules, clients, tunnels, flow, inspect, fragments, evidence,
               alerts, metrics, log, warnings] = before;
  config::Config after = before;
  after.observer.hostname = observer.hostname + "x";
  after.ports.emplace_back();
  after.workers.count = static_cast<std::uint16_t>(workers.count + 1);
  after.memory.limit_mib = memory.limit_mib + 1;
  after.eal.file_prefix = eal.file_prefix + "x";
  after.tunnels.max_depth = static_cast<std::uint8_t>(tunnels.max_depth + 1);
  after.flow.capacity = flow.capacity + 1;
  after.inspect.arena_mib = inspect.arena_mib + 1;
  after.fragments.memory_mib = fragments.memory_mib + 1;
  after.evidence.owners = evidence.owners + 1;
  after.alerts.ring.records = alerts.ring.records + 1;
  after.metrics.enabled = !metrics.enabled;
  EXPECT_THAT(needs_restart(before, after),
              ElementsAre("observer", "ports", "workers", "memory", "eal", "tunnels", "flow",
                          "inspect", "fragments", "evidence", "alerts", "metrics"));
  EXPECT_TRUE(ports.empty() && suppress.empty() && warnings.empty());
  EXPECT_TRUE(on_premises.networks.empty() && expected_accounts.empty() && clients.empty());
  EXPECT_FALSE(endpoints.empty() || rules.paths.empty() || log.level == config::LogLevel::trace);
}

class NullSource final : public port::Source {
 public:
  NullSource() : Source(0) {}
  std::uint16_t receive(std::span<rte_mbuf*>) override { return 0; }
  void release(std::span<rte_mbuf* const>) override {}
  void drop(std::span<rte_mbuf* const>) override {}
};

TEST(Engine, FormerGenerationIsFreedAfterWorkersAndStoryHaveLeftIt) {
  Rig rig;
  Engine& engine = *rig.engine;
  RulesetOptions options;
  options.generation = 2;
  const auto ruleset = load_ruleset(rig.settings.config.rules, options).value();
  const auto policy =
      make_policy(rig.settings.config, ruleset.compiled, engine.policy().get()).value();
  std::weak_ptr<const detect::Policy> former = engine.policy();
  ASSERT_TRUE(engine.free_former()) << "nothing to free";
  ASSERT_TRUE(engine.put_in_force(policy));
  EXPECT_EQ(engine.policy()->generation(), 2u);
  EXPECT_FALSE(engine.free_former()) << "the worker has not come by";
  EXPECT_EQ(engine.generations_held(), 1u);
  EXPECT_NE(engine.story().rules().find(1), nullptr) << "findings may still name it";
  NullSource nothing;
  rig.poll(nothing);
  EXPECT_TRUE(engine.free_former());
  EXPECT_EQ(engine.generations_held(), 0u);
  EXPECT_TRUE(former.expired());
  EXPECT_EQ(engine.story().rules().find(1), nullptr);
  EXPECT_NE(engine.story().rules().find(2), nullptr);
}

}  // namespace
}  // namespace imds::inspector
