#include "evidence/arp.h"

namespace imds::evidence {

using event::ClaimKind;

ArpClaim read_arp(const packet::ArpView& message) {
  constexpr std::uint16_t kRequest = 1;
  ArpClaim claim;
  claim.owner = message.sender_mac;
  claim.address = message.sender_ip;
  if (message.is_reply()) {
    claim.kind = message.is_gratuitous() ? ClaimKind::arp_gratuitous : ClaimKind::arp_reply;
  } else if (message.operation == kRequest) {
    claim.is_request = true;
    if (message.is_probe()) {
      claim.kind = ClaimKind::arp_probe;
      claim.address = message.target_ip;
    } else {
      claim.kind = message.is_gratuitous() ? ClaimKind::arp_announcement : ClaimKind::arp_sender;
    }
  }
  return claim;
}

}  // namespace imds::evidence
