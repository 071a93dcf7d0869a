#include <algorithm>
#include <map>
#include <string>

#include "config/load.h"
#include "names.h"
#include "warnings.h"
#include "wording.h"

namespace imds::config {
namespace {

tl::unexpected<Error> refuse(const Origin& where, std::string message) {
  return fail_at(ErrorKind::config, where.position, std::move(message));
}

std::string line_of(const Origin& where) {
  return where.position.line > 0 ? " (line " + std::to_string(where.position.line) + ")" : "";
}

std::string plural(const std::string& what) {
  return what.ends_with('y') ? what.substr(0, what.size() - 1) + "ies" : what + "s";
}

// `what` in messages: "port", "endpoint", …
template <typename Named>
Status check_names_unique(const std::vector<Named>& all, const std::string& what) {
  std::map<std::string_view, const Named*> seen;
  for (const Named& one : all) {
    const auto [entry, is_new] = seen.try_emplace(one.name, &one);
    if (!is_new) {
      return refuse(one.where, "two " + plural(what) + " are named " + quote(one.name) +
                                   "; the other is the " + what + line_of(entry->second->where) +
                                   "; give each its own name");
    }
  }
  return {};
}

template <typename Named>
const Named* find(const std::vector<Named>& all, std::string_view name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

template <typename Named>
std::vector<std::string> names_in(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) {
    names.push_back(one.name);
  }
  return names;
}

// "; did you mean 'x'?" or "; known are: x, y"
std::string hint(std::string_view wrong, const std::vector<std::string>& known) {
  if (const std::string_view near = nearest(wrong, known); !near.empty()) {
    return "; did you mean " + quote(near) + "?";
  }
  return known.empty() ? "; none is configured" : "; configured are: " + join(known);
}

Status check_peer(const Port& port, const std::vector<Port>& ports) {
  if (port.mode == PortMode::tap) {
    return port.peer.empty() ? Status{}
                             : refuse(port.where, "port " + quote(port.name) +
                                                      " is a tap and has a peer; set mode: inline "
                                                      "to forward, or remove peer");
  }
  if (port.peer.empty()) {
    return refuse(port.where, "port " + quote(port.name) +
                                  " is inline and needs a peer: the name of the port its packets "
                                  "leave on");
  }
  const Port* const peer = find(ports, port.peer);
  if (peer == nullptr) {
    return refuse(port.where, "port " + quote(port.name) + " has the peer " + quote(port.peer) +
                                  ", which is no port" + hint(port.peer, names_in(ports)));
  }
  if (peer == &port) {
    return refuse(port.where, "port " + quote(port.name) + " is its own peer");
  }
  if (peer->mode != PortMode::inline_pair || peer->peer != port.name) {
    return refuse(port.where, "port " + quote(port.name) + " has the peer " + quote(peer->name) +
                                  line_of(peer->where) +
                                  ", which must have mode: inline and peer: " + port.name);
  }
  return {};
}

Status check_ports(const std::vector<Port>& ports) {
  if (Status unique = check_names_unique(ports, "port"); !unique) {
    return unique;
  }
  std::map<std::string_view, const Port*> used;
  for (const Port& port : ports) {
    const bool is_device = port.driver == PortDriver::device;
    const std::string& hardware = is_device ? port.device : port.interface;
    const auto [entry, is_new] = used.try_emplace(hardware, &port);
    if (!is_new) {
      return refuse(port.where, "ports " + quote(entry->second->name) + " and " + quote(port.name) +
                                    " both use " + quote(hardware));
    }
    if (Status peer = check_peer(port, ports); !peer) {
      return peer;
    }
    if (port.distribute == Distribute::on && port.mode == PortMode::inline_pair) {
      return refuse(port.where, "port " + quote(port.name) +
                                    " is inline and has distribute: on, which is for taps: several "
                                    "workers would forward its packets out of order; remove "
                                    "distribute");
    }
  }
  return {};
}

Status check_workers(const Workers& workers) {
  if (!workers.cores.empty() && workers.cores.size() != workers.count) {
    return refuse(workers.where, "workers: count is " + std::to_string(workers.count) +
                                     " and cores lists " + std::to_string(workers.cores.size()) +
                                     "; they must agree (count may be left out)");
  }
  std::vector<std::uint16_t> cores = workers.cores;
  std::sort(cores.begin(), cores.end());
  if (const auto twice = std::adjacent_find(cores.begin(), cores.end()); twice != cores.end()) {
    return refuse(workers.where,
                  "workers.cores: CPU " + std::to_string(*twice) + " is listed twice");
  }
  return {};
}

Status check_endpoints(const std::vector<Endpoint>& endpoints) {
  if (Status unique = check_names_unique(endpoints, "endpoint"); !unique) {
    return unique;
  }
  std::map<IpPrefix, const Endpoint*> used;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.addresses.empty()) {
      return refuse(endpoint.where, "endpoint " + quote(endpoint.name) + " has no addresses");
    }
    for (const IpPrefix& prefix : endpoint.addresses) {
      const auto [entry, is_new] = used.try_emplace(prefix, &endpoint);
      if (!is_new) {
        return refuse(endpoint.where, "endpoint " + quote(endpoint.name) + ": " +
                                          prefix.to_string() + " already belongs to endpoint " +
                                          quote(entry->second->name));
      }
    }
  }
  return {};
}

