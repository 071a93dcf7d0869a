#include "engine.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <type_traits>

#include "config/load.h"

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
  for (const config::Endpoint& endpoint : config.endpoints) {
    options.inspector.endpoint_names.push_back(endpoint.name);
  }
  options.inspector.head_bytes_max = config.inspect.head_bytes_max;
  options.inspector.raw_scan_bytes = config.inspect.raw_scan_bytes;
  options.inspector.arena = arena_options(config.inspect.arena_mib);
  options.inspector.reorder = {config.inspect.reorder_mib, config.inspect.reorder_bytes,
                               config.inspect.reorder_segments};
  options.inspector.history_mib = config.inspect.history_mib;
  options.verify_checksums = config.inspect.verify_checksums;
  options.inspector.http2_bytes = std::size_t{config.inspect.http2_mib} << 20;
  return options;
}

story::Options story_options(const Settings& settings, const rules::RuleSet& rules,
                             const EngineOptions& engine) {
  story::Options options;
  story::RuleCatalog catalog;
  catalog.generation = rules.generation();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const rules::RuleInfo& info = rules.info(i);
    catalog.rules.push_back({info.id, info.title, info.level, info.severity});
  }
  options.catalogs.push_back(std::move(catalog));
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

classify::Options classify_options(const config::Config& config, const rules::RuleSet& rules) {
  classify::Options options;
  for (const config::Endpoint& endpoint : config.endpoints) {
    options.endpoints.push_back({endpoint.name, endpoint.addresses});
  }
  for (const config::Suppression& suppression : config.suppress) {
    classify::Suppression out{
        suppression.name, suppression.source, {}, suppression.endpoint, suppression.outer};
    for (const config::VlanRange& range : suppression.vlan) {
      out.vlans.push_back({range.first, range.last});
    }
    options.suppressions.push_back(std::move(out));
  }
  options.destination_prefixes = rules.destination_prefixes();
  options.source_prefixes = rules.source_prefixes();
  return options;
}

std::uint64_t Engine::estimate_memory_bytes(const Settings& settings, const rules::RuleSet& rules) {
  return classify::Classifier::estimate_memory_bytes(classify_options(settings.config, rules));
}

Status Engine::check(const Settings& settings, const rules::RuleSet& rules) {
  auto suppressions = classify::SuppressionSet::create(classify_options(settings.config, rules));
  if (!suppressions) {
    return pass_on(suppressions);
  }
  return {};
}

Result<std::unique_ptr<Engine>> Engine::create(const Settings& settings,
                                               std::shared_ptr<const rules::RuleSet> rules,
                                               const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine);
  engine->rules_ = std::move(rules);
  engine->port_names_ = options.port_names;
  const classify::Options classes = classify_options(settings.config, *engine->rules_);
  auto classifier = classify::Classifier::create(classes, -1);
  if (!classifier) {
    return pass_on(classifier);
  }
  engine->classifier_ = std::move(*classifier);
  auto suppressions = classify::SuppressionSet::create(classes);
  if (!suppressions) {
    return pass_on(suppressions);
  }
  engine->suppressions_ = std::move(*suppressions);

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
  engine->story_ = std::make_unique<story::Story>(story_options(settings, *engine->rules_, options),
                                                  rings, options.sinks);
  for (unsigned w = 0; w < options.workers; ++w) {
    pipeline::Options worker = worker_options(settings, options, w);
    worker.handover = engine->handover_.get();
    if (options.drain_inline) {
      worker.inspector.make_room = drain;
      worker.inspector.make_room_context = engine->story_.get();
    }
    auto created = pipeline::Worker::create(worker, engine->rules_, *engine->classifier_,
                                            engine->suppressions_, *engine->rings_[w]);
    if (!created) {
      return pass_on(created);
    }
    engine->workers_.push_back(std::move(*created));
  }
  return engine;
}

}  // namespace imds::inspector
