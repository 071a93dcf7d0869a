#include "port/ethdev.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <rte_ethdev.h>

#include "device.h"
#include "ethdev_source.h"
#include "packet_pool.h"
#include "port/packet_meta.h"
#include "port_setup.h"
#include "rss.h"

namespace imds::port {
namespace {

tl::unexpected<Error> config_failure(const PortOptions& port, const std::string& what) {
  return fail(ErrorKind::config, "port '" + port.name + "': " + what);
}

Status check_names(const EthdevOptions& options) {
  if (options.ports.empty()) {
    return fail(ErrorKind::config, "no port is configured");
  }
  if (options.workers == 0) {
    return fail(ErrorKind::config, "at least one worker is needed");
  }
  std::set<std::string> names;
  std::map<std::string, std::string> devices;     // device, port that has it
  std::map<std::string, std::string> interfaces;  // kernel interface, port that has it
  for (const PortOptions& port : options.ports) {
    if (port.name.empty() || port.device.empty()) {
      return config_failure(port, "a port needs a name and a device");
    }
    if (!names.insert(port.name).second) {
      return config_failure(port, "the name is used twice");
    }
    const DeviceRef device = parse_device(port.device);
    if (auto [it, inserted] = devices.emplace(device.name, port.name); !inserted) {
      return config_failure(port, "device '" + device.name + "' is already port '" + it->second +
                                      "'; number virtual devices apart (net_af_packet0, "
                                      "net_af_packet1)");
    }
    if (auto [it, inserted] = interfaces.emplace(device.interface, port.name);
        !inserted && !device.interface.empty()) {
      return config_failure(
          port, "interface '" + device.interface + "' is already port '" + it->second + "'");
    }
    if (port.distribute == Distribute::on && port.mode == PortMode::inline_pair) {
      return config_failure(
          port,
          "an inline port cannot be distributed: a receive core gives its packets "
          "to several workers, which would forward them out of order");
    }
    if (port.mtu != 0 && device.kind != DriverKind::ordinary) {
      return config_failure(port, "the MTU of a kernel interface is set outside: 'ip link set " +
                                      device.interface + " mtu " + std::to_string(port.mtu) + "'");
    }
  }
  return {};
}

// Peers must name each other.
Status pair_ports(std::vector<Port>& ports) {
  for (Port& port : ports) {
    const PortOptions& options = port.options;
    if (!port.is_inline()) {
      if (!options.peer.empty()) {
        return config_failure(options, "a tap port has no peer; set mode inline or leave it out");
      }
      continue;
    }
    const auto peer = std::find_if(ports.begin(), ports.end(), [&](const Port& other) {
      return other.options.name == options.peer;
    });
    if (peer == ports.end()) {
      return config_failure(options, "its peer '" + options.peer + "' is not a configured port");
    }
    if (&*peer == &port || !peer->is_inline() || peer->options.peer != options.name) {
      return config_failure(options, "its peer '" + options.peer +
                                         "' must be another inline port that names this one as "
                                         "its peer");
    }
    port.peer = static_cast<std::uint16_t>(peer - ports.begin());
  }
  return {};
}

bool waits_for_queue_count(const Port& port) {
  return port.device.bus == Bus::vdev && port.device.kind != DriverKind::ordinary;
}

// Before the device exists; true where only the device itself could tell.
bool may_be_distributed(const PortOptions& port, std::uint16_t workers) {
  if (port.distribute == Distribute::off || port.mode != PortMode::tap || workers == 1) {
    return false;
  }
  const DeviceRef device = parse_device(port.device);
  return port.distribute == Distribute::on || device.kind == DriverKind::ordinary ||
         queues_before_attach(device, workers) < workers;
}

bool has_several_numa_nodes() {
  std::error_code error;
  return std::filesystem::exists("/sys/devices/system/node/node1", error);
}

}  // namespace

const char* to_text(RssState state) {
  switch (state) {
    case RssState::single_queue:
      return "not needed (one queue)";
    case RssState::symmetric:
      return "symmetric";
    case RssState::kernel_symmetric:
      return "symmetric, by the kernel";
    case RssState::kernel_unknown:
      return "by the kernel driver, symmetry not known";
    case RssState::none:
      return "none";
    case RssState::software:
      return "symmetric, by a receive core";
  }
  return "none";
}

struct EthdevSet::Impl {
  EthdevOptions options;
  std::vector<Port> ports;
  std::vector<MempoolPtr> pools;
  std::vector<std::unique_ptr<EthdevSource>> sources;      // port by port
  std::vector<std::vector<Source*>> by_worker;             // [port][worker]
  std::vector<std::unique_ptr<Distributor>> distributors;  // [port]; may be null
  Steering steering;
  std::uint16_t queues = 1;
  std::atomic<bool> running{false};

