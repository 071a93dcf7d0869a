// DHCP for IPv6: the addresses a server leases and the prefixes it delegates (RFC 8415). Routes are
// the business of router advertisements.
//
// Threads: none of its own; views into the message. Never allocates, never throws; nesting of relay
// messages and options is bounded.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.h"
#include "base/cursor.h"

namespace imds::evidence {

// Relays put messages into messages; RFC 8415, 7.6, stops after so many.
inline constexpr unsigned kMaxDhcp6Relays = 8;

struct Dhcp6Grant {
  IpPrefix prefix;             // a leased address has length 128
  bool is_delegated = false;   // IA_PD
  std::uint32_t lifetime = 0;  // valid, seconds; 0: withdrawn
};

class Dhcp6Message {
 public:
  // `message` is the payload of a datagram. ok() false: no type, or a relay's message that is cut
  // or nested too deep.
  explicit Dhcp6Message(ByteSpan message);

  // False as well once an option's length reached beyond what it is in.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool is_relayed() const { return relays_ > 0; }
  [[nodiscard]] bool is_request() const;  // from a client
  [[nodiscard]] bool gives() const;       // advertise or reply

  // The next lease or delegation, while gives(). False: no more.
  [[nodiscard]] bool next(Dhcp6Grant& out);

 private:
  bool enter_relay(ByteCursor& in);
  bool next_option(ByteCursor& in, std::uint16_t& code, ByteSpan& body);

  std::uint8_t type_ = 0;
  unsigned relays_ = 0;
  bool ok_ = false;
  bool in_delegation_ = false;
  ByteCursor options_;      // of the message
  ByteCursor association_;  // options inside the identity association at hand
};

}  // namespace imds::evidence
