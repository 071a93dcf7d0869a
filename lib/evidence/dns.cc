#include "evidence/dns.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace imds::evidence {
namespace {

constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kNs = 2;
constexpr std::uint16_t kCname = 5;
constexpr std::uint16_t kSoa = 6;
constexpr std::uint16_t kPtr = 12;
constexpr std::uint16_t kMx = 15;
constexpr std::uint16_t kTxt = 16;
constexpr std::uint16_t kAaaa = 28;
constexpr std::uint16_t kSrv = 33;
constexpr std::uint16_t kDname = 39;
constexpr std::uint16_t kSpf = 99;
constexpr std::uint16_t kInternet = 1;
constexpr std::uint16_t kClassMask = 0x7fff;  // mDNS marks unique records with the highest bit
constexpr std::uint8_t kResponse = 0x80;
constexpr std::uint8_t kResponseAndOpcode = 0xf8;
constexpr std::uint8_t kResponseCode = 0x0f;
constexpr std::size_t kLongestName = 255;

// What stands for a byte of a label; 0 if it has to be escaped.
constexpr std::array<char, 256> kPlain = [] {
  std::array<char, 256> plain{};
  for (std::size_t byte = 0x21; byte < 0x7f; ++byte) {
    const char c = static_cast<char>(byte);
    plain[byte] = c == '.' || c == '\\' ? '\0' : ascii_lower(c);
  }
  return plain;
}();

}  // namespace

// A label has 63 bytes at most, and a name 255 with one for each label: \DDD makes four of each.
static_assert(4 * kLongestName <= kMaxDnsText);

void DnsName::add_label(ByteSpan label) {
  if (size_ > 0) {
    add('.');
  }
  for (const std::uint8_t byte : label) {
    if (const char plain = kPlain[byte]; plain != '\0') {
      add(plain);
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
  id_ = in.be16();
  is_response_ = (in.u8() & kResponse) != 0;
  response_code_ = in.u8() & kResponseCode;
  const unsigned questions = in.be16();
  const std::uint32_t answers = in.be16();
  const std::uint32_t authorities = in.be16();
  const std::uint32_t additional = in.be16();
  ok_ = in.ok();
  at_ = in.offset();
  for (unsigned i = 0; ok_ && i < questions; ++i) {
    constexpr std::size_t kTypeAndClass = 4;
    ok_ = (i == 0 ? read_name(question_) : skip_name()) && message.size() >= at_ + kTypeAndClass;
    if (ok_ && i == 0) {
      has_question_ = true;
      question_type_ = load_be16(&message[at_]);
    }
    at_ += kTypeAndClass;
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

bool DnsReader::read_fields(Fields& out) {
  ByteCursor in(message_.subspan(std::min(at_, message_.size())));
  out.type = in.be16();
  out.type_class = in.be16() & kClassMask;
  in.skip(4);  // time to live
  const std::uint16_t size = in.be16();
  out.data = in.take(size);
  if (!in.ok()) {
    return false;
  }
  out.data_at = at_ + in.offset() - size;
  at_ += in.offset();
  return true;
}

// False: it says nothing about addresses or names, or is malformed.
bool DnsReader::read_record(DnsRecord& out) {
  const std::size_t owner_at = at_;
  Fields record;
  ok_ = skip_name() && read_fields(record);
  if (!ok_) {
    return false;
  }
  const bool is_address = record.type == kA || record.type == kAaaa;
  const bool is_alias = record.type == kCname || record.type == kDname;
  if (record.type_class != kInternet || !(is_address || is_alias)) {
    return false;
  }
  const std::size_t after = at_;
  at_ = owner_at;
  ok_ = read_name(owner_);
  at_ = after;
  if (!ok_) {
    return false;
  }
  DnsAnswer read;
  ok_ = read_data(record, read);
  has_aliases_ = has_aliases_ || (ok_ && is_alias);
  out = {is_alias ? DnsRecord::Type::alias : DnsRecord::Type::address, read.address, owner_.text(),
         read.name};
  return ok_;
}

// The data of a record of class IN. False: malformed.
bool DnsReader::read_data(const Fields& record, DnsAnswer& out) {
  const ByteSpan data = record.data;
  // What stands in front of the name, and whether something may follow it.
  std::size_t name_at = 0;
  bool is_last = true;
  switch (record.type) {
    case kA:
      out.address = data.size() == 4 ? IpAddress::v4_wire(data.data()) : IpAddress();
      return data.size() == 4;
    case kAaaa:
      out.address = data.size() == 16 ? IpAddress::v6_wire(data.data()) : IpAddress();
      return data.size() == 16;
    case kTxt:
    case kSpf:
      out.strings = data;
      return true;
    case kSoa:
      is_last = false;
      break;
    case kMx:
      name_at = 2;
      break;
    case kSrv:
      name_at = 6;
      break;
    case kCname:
    case kDname:
    case kNs:
    case kPtr:
      break;
    default:
      return true;
  }
  const std::size_t after = at_;
  at_ = record.data_at + name_at;
  const bool whole =
      data.size() > name_at && read_name(target_) && (is_last ? at_ == after : at_ <= after);
  at_ = after;
  out.name = target_.text();
  return whole;
}

bool DnsReader::next_answer(DnsAnswer& out) {
  if (!ok_ || records_left_ <= skip_from_) {
    return false;
  }
  --records_left_;
  Fields record;
  out = {};
  ok_ = read_name(owner_) && read_fields(record);
  if (!ok_) {
    return false;
  }
  out.type = record.type;
  out.owner = owner_.text();
  ok_ = record.type_class != kInternet || read_data(record, out);
  return ok_;
}

bool may_start_dns(ByteSpan bytes, DnsKind kind) {
  constexpr std::size_t kFlags = 4;
  if (bytes.size() >= 2 && load_be16(bytes.data()) < kDnsHeaderSize) {
    return false;
  }
  if (bytes.size() <= kFlags) {
    return true;
  }
  return kind == DnsKind::response ? (bytes[kFlags] & kResponse) != 0
                                   : (bytes[kFlags] & kResponseAndOpcode) == 0;
}

}  // namespace imds::evidence