  ~Impl();
  [[nodiscard]] Status attach_ports();
  [[nodiscard]] Status attach_one(Port& port, std::uint16_t queues_wanted);
  [[nodiscard]] Status set_up();
  void decide_queues();
  void explain_queues();
  [[nodiscard]] Status make_sources();
  void steer();
  void stop();
};

EthdevSet::Impl::~Impl() {
  stop();
  distributors.clear();
  sources.clear();
  for (const Port& port : ports) {
    if (port.id != kNoDevice) {
      detach(port.device, port.id);
    }
  }
}

Status EthdevSet::Impl::attach_one(Port& port, std::uint16_t queues_wanted) {
  const std::uint16_t ring_frames =
      port.options.rx_descriptors != 0 ? port.options.rx_descriptors : kDefaultRxDescriptors;
  auto id =
      attach(port.options, port.device, driver_arguments(port.device, queues_wanted, ring_frames));
  if (!id) {
    return pass_on(id);
  }
  port.id = *id;
  return inspect_device(port, options);
}

// What every port can fill that is not distributed; the others get a receive core. One queue is as
// good for it as several, but those that the kernel or the operator filled must be read.
void EthdevSet::Impl::decide_queues() {
  queues = options.workers;
  for (const Port& port : ports) {
    if (port.is_inline() || port.options.distribute == Distribute::off) {
      queues = std::min(queues, port.report.queues_supported);
    }
  }
  for (Port& port : ports) {
    PortReport& report = port.report;
    const bool wanted =
        port.options.distribute == Distribute::on ||
        (port.options.distribute == Distribute::automatic && report.queues_supported < queues);
    report.distributed = wanted && queues > 1 && !port.is_inline();
    const bool one_will_do =
        port.device.kind == DriverKind::ordinary ||
        (port.device.kind == DriverKind::af_packet && waits_for_queue_count(port) &&
         argument(port.device.arguments, "qpairs").empty());
    report.queues = !report.distributed ? queues : one_will_do ? 1 : report.queues_supported;
  }
}

// Devices on kernel interfaces spread packets over exactly the queues they are created with, so
// they come last, when the number every port can fill is known.
Status EthdevSet::Impl::attach_ports() {
  for (Port& port : ports) {
    if (Status s = resolve_device(port.options, port.device); !s) {
      return s;
    }
    if (waits_for_queue_count(port)) {
      port.report.queues_supported = queues_before_attach(port.device, options.workers);
    } else if (Status s = attach_one(port, options.workers); !s) {
      return s;
    }
  }
  decide_queues();
  for (Port& port : ports) {
    if (!waits_for_queue_count(port)) {
      continue;
    }
    const std::uint16_t supported = port.report.queues_supported;
    if (Status s = check_queue_coverage(port.options, port.device, port.report.queues); !s) {
      return s;
    }
    if (Status s = attach_one(port, port.report.queues); !s) {
      return s;
    }
    port.report.queues_supported = supported;
  }
  return {};
}

void EthdevSet::Impl::explain_queues() {
  for (Port& port : ports) {
    if (port.report.distributed) {
      const auto other = std::find_if(ports.begin(), ports.end(), [](const Port& candidate) {
        return !candidate.report.distributed && waits_for_queue_count(candidate);
      });
      if (other != ports.end()) {
        port.report.notes.push_back(
            "port '" + other->options.name +
            "' is spread by the kernel's hash and this one by a receive core: a connection whose "
            "directions come on both meets in one worker only with 'distribute: on' for both");
      }
      continue;
    }
    if (port.report.rss == RssState::none && options.workers > 1) {
      port.report.notes.push_back(
          "the driver cannot spread packets by address, so one queue is used");
    }
    if (port.report.rss == RssState::kernel_unknown && queues > 1) {
      port.report.notes.push_back(
          "the interface's own hash decides the worker; for both directions to meet, give it the "
          "symmetric key: 'ethtool -X " +
          port.device.interface + " hkey 6d:5a:... equal " + std::to_string(queues) + "'");
    }
    if (queues < port.report.queues_supported) {
      const auto limit = std::find_if(ports.begin(), ports.end(), [this](const Port& other) {
        return !other.report.distributed && other.report.queues_supported == queues;
      });
      port.report.notes.push_back("reduced to " + std::to_string(queues) +
                                  " queue(s), the number port '" + limit->options.name +
                                  "' can fill, so that both directions of a flow meet");
    }
  }
}

Status EthdevSet::Impl::set_up() {
  explain_queues();
  std::map<int, PoolDemand> demands;
  for (Port& port : ports) {
    auto [demand, first] = demands.try_emplace(port.report.socket);
    if (first) {
      demand->second.add_workers(options);
    }
    if (Status s = configure_device(port, demand->second); !s) {
      return s;
    }
    if (port.report.distributed) {
      demand->second.add_distribution(queues);
      port.report.rss = RssState::software;
    }
  }
  for (auto& [socket, demand] : demands) {
    auto pool = make_pool(demand.mbufs(), demand.data_bytes(), PoolUse::device, socket);
    if (!pool) {
      return pass_on(pool);
    }
    for (Port& port : ports) {
      if (port.report.socket != socket) {
        continue;
      }
      if (Status s = set_up_queues(port, pool->get()); !s) {
        return s;
      }
    }
    pools.push_back(std::move(*pool));
  }
  return {};
}

Status EthdevSet::Impl::make_sources() {
  distributors.resize(ports.size());
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const Port& port = ports[i];
    std::vector<Source*>& polled = by_worker.emplace_back();
    for (std::uint16_t queue = 0; queue < port.report.queues; ++queue) {
      sources.push_back(std::make_unique<EthdevSource>(
          EthdevSource::Queue{
              .port_index = static_cast<std::uint16_t>(i),
              .device = port.id,
              .peer = port.is_inline() ? ports[port.peer].id : EthdevSource::kNoPeer,
              .queue = queue,
              .truncated_at = port.truncated_at()},
          running));
      polled.push_back(sources.back().get());
    }
    if (!port.report.distributed) {
      continue;
    }
    auto distributor = Distributor::create(std::move(polled), queues);
    if (!distributor) {
      return pass_on(distributor);
    }
    polled.clear();
    for (std::uint16_t worker = 0; worker < queues; ++worker) {
      polled.push_back(&(*distributor)->source(worker));
    }
    distributors[i] = std::move(*distributor);
  }
  return {};
}

