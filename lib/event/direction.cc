#include "event/direction.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace imds::event {

namespace {

void add(std::vector<IpPrefix>& list, std::initializer_list<const char*> texts) {
  for (const char* text : texts) {
    list.push_back(*IpPrefix::parse(text));
  }
}

}  // namespace

OwnNetworks::OwnNetworks(std::vector<IpPrefix> networks) : networks_(std::move(networks)) {
  if (networks_.empty()) {
    add(networks_, {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
  }
  add(networks_, {"169.254.0.0/16", "fe80::/10", "127.0.0.0/8", "::1/128"});
}

bool OwnNetworks::contains(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const IpPrefix& network) { return network.contains(address); });
}

std::string_view OwnNetworks::direction(const IpAddress& source,
                                        const IpAddress& destination) const {
  const bool from_within = contains(source);
  const bool to_within = contains(destination);
  if (from_within != to_within) {
    return from_within ? "outbound" : "inbound";
  }
  return from_within ? "internal" : "external";
}

}  // namespace imds::event
