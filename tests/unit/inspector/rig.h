// An engine with the shipped configuration, fed by hand.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine.h"
#include "port/packet_meta.h"
#include "support/eal.h"

namespace imds::inspector {

// Keeps what is delivered.
class KeepSink final : public story::AlertSink {
 public:
  bool deliver(const alert::SparseRecord& alert) override {
    records.push_back(alert.record);
    return true;
  }
  std::vector<imds_alert_record> records;
};

class Rig {
 public:
  explicit Rig(std::vector<config::Suppression> suppress = {}) {
    support::start_eal();
    if (auto status = port::register_packet_meta(); !status) {
      throw std::runtime_error(status.error().message);
    }
    CommandLine line;
    line.config_file = IMDS_CONF_DIR "/inspector.yaml";
    settings = load_settings(line).value();
    settings.config.suppress = std::move(suppress);
    settings.config.flow.capacity = 1024;
    settings.config.inspect.arena_mib = 1;
    settings.config.inspect.reorder_mib = 1;
    settings.config.inspect.history_mib = 1;
    EngineOptions options;
    options.port_names = {"test"};
    options.sinks = {&sink};
    options.drain_inline = true;
    engine = Engine::create(settings, load_ruleset(settings.config.rules).value().compiled, options)
                 .value();
  }
  void poll(port::Source& source) {
    port::Source* const sources[] = {&source};
    engine->worker(0).poll(sources);
    engine->story().poll(1000);
  }

  Settings settings;
  KeepSink sink;
  std::unique_ptr<Engine> engine;
};

}  // namespace imds::inspector