// Software chooses as the first device does that hashes with our key, so that both directions of a
// flow meet even when they come on different ports.
void EthdevSet::Impl::steer() {
  std::vector<PortSteering>& all = steering.ports();
  all.clear();
  PortSteering software;
  software.queues = queues;
  software.exact = true;
  software.rss_types = rss_types(options.rss);
  for (auto port = ports.rbegin(); port != ports.rend(); ++port) {
    const PortSteering device = steering_of(*port);
    if (!port->report.distributed && device.exact) {
      software = device;
    }
  }
  for (const Port& port : ports) {
    all.push_back(port.report.distributed ? software : steering_of(port));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (distributors[i] != nullptr) {
      ports[i].report.rss_fields = rss_type_names(software.rss_types);
      distributors[i]->start(steering);
    }
  }
}

void EthdevSet::Impl::stop() {
  running.store(false);
  for (Port& port : ports) {
    if (std::exchange(port.started, false)) {
      port.drops.finish();
      rte_eth_dev_stop(port.id);
    }
  }
}

Result<std::unique_ptr<EthdevSet>> EthdevSet::open(const EthdevOptions& options) {
  if (Status s = check_names(options); !s) {
    return pass_on(s);
  }
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  for (const PortOptions& port : options.ports) {
    Port& p = impl->ports.emplace_back();
    p.options = port;
    p.device = parse_device(port.device);
    p.report.name = port.name;
    p.report.device = port.device;
    p.report.mode = port.mode;
    p.report.peer = port.peer;
    p.report.queues_wanted = options.workers;
  }
  if (Status s = pair_ports(impl->ports); !s) {
    return pass_on(s);
  }
  if (Status s = impl->attach_ports(); !s) {
    return pass_on(s);
  }
  if (Status s = impl->set_up(); !s) {
    return pass_on(s);
  }
  if (Status s = impl->make_sources(); !s) {
    return pass_on(s);
  }
  return std::unique_ptr<EthdevSet>(new EthdevSet(std::move(impl)));
}

