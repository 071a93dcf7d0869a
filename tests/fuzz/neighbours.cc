// ARP, redirects and neighbour discovery.
//
// Input: an ICMPv6 type, then the message.
#include "evidence/arp.h"
#include "evidence/icmp.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imds;
  using fuzz::require;
  fuzz::Input input(data, size);
  const std::uint8_t type = input.byte();
  const ByteSpan message = input.rest();

  packet::ArpView arp;
  if (packet::parse_arp(message, arp) == DecodeReason::none) {
    const evidence::ArpClaim claim = evidence::read_arp(arp);
    require(claim.address == arp.sender_ip || claim.address == arp.target_ip,
            "the claimed address stands in the message");
  }
  const evidence::NeighbourMessage neighbour = evidence::read_neighbour(type, message);
  require(!neighbour.ok || (message.size() >= 20 && neighbour.target.is_v6()),
          "a good message has a target");
  const evidence::IcmpRedirect redirect = evidence::read_icmp_redirect(message);
  require(redirect.ok == (redirect.gateway.is_v4() && redirect.destination.is_v4()),
          "a good redirect has both addresses");

  evidence::RouterAdvertisement advertisement(message);
  evidence::AdvertisedPrefix said;
  std::size_t options = 0;
  while (advertisement.next(said)) {
    ++options;
    require(said.prefix.length <= 128 && said.prefix.contains(said.prefix.address),
            "host bits are zero");
    require(!said.is_route || !(said.on_link || said.autonomous), "routes have no such flags");
  }
  require(12 + options * 8 <= message.size() || options == 0, "every option takes its own bytes");
  return 0;
}
