// Addresses and networks as rules write them, in every notation that some software prints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace imds::sigma {

// RFC 4291 text with or without brackets; dotted quad; one to four decimal, octal (0…) or
// hexadecimal (0x…) numbers as inet_aton(3) reads them. An IPv4 address mapped into IPv6 is both:
// the IPv6 address, as packets can carry it, and the IPv4 one. Empty: no address.
[[nodiscard]] std::vector<IpAddress> parse_addresses(std::string_view text);

// The same with "/length" behind it, or for IPv4 "/netmask". Empty: none, and `why` says what was
// expected.
[[nodiscard]] std::vector<IpPrefix> parse_prefixes(std::string_view text, std::string& why);

}  // namespace imds::sigma
