// The answers of one DNS message as texts, for rules that compare them.
//
// An address is written as such, a name as DnsName has it, and of a TXT record the texts joined:
// raw bytes. Records of other types, and those whose name was left out (see evidence/dns.h), have
// none.
//
// Threads: one owner. Owns its texts: views of them are valid until the next read(). Never
// allocates, never throws. Bounds: kMaxDnsAnswers texts with kMaxDnsAnswerBytes together; is_cut()
// tells what did not fit.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/cursor.h"
#include "evidence/dns.h"

namespace imds::evidence {

inline constexpr std::size_t kMaxDnsAnswers = 64;
inline constexpr std::size_t kMaxDnsAnswerBytes = 8192;

class DnsAnswers {
 public:
  // `reader` has read no record yet. Also false by reader.ok() if a record is malformed: those in
  // front of it are here all the same.
  void read(DnsReader& reader);

  [[nodiscard]] std::span<const std::string_view> texts() const {
    return std::span(texts_).first(count_);
  }
  [[nodiscard]] bool is_cut() const { return cut_; }
  // Owner and type of the first record, for messages that ask nothing (mDNS). Empty: there is none.
  [[nodiscard]] std::string_view first_owner() const {
    return {first_owner_.data(), first_owner_size_};
  }
  [[nodiscard]] std::uint16_t first_type() const { return first_type_; }

 private:
  void note_first(const DnsAnswer& answer);
  void add(const DnsAnswer& answer);
  [[nodiscard]] bool append(std::string_view text);
  void end_text(std::size_t begin);

  std::array<char, kMaxDnsAnswerBytes> bytes_;
  std::size_t size_ = 0;
  std::array<std::string_view, kMaxDnsAnswers> texts_;
  std::size_t count_ = 0;
  bool cut_ = false;
  std::array<char, kMaxDnsText> first_owner_;
  std::size_t first_owner_size_ = 0;
  std::uint16_t first_type_ = 0;
};

}  // namespace imds::evidence
