#include "engine.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <type_traits>

#include "base/random.h"
#include "config/load.h"
#include "correlations.h"
#include "suppressions.h"

namespace imds::inspector {

namespace {

std::uint16_t seconds16(std::uint32_t seconds) {
  return static_cast<std::uint16_t>(
      std::min<std::uint32_t>(seconds, std::numeric_limits<std::uint16_t>::max()));
}

// The configured memory, a quarter for each size class.
flow::Arena::Options arena_options(std::uint32_t mib) {
  flow::Arena::Options options;
  const std::size_t share = (std::size_t{mib} << 20) / flow::Arena::kClasses;
  for (std::size_t i = 0; i < flow::Arena::kClasses; ++i) {
    options.blocks[i] =
        static_cast<std::uint32_t>(std::max<std::size_t>(share / flow::Arena::kBlockSize[i], 1));
  }
  return options;
}

// Clients are more than machines that answer them.
constexpr std::size_t kClientsPerOwner = 4;

detect::EvidenceOptions evidence_options(const config::Config& config) {
  const config::Evidence& evidence = config.evidence;
  detect::EvidenceOptions options;
  options.metadata_names = evidence.metadata_names;
  options.owners.entries = evidence.owners;
  options.owners.forget_after_ns = evidence.forget_seconds * kNanosPerSecond;
  options.owners.secret = random_key();
  // So every story that begins is told of its first answer.
  options.answers.window_ns = config.alerts.story_seconds * kNanosPerSecond;
  options.answers.entries = kClientsPerOwner * evidence.owners;
  options.dns_streams = evidence.dns_streams;
  return options;
}

// For how long workers do not tell the story the same again. That much longer it remembers.
std::int64_t story_repeat_ns(const config::Config& config) {
  constexpr std::int64_t kOfWindow = 8;
  return std::min(kNanosPerSecond, config.alerts.story_seconds * kNanosPerSecond / kOfWindow);
}

packet::DecodeOptions decode_options(const config::Tunnels& tunnels) {
  packet::TunnelPorts ports;
  const auto copy = [](const config::TunnelPortList& from, auto& to) {
    static_assert(std::tuple_size_v<std::remove_reference_t<decltype(to)>> ==
                  config::kMaxTunnelPorts);
    to = {};
    std::transform(from.begin(), from.end(), to.begin(),
                   [](const config::TunnelPort& port) { return port.number; });
  };
  copy(tunnels.ports.vxlan, ports.vxlan);
  copy(tunnels.ports.vxlan_gpe, ports.vxlan_gpe);
  copy(tunnels.ports.geneve, ports.geneve);
  copy(tunnels.ports.teredo, ports.teredo);
  copy(tunnels.ports.gtp_u, ports.gtp_u);
  copy(tunnels.ports.l2tp, ports.l2tp);
  copy(tunnels.ports.mpls, ports.mpls);
  packet::DecodeOptions options;
  options.ports = ports;
  options.max_tunnels = tunnels.max_depth;
  return options;
}

pipeline::Options worker_options(const Settings& settings, const EngineOptions& engine,
                                 std::size_t index) {
  const config::Config& config = settings.config;
  pipeline::Options options;
  options.decode = decode_options(config.tunnels);
  options.key = {config.flow.key.vlan, config.flow.key.vni};
  options.timeouts.tcp_opening = seconds16(config.flow.timeouts.tcp_syn_seconds);
  options.timeouts.tcp_established = seconds16(config.flow.timeouts.tcp_established_seconds);
  options.timeouts.tcp_closing = seconds16(config.flow.timeouts.tcp_closed_seconds);
  options.timeouts.other = seconds16(config.flow.timeouts.udp_seconds);
  options.flows.flows = config.flow.capacity;
  options.flows.secret = flow::HashSecret::random();
  options.fragments.memory_bytes = std::size_t{config.fragments.memory_mib} << 20;
  options.fragments.timeout = config.fragments.timeout_seconds;
  options.fragments.fragments_per_datagram = config.fragments.per_datagram;
  options.fragments.secret = flow::HashSecret::random();
  options.index = static_cast<unsigned>(index);
  options.inspector.worker = static_cast<std::uint8_t>(index);
  options.inspector.ports = engine.port_names.size();
  options.inspector.head_bytes_max = config.inspect.head_bytes_max;
  options.inspector.raw_scan_bytes = config.inspect.raw_scan_bytes;
  options.inspector.arena = arena_options(config.inspect.arena_mib);
  options.inspector.reorder = {config.inspect.reorder_mib, config.inspect.reorder_bytes,
                               config.inspect.reorder_segments};
  options.inspector.history_mib = config.inspect.history_mib;
  options.verify_checksums = config.inspect.verify_checksums;
  options.inspector.http2_bytes = std::size_t{config.inspect.http2_mib} << 20;
  options.inspector.evidence = evidence_options(config);
  options.inspector.told_stories.repeat_after_ns = story_repeat_ns(config);
  options.inspector.told_stories.secret = options.inspector.evidence.owners.secret;
  options.inspector.exchanges = config.inspect.exchanges;
  options.inspector.inflaters = config.inspect.compressed_bodies;
  options.inspector.body_bytes_max = config.inspect.body_bytes_max;
  return options;
}

EvidenceCapture::Options capture_options(const config::Config& config,
                                         const EngineOptions& engine) {
  EvidenceCapture::Options options;
  options.config = config.evidence.capture;
  options.port_names = engine.port_names;
  options.decode = decode_options(config.tunnels);
  options.workers = engine.workers;
  options.wait = engine.drain_inline;
  return options;
}

// `throttle`: as configured; nullptr if nothing is withheld. `ruleset`: whose correlations to
// follow; nullptr: none.
Result<story::RuleCatalog> catalog_of(const std::shared_ptr<const rules::RuleSet>& rules,
                                      const config::Throttle* throttle, const Ruleset* ruleset) {
  story::RuleCatalog catalog;
  catalog.generation = rules->generation();
  for (std::size_t i = 0; i < rules->size(); ++i) {
    const rules::RuleInfo& info = rules->info(i);
    catalog.rules.push_back({info.id, info.title, info.level, info.severity});
  }
  if (throttle != nullptr) {
    catalog.policies = throttle_policies(*throttle, *rules);
  }
  if (rules->has_story_rules()) {
    auto evaluator = rules::Evaluator::create(rules);
    if (!evaluator) {
      return pass_on(evaluator);
    }
    catalog.story_rules = std::make_shared<rules::Evaluator>(std::move(*evaluator));
  }
  if (ruleset != nullptr) {
    add_correlations(*ruleset, catalog);
  }
  return catalog;
}

Result<story::Options> story_options(const Settings& settings,
                                     const std::shared_ptr<const rules::RuleSet>& rules,
                                     const EngineOptions& engine,
                                     const config::Throttle* throttle) {
  story::Options options;
  auto catalog = catalog_of(rules, throttle, engine.ruleset);
  if (!catalog) {
    return pass_on(catalog);
  }
  options.catalogs.push_back(std::move(*catalog));
  if (throttle != nullptr) {
    options.throttle = throttle_options(*throttle);
  }
  options.correlation_bytes = correlation_bytes(settings.config);
  options.stages.memory_bytes = std::size_t{settings.config.alerts.story_mib} << 20;
  options.stages.window_ns =
      settings.config.alerts.story_seconds * kNanosPerSecond + story_repeat_ns(settings.config);
  if (!engine.drain_inline) {
    options.clock = wall_clock_now;  // captures have their own time
  }
  options.redaction.query_parameters = settings.config.alerts.redact_query_parameters;
  options.hostname = settings.hostname;
  options.interface_names = engine.port_names;
  return options;
}

// The story lives on the same thread as the worker that found its ring full.
bool drain(void* context) {
  return static_cast<story::Story*>(context)->poll(1024) > 0;
}

}  // namespace

std::uint64_t Engine::estimate_memory_bytes(const Settings& settings, const rules::RuleSet& rules) {
  return classify::Classifier::estimate_memory_bytes(classify_options(settings.config, rules));
}

// It may name addresses of a family that nothing names now, and more of them.
std::uint64_t Engine::estimate_reload_bytes(const Settings& settings, const rules::RuleSet& rules) {
  constexpr std::uint64_t kGrowthBytes = 8u << 20;
  classify::Options options = classify_options(settings.config, rules);
  options.source_prefixes.push_back({IpAddress::v4(0x7f000001), 32});
  options.source_prefixes.push_back({*IpAddress::parse("::1"), 128});
  return classify::Classifier::estimate_memory_bytes(options) + kGrowthBytes;
}

Status Engine::check(const Settings& settings, const rules::RuleSet& rules) {
  auto suppressions = classify::SuppressionSet::create(classify_options(settings.config, rules));
  if (!suppressions) {
    return pass_on(suppressions);
  }
  return {};
}

namespace {

detect::KnownParties known_of(const config::Config& config) {
  std::vector<evidence::ClientPattern> patterns;
  for (const config::ClientKind& client : config.clients) {
    for (const std::string& user_agent : client.user_agent) {
      patterns.push_back({user_agent, client.kind});
    }
  }
  std::vector<evidence::ExpectedAccount> accounts;
  for (const config::ExpectedAccount& expected : config.expected_accounts) {
    accounts.push_back({expected.account, expected.networks});
  }
  return {evidence::ClientKinds(std::move(patterns)),
          evidence::ExpectedAccounts(std::move(accounts)), config.on_premises.networks};
}

}  // namespace

Result<std::shared_ptr<const detect::Policy>> make_policy(
    const config::Config& config, std::shared_ptr<const rules::RuleSet> rules,
    const detect::Policy* former) {
  const classify::Options classes = classify_options(config, *rules);
  return detect::Policy::create(std::move(rules), classes, former, known_of(config));
}

Status Engine::put_in_force(std::shared_ptr<const detect::Policy> policy, const Ruleset* ruleset) {
  auto edition = policies_->prepare(policy);
  if (!edition) {
    return pass_on(edition);
  }
  auto catalog = catalog_of(policy->rules, throttle_ ? &*throttle_ : nullptr, ruleset);
  if (!catalog) {
    return pass_on(catalog);
  }
  former_ = policies_->current()->generation;
  last_of_former_.clear();
  story_->rules().add(std::move(*catalog));
  policies_->publish(std::move(*edition));
  return {};
}

bool Engine::free_former() {
  if (former_ == 0) {
    return true;
  }
  if (!policies_->is_settled()) {
    return false;
  }
  if (last_of_former_.empty()) {
    for (const auto& ring : rings_) {
      last_of_former_.push_back(ring->produced());
    }
  }
  for (std::size_t w = 0; w < rings_.size(); ++w) {
    if (rings_[w]->consumed() < last_of_former_[w]) {
      return false;
    }
  }
  story_->rules().forget(former_);
  if (policies_->reclaim() > 0) {
    return false;
  }
  former_ = 0;
  return true;
}

Result<std::unique_ptr<Engine>> Engine::create(const Settings& settings,
                                               std::shared_ptr<const rules::RuleSet> rules,
                                               const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine);
  engine->port_names_ = options.port_names;
  if (options.throttle && settings.config.alerts.throttle.enabled) {
    engine->throttle_ = settings.config.alerts.throttle;
  }
  auto policy = make_policy(settings.config, std::move(rules), nullptr);
  if (!policy) {
    return pass_on(policy);
  }
  auto policies = pipeline::PolicySwitch::create(*policy, options.workers);
  if (!policies) {
    return pass_on(policies);
  }
  engine->policies_ = std::move(*policies);

