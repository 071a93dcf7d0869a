// DHCP for IPv4: the routes and the address a server gives (RFC 2131, RFC 2132, RFC 3442, RFC
// 3396).
//
// Options may stand in the option field and, by overload, in `file` and `sname`; one that is split
// is the concatenation of all its parts, in that order (RFC 3396). Nothing is copied: options are
// walked over in place, as often as they are asked for.
//
// Threads: none of its own; views into the message. Never allocates, never throws; every walk is
// bounded by the message's length.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.h"
#include "base/cursor.h"

namespace imds::evidence {

enum class Dhcp4Option : std::uint8_t {
  router = 3,
  static_route = 33,
  overload = 52,
  message_type = 53,
  classless_route = 121,
  classless_route_microsoft = 249,
};

struct Dhcp4Route {
  IpPrefix prefix;
  IpAddress gateway;
};

class Dhcp4Message {
 public:
  // `message` is the payload of a datagram. ok() false: too short, or neither request nor reply.
  explicit Dhcp4Message(ByteSpan message);

  [[nodiscard]] bool ok() const { return ok_; }
  // Some option's length reaches beyond its field; what stands in front of it is read all the same.
  [[nodiscard]] bool options_malformed() const { return options_malformed_; }

  [[nodiscard]] bool is_reply() const { return is_reply_; }
  // Offer or acknowledgment; BOOTP replies have no type (0) and give an address just the same.
  [[nodiscard]] bool gives() const;
  [[nodiscard]] std::uint8_t type() const { return type_; }
  [[nodiscard]] const IpAddress& your_address() const { return your_address_; }  // may be 0.0.0.0
  [[nodiscard]] const MacAddress& client_mac() const { return client_mac_; }     // zero: none
  [[nodiscard]] bool is_relayed() const { return is_relayed_; }
  [[nodiscard]] bool is_overloaded() const { return field_count_ > 1; }

  // Calls visit(const Dhcp4Route&) for every route in an option, in order. False: the option ends
  // within a route, or has a prefix longer than 32. Of static_route, the prefix is the
  // destination's classful network, as clients read it; of router, 0.0.0.0/0.
  template <typename Visit>
  bool for_each_route(Dhcp4Option option, Visit&& visit) const {
    OptionBytes in(*this, option);
    Dhcp4Route route;
    bool well = true;
    while (next_route(option, in, route, well)) {
      visit(static_cast<const Dhcp4Route&>(route));
    }
    return well;
  }

 private:
  // The bytes of one option, all its parts one after the other.
  class OptionBytes {
   public:
    OptionBytes(const Dhcp4Message& message, Dhcp4Option option)
        : message_(message), option_(option) {}
    // False: there are no more.
    bool next(std::uint8_t& out);
    // Up to 4 of them; false if they end before.
    bool take(std::array<std::uint8_t, 4>& out, std::size_t count);

   private:
    bool next_part();

    const Dhcp4Message& message_;
    Dhcp4Option option_;
    std::size_t field_ = 0;
    std::size_t at_ = 0;  // in the field
    ByteSpan part_;
  };

  static bool next_route(Dhcp4Option option, OptionBytes& in, Dhcp4Route& out, bool& well);
  void read_fields(ByteSpan message);
  [[nodiscard]] bool is_field_well_formed(ByteSpan field) const;

  std::array<ByteSpan, 3> fields_;  // where options stand, in the order they are read
  std::size_t field_count_ = 0;
  bool ok_ = false;
  bool options_malformed_ = false;
  bool is_reply_ = false;
  bool is_relayed_ = false;
  std::uint8_t type_ = 0;
  IpAddress your_address_;
  MacAddress client_mac_;
};

}  // namespace imds::evidence
