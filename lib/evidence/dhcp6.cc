#include "evidence/dhcp6.h"

#include "prefix.h"

namespace imds::evidence {
namespace {

enum Type : std::uint8_t {
  kSolicit = 1,
  kAdvertise = 2,
  kRequest = 3,
  kConfirm = 4,
  kRenew = 5,
  kRebind = 6,
  kReply = 7,
  kRelease = 8,
  kDecline = 9,
  kInformationRequest = 11,
  kRelayForward = 12,
  kRelayReply = 13,
};

enum Option : std::uint16_t {
  kAssociation = 3,
  kTemporaryAssociation = 4,
  kAddress = 5,
  kRelayMessage = 9,
  kDelegation = 25,
  kPrefix = 26,
};

constexpr std::size_t kTransactionSize = 3;
constexpr std::size_t kRelayHeaderSize = 1 + 16 + 16;

bool is_relay(std::uint8_t type) {
  return type == kRelayForward || type == kRelayReply;
}

}  // namespace

Dhcp6Message::Dhcp6Message(ByteSpan message) : options_(message), association_(ByteSpan{}) {
  type_ = options_.u8();
  ok_ = options_.ok();
  while (ok_ && is_relay(type_)) {
    ok_ = relays_++ < kMaxDhcp6Relays && enter_relay(options_);
  }
  if (ok_) {
    ok_ = options_.skip(kTransactionSize);
  }
}

// To the message inside, behind its type. False: there is none.
bool Dhcp6Message::enter_relay(ByteCursor& in) {
  in.skip(kRelayHeaderSize);
  std::uint16_t code = 0;
  ByteSpan body;
  while (next_option(in, code, body)) {
    if (code == kRelayMessage) {
      in = ByteCursor(body);
      type_ = in.u8();
      return in.ok();
    }
  }
  return false;
}

bool Dhcp6Message::is_request() const {
  return (type_ == kSolicit || (type_ >= kRequest && type_ <= kRebind) || type_ == kRelease ||
          type_ == kDecline || type_ == kInformationRequest);
}

bool Dhcp6Message::gives() const {
  return type_ == kAdvertise || type_ == kReply;
}

// False: no more, or malformed, which ok_ tells.
bool Dhcp6Message::next_option(ByteCursor& in, std::uint16_t& code, ByteSpan& body) {
  if (in.remaining() == 0) {
    return false;
  }
  code = in.be16();
  body = in.take(in.be16());
  ok_ = ok_ && in.ok();
  return in.ok();
}

bool Dhcp6Message::next(Dhcp6Grant& out) {
  std::uint16_t code = 0;
  ByteSpan body;
  while (ok_) {
    while (next_option(association_, code, body)) {
      ByteCursor in(body);
      out = {};
      if (code == kAddress && !in_delegation_) {
        const ByteSpan address = in.take(16);
        in.skip(4);  // preferred lifetime
        out.lifetime = in.be32();
        ok_ = in.ok();
        out.prefix = make_prefix(AddressFamily::ipv6, address, 128);
        return ok_;
      }
      if (code == kPrefix && in_delegation_) {
        in.skip(4);
        out.lifetime = in.be32();
        const unsigned length = in.u8();
        const ByteSpan address = in.take(16);
        ok_ = in.ok() && length <= 128;
        out.is_delegated = true;
        out.prefix = make_prefix(AddressFamily::ipv6, address, std::min(length, 128u));
        return ok_;
      }
    }
    if (!ok_ || !next_option(options_, code, body)) {
      return false;
    }
    if (code == kAssociation || code == kDelegation || code == kTemporaryAssociation) {
      const std::size_t header = code == kTemporaryAssociation ? 4 : 12;
      in_delegation_ = code == kDelegation;
      association_ = ByteCursor(body);
      ok_ = association_.skip(header);
    }
  }
  return false;
}

}  // namespace imds::evidence
