// Fills the metric families from the engine's counters. Runs in the exporter's threads; only
// reads counters, and snapshots that the control thread keeps.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engine.h"
#include "metrics/samples.h"
#include "port/ethdev.h"
#include "reload.h"
#include "sinks.h"

namespace imds::inspector {

// What the control thread last read from the devices. set() by it, get() by anyone.
class PortSnapshots {
 public:
  struct Port {
    port::LinkInfo link;
    port::PortStats stats;
  };
  void set(std::vector<Port> ports);
  [[nodiscard]] std::vector<Port> get() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Port> ports_;
};

struct MetricSources {
  const Engine* engine = nullptr;
  const RingSink* ring = nullptr;            // nullptr offline
  port::EthdevSet* ports = nullptr;          // nullptr offline
  const PortSnapshots* snapshots = nullptr;  // with ports
  Timestamp start;
  const Reloader* reloader = nullptr;  // nullptr offline
};

// The sources must outlive the registry's exporter.
void register_sources(metrics::Registry& registry, const MetricSources& sources);

}  // namespace imds::inspector
