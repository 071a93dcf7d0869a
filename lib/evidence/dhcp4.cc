#include "evidence/dhcp4.h"

#include "prefix.h"

namespace imds::evidence {
namespace {

constexpr std::uint8_t kReply = 2;
constexpr std::size_t kFixedSize = 236;  // RFC 2131, figure 1, without options
constexpr std::size_t kServerName = 44;
constexpr std::size_t kServerNameSize = 64;
constexpr std::size_t kFile = 108;
constexpr std::size_t kFileSize = 128;
constexpr std::uint32_t kMagic = 0x63825363;
constexpr std::uint8_t kPad = 0;
constexpr std::uint8_t kEnd = 255;
constexpr std::uint8_t kOffer = 2;
constexpr std::uint8_t kAcknowledgment = 5;
constexpr unsigned kFileOverloaded = 1;
constexpr unsigned kServerNameOverloaded = 2;

// Moves `at` to what follows the next option of a field. False: there is none (any more).
bool next_option(ByteSpan field, std::size_t& at, std::uint8_t& code, ByteSpan& body) {
  while (at < field.size() && field[at] == kPad) {
    ++at;
  }
  if (at + 1 >= field.size() || field[at] == kEnd || at + 2 + field[at + 1] > field.size()) {
    return false;
  }
  code = field[at];
  body = field.subspan(at + 2, field[at + 1]);
  at += 2 + body.size();
  return true;
}

// What length the network of an address had before there were prefixes (RFC 791, 2.3).
unsigned classful_length(std::uint8_t first) {
  return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
}

}  // namespace

Dhcp4Message::Dhcp4Message(ByteSpan message) {
  ByteCursor in(message);
  const std::uint8_t operation = in.u8();
  const std::uint8_t hardware = in.u8();
  const std::uint8_t hardware_size = in.u8();
  in.skip(13);  // hops, transaction, seconds, flags, client's address
  const ByteSpan yours = in.take(4);
  in.skip(4);  // next server
  const ByteSpan relay = in.take(4);
  const ByteSpan client = in.take(16);
  if (message.size() < kFixedSize || operation == 0 || operation > kReply) {
    return;
  }
  ok_ = true;
  is_reply_ = operation == kReply;
  your_address_ = IpAddress::v4_wire(yours.data());
  is_relayed_ = load_be32(relay.data()) != 0;
  if (hardware == 1 && hardware_size == 6) {
    client_mac_ = MacAddress::wire(client.data());
  }
  read_fields(message);
}

void Dhcp4Message::read_fields(ByteSpan message) {
  ByteCursor in(message.subspan(kFixedSize));
  if (in.be32() != kMagic || !in.ok()) {
    return;  // BOOTP with a vendor area of its own
  }
  fields_[field_count_++] = in.rest();
  std::uint8_t value = 0;
  if (OptionBytes overload(*this, Dhcp4Option::overload); overload.next(value)) {
    if ((value & kFileOverloaded) != 0) {
      fields_[field_count_++] = message.subspan(kFile, kFileSize);
    }
    if ((value & kServerNameOverloaded) != 0) {
      fields_[field_count_++] = message.subspan(kServerName, kServerNameSize);
    }
  }
  for (std::size_t i = 0; i < field_count_; ++i) {
    options_malformed_ = options_malformed_ || !is_field_well_formed(fields_[i]);
  }
  if (OptionBytes type(*this, Dhcp4Option::message_type); type.next(value)) {
    type_ = value;
  }
}

bool Dhcp4Message::is_field_well_formed(ByteSpan field) const {
  std::size_t at = 0;
  std::uint8_t code = 0;
  ByteSpan body;
  while (next_option(field, at, code, body)) {
  }
  return at >= field.size() || field[at] == kEnd;
}

bool Dhcp4Message::gives() const {
  return ok_ && is_reply_ && (type_ == 0 || type_ == kOffer || type_ == kAcknowledgment);
}

bool Dhcp4Message::OptionBytes::next_part() {
  std::uint8_t code = 0;
  ByteSpan body;
  for (; field_ < message_.field_count_; ++field_, at_ = 0) {
    while (next_option(message_.fields_[field_], at_, code, body)) {
      if (code == static_cast<std::uint8_t>(option_) && !body.empty()) {
        part_ = body;
        return true;
      }
    }
  }
  return false;
}

bool Dhcp4Message::OptionBytes::next(std::uint8_t& out) {
  if (part_.empty() && !next_part()) {
    return false;
  }
  out = part_.front();
  part_ = part_.subspan(1);
  return true;
}

bool Dhcp4Message::OptionBytes::take(std::array<std::uint8_t, 4>& out, std::size_t count) {
  out = {};
  for (std::size_t i = 0; i < count; ++i) {
    if (!next(out[i])) {
      return false;
    }
  }
  return true;
}

// False: no more, and `well` tells whether they ended where a route does.
bool Dhcp4Message::next_route(Dhcp4Option option, OptionBytes& in, Dhcp4Route& out, bool& well) {
  std::uint8_t first = 0;
  if (!in.next(first)) {
    return false;
  }
  std::array<std::uint8_t, 4> address{};
  unsigned length = 0;
  if (option == Dhcp4Option::classless_route || option == Dhcp4Option::classless_route_microsoft) {
    length = first;
    well = length <= 32 && in.take(address, (length + 7) / 8);
    out.prefix = make_prefix(AddressFamily::ipv4, address, std::min(length, 32u));
    well = well && in.take(address, 4);
  } else {
    std::array<std::uint8_t, 4> rest{};
    well = in.take(rest, 3);
    address = {first, rest[0], rest[1], rest[2]};
    const bool is_static = option == Dhcp4Option::static_route;
    length = is_static ? classful_length(first) : 0;
    out.prefix = make_prefix(AddressFamily::ipv4, address, length);
    well = well && (!is_static || in.take(address, 4));
  }
  out.gateway = IpAddress::v4_wire(address.data());
  return well;
}

}  // namespace imds::evidence
