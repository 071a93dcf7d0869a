#include "evidence/dns.h"

#include "base/text.h"

namespace imds::evidence {
namespace {

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kCname = 5;
constexpr std::uint16_t kAaaa = 28;
constexpr std::uint16_t kDname = 39;
constexpr std::uint16_t kInternet = 1;
constexpr std::uint16_t kClassMask = 0x7fff;  // mDNS marks unique records with the highest bit
constexpr std::uint8_t kResponse = 0x80;
constexpr std::size_t kLongestName = 255;

bool is_plain(std::uint8_t byte) {
  return byte > 0x20 && byte < 0x7f && byte != '.' && byte != '\\';
}

}  // namespace

// A label has 63 bytes at most, and a name 255 with one for each label: \DDD makes four of each.
static_assert(4 * kLongestName <= kMaxDnsText);

void DnsName::add_label(ByteSpan label) {
  if (size_ > 0) {
    add('.');
  }
  for (const std::uint8_t byte : label) {
    if (is_plain(byte)) {
      add(ascii_lower(static_cast<char>(byte)));
      continue;
    }
    add('\\');
    add(static_cast<char>('0' + byte / 100));
    add(static_cast<char>('0' + byte / 10 % 10));
    add(static_cast<char>('0' + byte % 10));
  }
}

DnsReader::DnsReader(ByteSpan message) : message_(message) {
  ByteCursor in(message);
  in.skip(2);
  is_response_ = (in.u8() & kResponse) != 0;
  in.skip(1);
  const unsigned questions = in.be16();
  const std::uint32_t answers = in.be16();
  const std::uint32_t authorities = in.be16();
  const std::uint32_t additional = in.be16();
  ok_ = in.ok();
  at_ = in.offset();
  for (unsigned i = 0; ok_ && i < questions; ++i) {
    ok_ = i == 0 ? read_name(question_) : skip_name();
    at_ += 4;  // type and class
    ok_ = ok_ && at_ <= message.size();
  }
  records_left_ = answers + authorities + additional;
  skip_from_ = authorities + additional;
  skip_to_ = additional;
}

// At `at_`, which moves behind it.
bool DnsReader::read_name(DnsName& out) {
  out.clear();
  return names_read_++ < kMaxNamesRead ? read_labels(out) : skip_name();
}

bool DnsReader::read_labels(DnsName& out) {
  std::size_t at = at_;
  std::size_t lowest = at_;  // where the labels at hand begin: pointers lead in front of it
  std::size_t wire_size = 1;
  bool jumped = false;
  for (unsigned pointers = 0; at < message_.size();) {
    const std::uint8_t size = message_[at];
    if ((size & 0xc0) == 0xc0) {
      if (at + 1 >= message_.size() || ++pointers > kMaxPointers) {
        return false;
      }
      const std::size_t target = load_be16(&message_[at]) & 0x3fffu;
      if (target >= lowest) {
        return false;
      }
      if (!jumped) {
        at_ = at + 2;
        jumped = true;
      }
      at = lowest = target;
      continue;
    }
    wire_size += size + 1u;
    if ((size & 0xc0) != 0 || at + 1 + size > message_.size() || wire_size > kLongestName + 1) {
      return false;
    }
    if (size == 0) {
      at_ = jumped ? at_ : at + 1;
      if (out.size_ == 0) {
        out.add('.');
      }
      return true;
    }
    out.add_label(message_.subspan(at + 1, size));
    at += 1u + size;
  }
  return false;
}

bool DnsReader::skip_name() {
  for (std::size_t size = 0; at_ < message_.size(); at_ += 1 + size) {
    size = message_[at_];
    if ((size & 0xc0) == 0xc0) {
      at_ += 2;
      return at_ <= message_.size();
    }
    if ((size & 0xc0) != 0) {
      return false;
    }
    if (size == 0) {
      ++at_;
      return true;
    }
  }
  return false;
}

bool DnsReader::next(DnsRecord& out) {
  while (ok_ && records_left_ > 0) {
    const bool is_authority = records_left_ <= skip_from_ && records_left_ > skip_to_;
    --records_left_;
    if (read_record(out) && !is_authority) {
      return true;
    }
  }
  return false;
}

// False: it says nothing about addresses or names, or is malformed.
bool DnsReader::read_record(DnsRecord& out) {
  const std::size_t owner_at = at_;
  ok_ = skip_name();
  ByteCursor in(ok_ ? message_.subspan(at_) : ByteSpan{});
  const std::uint16_t type = in.be16();
  const std::uint16_t type_class = in.be16();
  in.skip(4);  // time to live
  const std::uint16_t size = in.be16();
  const ByteSpan data = in.take(size);
  ok_ = ok_ && in.ok();
  if (!ok_) {
    return false;
  }
  const std::size_t data_at = at_ + in.offset() - size;
  const std::size_t after = at_ + in.offset();
  at_ = after;
  const bool is_address = type == kA || type == kAaaa;
  const bool is_alias = type == kCname || type == kDname;
  if ((type_class & kClassMask) != kInternet || !(is_address || is_alias)) {
    return false;
  }
  at_ = owner_at;
  ok_ = read_name(owner_);
  at_ = after;
  if (!ok_) {
    return false;
  }
  out = {DnsRecord::Type::address, {}, owner_.text(), {}};
  if (type == kA && data.size() == 4) {
    out.address = IpAddress::v4_wire(data.data());
    return true;
  }
  if (type == kAaaa && data.size() == 16) {
    out.address = IpAddress::v6_wire(data.data());
    return true;
  }
  if (is_alias) {
    at_ = data_at;
    ok_ = read_name(target_) && at_ == after;
    at_ = after;
    has_aliases_ = ok_;
    out.type = DnsRecord::Type::alias;
    out.target = target_.text();
    return ok_;
  }
  ok_ = false;  // an address of another size
  return false;
}

bool may_start_dns_response(ByteSpan bytes) {
  constexpr std::size_t kFlags = 4;
  if (bytes.size() >= 2 && load_be16(bytes.data()) < kDnsHeaderSize) {
    return false;
  }
  return bytes.size() <= kFlags || (bytes[kFlags] & kResponse) != 0;
}

}  // namespace imds::evidence