EalNeeds EthdevSet::eal_needs(const EthdevOptions& options) {
  EalNeeds needs;
  for (const PortOptions& port : options.ports) {
    needs.pci = needs.pci || parse_device(port.device).bus == Bus::pci;
  }
  needs.hugepages = needs.pci;
  const auto pool_bytes = [&](const PoolDemand& demand) {
    return pool_memory_bytes(demand.mbufs(), demand.data_bytes(), PoolUse::device, needs.hugepages);
  };
  PoolDemand together;
  together.add_workers(options);
  std::uint64_t apart = 0;
  std::uint64_t rings = 0;
  for (const PortOptions& port : options.ports) {
    const DeviceRef device = parse_device(port.device);
    PoolDemand alone;
    alone.add_workers(options);
    for (PoolDemand* demand : {&together, &alone}) {
      demand->add_port(device.kind, options.workers,
                       port.rx_descriptors != 0 ? port.rx_descriptors : kDefaultRxDescriptors,
                       port.tx_descriptors != 0 ? port.tx_descriptors : kDefaultTxDescriptors,
                       data_bytes_for(device),
                       frame_length(port.mtu != 0 ? port.mtu : std::uint16_t{RTE_ETHER_MTU}));
      if (may_be_distributed(port, options.workers)) {
        demand->add_distribution(options.workers);
      }
    }
    rings += may_be_distributed(port, options.workers)
                 ? Distributor::required_memory_bytes(options.workers)
                 : 0;
    apart += pool_bytes(alone);
  }
  // Which node a device is on is not known yet; at worst each is on one of its own.
  needs.memory_bytes = rings + (has_several_numa_nodes() ? apart : pool_bytes(together));
  return needs;
}

EthdevSet::EthdevSet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EthdevSet::~EthdevSet() = default;

Status EthdevSet::start() {
  for (Port& port : impl_->ports) {
    if (Status s = start_device(port); !s) {
      impl_->stop();
      return s;
    }
  }
  impl_->steer();
  impl_->running.store(true);
  return {};
}

void EthdevSet::stop() {
  impl_->stop();
}

std::uint16_t EthdevSet::port_count() const {
  return static_cast<std::uint16_t>(impl_->ports.size());
}

std::uint16_t EthdevSet::queues() const {
  return impl_->queues;
}

Source& EthdevSet::source(std::uint16_t port, std::uint16_t queue) {
  return *impl_->by_worker.at(port).at(queue);
}

Distributor* EthdevSet::distributor(std::uint16_t port) {
  return impl_->distributors.at(port).get();
}

const Steering& EthdevSet::steering() const {
  return impl_->steering;
}

const PortReport& EthdevSet::report(std::uint16_t port) const {
  return impl_->ports.at(port).report;
}

LinkInfo EthdevSet::link(std::uint16_t port) const {
  return link_of(impl_->ports.at(port));
}

PortStats EthdevSet::stats(std::uint16_t port) const {
  Port& p = impl_->ports.at(port);
  rte_eth_stats s = {};
  if (rte_eth_stats_get(p.id, &s) != 0) {
    return {};
  }
  return {.received_packets = s.ipackets,
          .received_bytes = s.ibytes,
          .missed_packets = s.imissed + p.drops.read(),
          .receive_errors = s.ierrors,
          .no_mbuf = s.rx_nombuf,
          .transmitted_packets = s.opackets,
          .transmit_errors = s.oerrors};
}

}  // namespace imds::port
