#include "event/dns.h"

#include <algorithm>
#include <charconv>

namespace imds::event {
namespace {

struct TypeName {
  std::uint16_t type;
  std::string_view name;
};
// IANA's registry, of what is in use; sorted by number.
constexpr std::array kTypes{
    TypeName{1, "A"},       TypeName{2, "NS"},       TypeName{5, "CNAME"},
    TypeName{6, "SOA"},     TypeName{10, "NULL"},    TypeName{12, "PTR"},
    TypeName{13, "HINFO"},  TypeName{15, "MX"},      TypeName{16, "TXT"},
    TypeName{17, "RP"},     TypeName{18, "AFSDB"},   TypeName{25, "KEY"},
    TypeName{28, "AAAA"},   TypeName{29, "LOC"},     TypeName{33, "SRV"},
    TypeName{35, "NAPTR"},  TypeName{36, "KX"},      TypeName{37, "CERT"},
    TypeName{39, "DNAME"},  TypeName{41, "OPT"},     TypeName{43, "DS"},
    TypeName{44, "SSHFP"},  TypeName{46, "RRSIG"},   TypeName{47, "NSEC"},
    TypeName{48, "DNSKEY"}, TypeName{50, "NSEC3"},   TypeName{52, "TLSA"},
    TypeName{59, "CDS"},    TypeName{60, "CDNSKEY"}, TypeName{61, "OPENPGPKEY"},
    TypeName{64, "SVCB"},   TypeName{65, "HTTPS"},   TypeName{99, "SPF"},
    TypeName{249, "TKEY"},  TypeName{250, "TSIG"},   TypeName{251, "IXFR"},
    TypeName{252, "AXFR"},  TypeName{255, "ANY"},    TypeName{256, "URI"},
    TypeName{257, "CAA"},
};
static_assert(std::is_sorted(kTypes.begin(), kTypes.end(),
                             [](const TypeName& a, const TypeName& b) { return a.type < b.type; }));

constexpr std::array<std::string_view, 11> kResponses{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                      "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                      "NXRRSET", "NOTAUTH", "NOTZONE"};

std::string_view numbered(std::string_view word, unsigned number,
                          std::span<char, kMaxDnsWord> room) {
  char* const digits = std::copy(word.begin(), word.end(), room.data());
  const char* const end = std::to_chars(digits, room.data() + room.size(), number).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

}  // namespace

std::string_view dns_type_name(std::uint16_t type, std::span<char, kMaxDnsWord> room) {
  const auto found =
      std::lower_bound(kTypes.begin(), kTypes.end(), type,
                       [](const TypeName& entry, std::uint16_t t) { return entry.type < t; });
  return found != kTypes.end() && found->type == type ? found->name : numbered("TYPE", type, room);
}

std::string_view dns_response_name(std::uint8_t code, std::span<char, kMaxDnsWord> room) {
  return code < kResponses.size() ? kResponses[code] : numbered("RCODE", code, room);
}

}  // namespace imds::event
