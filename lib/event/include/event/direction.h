// network.direction: which way a flow goes, seen from networks that are one's own.
//
// Threads: immutable once made. Asking allocates nothing and takes time linear in the networks.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace imds::event {

// The values there are, as the Elastic Common Schema has them.
inline constexpr std::array<std::string_view, 4> kDirections{"inbound", "outbound", "internal",
                                                             "external"};

class OwnNetworks {
 public:
  // Empty: the address space for private use (RFC 1918, RFC 6598, RFC 4193).
  explicit OwnNetworks(std::vector<IpPrefix> networks = {});

  // Also what never leaves the link or the host (link-local, loopback).
  [[nodiscard]] bool contains(const IpAddress& address) const;
  // Of client and server, one of kDirections: outbound if only the client is within, inbound if
  // only the server is, internal if both are, external if neither is.
  [[nodiscard]] std::string_view direction(const IpAddress& source,
                                           const IpAddress& destination) const;

 private:
  std::vector<IpPrefix> networks_;
};

}  // namespace imds::event