  if (options.workers > 1 && options.steering != nullptr) {
    auto handover = pipeline::Handover::create(options.workers, *options.steering);
    if (!handover) {
      return pass_on(handover);
    }
    engine->handover_ = std::move(*handover);
  }

  std::vector<story::FindingRing*> rings;
  for (unsigned w = 0; w < options.workers; ++w) {
    engine->rings_.push_back(
        std::make_unique<detect::FindingRing>(settings.config.alerts.finding_ring_records));
    rings.push_back(engine->rings_.back().get());
  }
  auto story = story_options(settings, (*policy)->rules, options,
                             engine->throttle_ ? &*engine->throttle_ : nullptr);
  if (!story) {
    return pass_on(story);
  }
  engine->holders_ = std::make_unique<AddressSet>(random_key());
  story->stages.holders = engine->holders_.get();
  engine->story_ = std::make_unique<story::Story>(std::move(*story), rings, options.sinks);
  if (settings.config.evidence.capture.enabled) {
    auto evidence = EvidenceCapture::create(capture_options(settings.config, options));
    if (!evidence) {
      return pass_on(evidence);
    }
    engine->evidence_ = std::move(*evidence);
  }
  for (unsigned w = 0; w < options.workers; ++w) {
    pipeline::Options worker = worker_options(settings, options, w);
    worker.handover = engine->handover_.get();
    worker.inspector.holders = engine->holders_.get();
    if (engine->evidence_ != nullptr) {
      worker.inspector.recorder = &engine->evidence_->recorder(w);
    }
    if (options.drain_inline) {
      worker.inspector.make_room = drain;
      worker.inspector.make_room_context = engine->story_.get();
    }
    auto created = pipeline::Worker::create(worker, *engine->policies_, *engine->rings_[w]);
    if (!created) {
      return pass_on(created);
    }
    engine->workers_.push_back(std::move(*created));
  }
  return engine;
}

}  // namespace imds::inspector
