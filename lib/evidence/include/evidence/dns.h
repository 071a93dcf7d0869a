// DNS messages (RFC 1035, RFC 3596; also of mDNS, RFC 6762, and LLMNR, RFC 4795): what is asked
// for, which names are mapped to which addresses and other names, and what else is answered.
//
// Names may be compressed: a pointer leads only backwards, further back than any before it, so that
// no loop is possible; more than kMaxPointers of them, a name longer than 255 bytes, or anything
// beyond the message makes the message malformed. Records in front of the flaw are told all the
// same, as some resolvers would use them.
//
// Threads: none of its own. A reader views into its message and owns the text of three names (3
// KiB). Never allocates, never throws. Work: of kMaxNamesRead names every byte is read, however
// they are compressed; of records beyond, the addresses still are, and their owners are left empty.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/cursor.h"

namespace imds::evidence {

inline constexpr std::size_t kDnsHeaderSize = 12;
inline constexpr unsigned kMaxPointers = 64;    // in one name
inline constexpr unsigned kMaxNamesRead = 128;  // in one message
// A name as text: labels joined by dots, ASCII letters in lower case, without the root's dot ("."
// alone for the root). A dot or backslash inside a label, and every byte that is not printable
// ASCII, is written as \DDD (RFC 1035, 5.1).
inline constexpr std::size_t kMaxDnsText = 1024;

class DnsName {
 public:
  [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

 private:
  friend class DnsReader;
  void clear() { size_ = 0; }
  void add(char c) { text_[size_++] = c; }
  void add_label(ByteSpan label);

  std::array<char, kMaxDnsText> text_;
  std::size_t size_ = 0;
};

// A record of class IN in the answer or additional section.
struct DnsRecord {
  enum class Type : std::uint8_t { address, alias } type = Type::address;
  IpAddress address;        // A, AAAA
  std::string_view owner;   // valid until the next call; empty: left out, see above
  std::string_view target;  // CNAME, DNAME: the other name; valid until the next call
};

// A record of the answer section, whatever its type.
struct DnsAnswer {
  std::uint16_t type = 0;
  std::string_view owner;  // as above
  IpAddress address;       // A, AAAA
  // CNAME, DNAME, NS, PTR, MX, SRV, SOA: the name in it; valid until the next call; may be left
  // out.
  std::string_view name;
  ByteSpan strings;  // TXT, SPF: texts, a byte of length in front of each
};

// Reads either next() or next_answer() to the end, not both.
class DnsReader {
 public:
  // `message` without the length that TCP puts in front. Reads the header and the first question.
  explicit DnsReader(ByteSpan message);

  // False: shorter than a header, or what follows is not as it should be.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool is_response() const { return is_response_; }
  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] std::uint8_t response_code() const { return response_code_; }
  [[nodiscard]] bool has_question() const { return has_question_; }
  [[nodiscard]] std::string_view question() const { return question_.text(); }  // may be empty
  [[nodiscard]] std::uint16_t question_type() const { return question_type_; }
  // Whether a record told so far gives a name another one.
  [[nodiscard]] bool has_aliases() const { return has_aliases_; }
  // The next record that maps a name to an address or another name. False: no more, see ok().
  [[nodiscard]] bool next(DnsRecord& out);
  // The next record of the answer section. False: no more, see ok().
  [[nodiscard]] bool next_answer(DnsAnswer& out);

 private:
  // A record's fixed fields: read from behind its owner, which leaves `at_` behind the record.
  struct Fields {
    std::uint16_t type;
    std::uint16_t type_class;
    ByteSpan data;
    std::size_t data_at;
  };

  bool read_name(DnsName& out);
  bool read_labels(DnsName& out);
  bool skip_name();
  bool read_fields(Fields& out);
  bool read_record(DnsRecord& out);
  bool read_data(const Fields& record, DnsAnswer& out);

  ByteSpan message_;
  std::size_t at_ = 0;
  std::uint32_t records_left_ = 0;  // answer, authority and additional
  std::uint32_t skip_from_ = 0;     // while so many are left at most …
  std::uint32_t skip_to_ = 0;       // … and more than these, they are of the authority section
  unsigned names_read_ = 0;
  std::uint16_t id_ = 0;
  std::uint16_t question_type_ = 0;
  std::uint8_t response_code_ = 0;
  bool has_question_ = false;
  bool ok_ = false;
  bool is_response_ = false;
  bool has_aliases_ = false;
  DnsName question_;
  DnsName owner_;
  DnsName target_;
};

enum class DnsKind : std::uint8_t { response, query };

// Whether the first bytes of a TCP stream, its length among them, may begin a DNS response, or a
// standard query: needs 5 bytes to deny. An HTTP head never does.
[[nodiscard]] bool may_start_dns(ByteSpan bytes, DnsKind kind);

}  // namespace imds::evidence
