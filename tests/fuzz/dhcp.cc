// DHCP in both versions: routes, leases and delegations, whatever the lengths say.
#include "evidence/dhcp4.h"
#include "evidence/dhcp6.h"
#include "fuzz.h"

namespace {

using namespace imds;

void check_prefix(const IpPrefix& prefix) {
  fuzz::require(prefix.length <= 8 * prefix.address.size(), "a prefix fits its address");
  fuzz::require(prefix.contains(prefix.address), "host bits are zero");
}

void check_v4(ByteSpan bytes) {
  using evidence::Dhcp4Option;
  const evidence::Dhcp4Message message(bytes);
  fuzz::require(!message.gives() || message.is_reply(), "only servers give");
  std::size_t routes = 0;
  for (const Dhcp4Option option :
       {Dhcp4Option::router, Dhcp4Option::static_route, Dhcp4Option::classless_route,
        Dhcp4Option::classless_route_microsoft}) {
    (void)message.for_each_route(option, [&](const evidence::Dhcp4Route& route) {
      ++routes;
      check_prefix(route.prefix);
      fuzz::require(route.gateway.is_v4(), "a route has a gateway");
    });
  }
  // Overloaded fields are read again, once each.
  fuzz::require(routes * 4 <= 2 * bytes.size(), "every route takes bytes of its own");
  fuzz::require(message.ok() || routes == 0, "what is no message has no routes");
}

void check_v6(ByteSpan bytes) {
  evidence::Dhcp6Message message(bytes);
  std::size_t grants = 0;
  evidence::Dhcp6Grant grant;
  while (message.next(grant)) {
    ++grants;
    check_prefix(grant.prefix);
    fuzz::require(grant.is_delegated || grant.prefix.length == 128, "a lease is one address");
  }
  fuzz::require(grants * 28 <= bytes.size(), "every grant takes bytes of its own");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes(data, size);
  check_v4(bytes);
  check_v6(bytes);
  return 0;
}
