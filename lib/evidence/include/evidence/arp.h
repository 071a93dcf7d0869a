// What an ARP message says about who has which address (RFC 826, RFC 5227).
//
// Threads: a pure function, any thread. Never allocates.
#pragma once

#include "base/address.h"
#include "event/evidence.h"
#include "packet/decode.h"

namespace imds::evidence {

// One message claims at most one address. `kind` none: it only asks, or means nothing
// (`is_request` tells).
struct ArpClaim {
  event::ClaimKind kind = event::ClaimKind::none;
  bool is_request = false;  // who-has for an address the sender does not have
  IpAddress address;        // claimed; for a request asked for
  MacAddress owner;         // the sender's, as the message has it; receivers remember this one
};

// Operations other than request and reply (RARP, InARP) claim nothing. A request whose sender
// address is set claims that one too: its receivers learn it (RFC 826). What a request asks for is
// then told by `message` itself.
[[nodiscard]] ArpClaim read_arp(const packet::ArpView& message);

}  // namespace imds::evidence
