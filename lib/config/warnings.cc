#include "warnings.h"

#include <algorithm>
#include <map>
#include <string>

#include "checks.h"
#include "wording.h"

namespace imds::config {
namespace {

class Warnings {
 public:
  void add(const Origin& where, std::string message) {
    list_.push_back({std::move(message), where.position});
  }
  [[nodiscard]] std::vector<Warning> take() {
    std::stable_sort(list_.begin(), list_.end(), [](const Warning& a, const Warning& b) {
      return a.where.line < b.where.line;
    });
    return std::move(list_);
  }

 private:
  std::vector<Warning> list_;
};

void warn_ports(const Config& config, Warnings& warnings) {
  for (const Port& port : config.ports) {
    if (!port.promiscuous) {
      warnings.add(port.where, "port " + quote(port.name) +
                                   " is not promiscuous: it sees only packets sent to its own MAC "
                                   "address");
    }
    if (port.distribute == Distribute::on && config.workers.count == 1) {
      warnings.add(port.where,
                   "port " + quote(port.name) +
                       " has distribute: on, and there is one worker: nothing is spread");
    }
    if (is_pci_address(port.device) && config.memory.hugepages == HugePages::off) {
      warnings.add(port.where, "port " + quote(port.name) +
                                   " is a PCI device and memory.hugepages is off; most drivers "
                                   "refuse to work without hugepages");
    }
  }
}

void warn_endpoints(const Config& config, Warnings& warnings) {
  if (config.endpoints.empty()) {
    warnings.add({}, "endpoints is empty: connections are seen only where a rule names addresses");
  }
  for (const Endpoint& endpoint : config.endpoints) {
    for (const IpPrefix& prefix : endpoint.addresses) {
      if (prefix.length < 8) {
        warnings.add(endpoint.where, "endpoint " + quote(endpoint.name) + ": " +
                                         prefix.to_string() +
                                         " is very wide; every flow with it is an IMDS flow");
      }
    }
  }
}

bool names_clients(const Suppression& s) {
  return !s.source.empty() || !s.outer.empty() || !s.vlan.empty() || !s.user_agent.empty() ||
         !s.responder.empty();
}

void warn_suppressions(const Config& config, Warnings& warnings) {
  for (const Suppression& suppression : config.suppress) {
    const std::string who = "suppression " + quote(suppression.name);
    const auto warn = [&](const std::string& what) { warnings.add(suppression.where, who + what); };
    if (!names_clients(suppression) && suppression.rule.empty() && suppression.tag.empty()) {
      warn(std::string(" names only ") +
           (suppression.destination.empty() ? "endpoints" : "destinations") +
           ": no client's traffic with them ever alerts");
    }
    if (!suppression.user_agent.empty() && suppression.source.empty() && suppression.vlan.empty() &&
        suppression.outer.empty() && suppression.responder.empty()) {
      warn(" names clients by user_agent alone: anybody can send that");
    }
    for (const IpPrefix& prefix : suppression.source) {
      if (prefix.length == 0) {
        warn(": " + prefix.to_string() + " is every client");
      }
    }
    for (const IpPrefix& prefix : suppression.destination) {
      if (prefix.length == 0) {
        warn(": destination " + prefix.to_string() + " is every server");
      }
    }
    for (const IpPrefix& prefix : suppression.outer) {
      if (prefix.length == 0) {
        warn(": outer " + prefix.to_string() + " is every tunnel over " +
             (prefix.address.is_v4() ? "IPv4" : "IPv6"));
      }
    }
    for (const VlanRange& range : suppression.vlan) {
      if (range.first == 1 && range.last == 4094) {
        warn(": 1-4094 is every VLAN");
      }
    }
  }
}

void warn_on_premises(const Config& config, Warnings& warnings) {
  const std::vector<IpPrefix>& networks = config.on_premises.networks;
  for (const bool v4 : {true, false}) {
    const bool any = std::any_of(networks.begin(), networks.end(),
                                 [v4](const IpPrefix& p) { return p.address.is_v4() == v4; });
    if (!networks.empty() && !any) {
      const std::string family = v4 ? "IPv4" : "IPv6";
      warnings.add(config.on_premises.where, "on_premises lists no " + family + " network: no " +
                                                 family + " client ever alerts");
    }
  }
}

void warn_throttle(const Config& config, Warnings& warnings) {
  const ThrottlePolicy* everything = nullptr;
  for (const ThrottlePolicy& policy : config.alerts.throttle.policies) {
    if (everything != nullptr) {
      warnings.add(policy.where, "throttle policy " + quote(policy.name) +
                                     " never applies: " + quote(everything->name) +
                                     " before it takes the alerts of all rules");
    } else if (policy.rule.empty() && policy.tag.empty() && policy.level.empty()) {
      everything = &policy;
    }
  }
}

// Arguments of EAL that the inspector gives itself, and the key that says the same.
void warn_eal_arguments(const Config& config, Warnings& warnings) {
  static const std::map<std::string_view, std::string_view> kOwn = {
      {"-l", "workers"},
      {"-c", "workers"},
      {"--lcores", "workers"},
      {"--main-lcore", "workers"},
      {"-m", "memory.limit_mib"},
      {"--no-huge", "memory.hugepages"},
      {"--in-memory", "memory.hugepages"},
      {"--file-prefix", "eal.file_prefix"},
      {"--vdev", "ports"},
      {"-a", "ports"},
      {"--allow", "ports"},
      {"--no-pci", "ports"}};
  for (const std::string& argument : config.eal.extra_arguments) {
    const auto own = kOwn.find(std::string_view(argument).substr(0, argument.find('=')));
    if (own != kOwn.end()) {
      warnings.add(config.eal.where, "eal.extra_arguments: " + quote(argument) +
                                         " is what the inspector sets itself from '" +
                                         std::string(own->second) + "'; DPDK may refuse both");
    }
  }
}

void warn_metrics(const Config& config, Warnings& warnings) {
  const ListenAddress& listen = config.metrics.listen;
  if (!config.metrics.enabled) {
    return;
  }
  if (listen.address.bytes[0] != 127) {
    warnings.add(config.metrics.where, "metrics.listen: " + listen.to_string() +
                                           " can be read by anyone who reaches it; there is no "
                                           "password");
  }
  if (listen.port == 0) {
    warnings.add(config.metrics.where, "metrics.listen: port 0 is a different port at every start");
  }
}

}  // namespace

std::vector<Warning> find_warnings(const Config& config) {
  Warnings warnings;
  warn_ports(config, warnings);
  warn_endpoints(config, warnings);
  warn_suppressions(config, warnings);
  warn_on_premises(config, warnings);
  warn_throttle(config, warnings);
  warn_eal_arguments(config, warnings);
  warn_metrics(config, warnings);
  return warnings.take();
}

}  // namespace imds::config