bool has_criterion(const Suppression& s) {
  return !s.source.empty() || !s.destination.empty() || !s.outer.empty() || !s.vlan.empty() ||
         !s.endpoint.empty() || !s.rule.empty() || !s.tag.empty() || !s.user_agent.empty() ||
         !s.responder.empty();
}

Status check_suppressions(const Config& config) {
  if (Status unique = check_names_unique(config.suppress, "suppression"); !unique) {
    return unique;
  }
  for (const Suppression& suppression : config.suppress) {
    if (!has_criterion(suppression)) {
      return refuse(suppression.where,
                    "suppression " + quote(suppression.name) +
                        " has no criterion and would hide everything; give at least one of source, "
                        "destination, outer, vlan, endpoint, rule, tag, user_agent, responder");
    }
    if (suppression.name == kOutsideOnPremises) {
      return refuse(suppression.where, "suppression " + quote(suppression.name) +
                                           " has the name that on_premises counts under; give it "
                                           "another");
    }
    for (const std::string& name : suppression.endpoint) {
      if (find(config.endpoints, name) == nullptr) {
        return refuse(suppression.where, "suppression " + quote(suppression.name) +
                                             " names the endpoint " + quote(name) +
                                             ", which is not configured" +
                                             hint(name, names_in(config.endpoints)));
      }
    }
  }
  return {};
}

Status check_accounts(const std::vector<ExpectedAccount>& accounts) {
  std::map<std::uint64_t, const ExpectedAccount*> used;
  for (const ExpectedAccount& expected : accounts) {
    const auto [entry, is_new] = used.try_emplace(expected.account, &expected);
    if (!is_new) {
      return refuse(expected.where, "expected_accounts: this account is listed before" +
                                        line_of(entry->second->where) +
                                        "; list all its networks in one place");
    }
  }
  return {};
}

Status check_tunnels(const TunnelPorts& ports) {
  struct Owner {
    std::string_view tunnel;
    const TunnelPort* port;
  };
  std::map<std::uint16_t, Owner> owners;
  for (const auto& [tunnel, list] : named_lists(ports)) {
    for (const TunnelPort& port : *list) {
      const auto [entry, is_new] = owners.try_emplace(port.number, Owner{tunnel, &port});
      if (!is_new) {
        // Tell the place in the file; a default has none.
        const Owner here{tunnel, &port};
        const bool is_written = port.where.position.line > 0;
        const Owner& written = is_written ? here : entry->second;
        const Owner& other = is_written ? entry->second : here;
        const std::string place = line_of(other.port->where);
        return refuse(written.port->where, "tunnels.ports: port " + std::to_string(port.number) +
                                               " already belongs to " + std::string(other.tunnel) +
                                               (place.empty() ? " (by default)" : place) +
                                               "; name it for one tunnel only");
      }
    }
  }
  return {};
}

}  // namespace

Status validate(Config& config) {
  for (const Status& status :
       {check_ports(config.ports), check_workers(config.workers), check_endpoints(config.endpoints),
        check_suppressions(config), check_accounts(config.expected_accounts),
        check_tunnels(config.tunnels.ports),
        check_names_unique(config.alerts.throttle.policies, "throttle policy")}) {
    if (!status) {
      return status;
    }
  }
  config.warnings = find_warnings(config);
  return {};
}

}  // namespace imds::config
