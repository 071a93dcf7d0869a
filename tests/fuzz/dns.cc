// DNS: the reader of messages, and streams of them over TCP in pieces of any size.
//
// Input: the sizes of pieces, whether some are lost and it is the client's stream, then the bytes;
// read as one message, and as a stream.
#include "evidence/dns.h"

#include <algorithm>
#include <string>

#include "evidence/dns_answers.h"
#include "evidence/dns_stream.h"
#include "fuzz.h"

namespace {

using namespace imds;

void check_text(std::string_view text) {
  fuzz::require(text.size() <= evidence::kMaxDnsText, "a name's text is bounded");
  fuzz::require(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; }),
                "a name's text is printable ASCII");
}

// Returns how many records it told.
std::size_t read(ByteSpan message) {
  evidence::DnsReader reader(message);
  check_text(reader.question());
  std::size_t told = 0;
  evidence::DnsRecord record;
  while (reader.next(record)) {
    ++told;
    check_text(record.owner);
    check_text(record.target);
    fuzz::require((record.type == evidence::DnsRecord::Type::address) == record.address.is_set(),
                  "an address record has an address");
  }
  fuzz::require(told * 11 <= message.size(), "every record takes bytes of its own");
  return told;
}

void read_answers(ByteSpan message) {
  static evidence::DnsAnswers answers;
  evidence::DnsReader reader(message);
  answers.read(reader);
  check_text(answers.first_owner());
  std::size_t size = 0;
  for (const std::string_view text : answers.texts()) {
    fuzz::require(!text.empty(), "a text says something");
    size += text.size();
  }
  fuzz::require(
      answers.texts().size() <= evidence::kMaxDnsAnswers && size <= evidence::kMaxDnsAnswerBytes,
      "answers are bounded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t piece = input.between(1, 2000);
  const std::uint8_t choice = input.byte();
  const unsigned lose = choice & 0x7fu;
  const auto kind = (choice & 0x80) == 0 ? evidence::DnsKind::response : evidence::DnsKind::query;
  const ByteSpan bytes = input.rest();
  (void)read(bytes);
  read_answers(bytes);

  static evidence::DnsStreams streams(2);
  static std::uint64_t stream = 0;
  ++stream;
  std::size_t whole = 0;
  for (std::size_t at = 0, i = 0; at < bytes.size(); at += piece, ++i) {
    if (lose != 0 && i % lose == lose - 1) {
      continue;
    }
    const ByteSpan part = bytes.subspan(at, std::min(piece, bytes.size() - at));
    streams.feed(stream, static_cast<std::uint32_t>(at), part, kind, [&](ByteSpan message) {
      whole += message.size() + 2;
      (void)read(message);
    });
  }
  fuzz::require(whole <= bytes.size(), "messages are made of what was given");
  fuzz::require(streams.counters().open.get() <= streams.capacity(), "slots are bounded");
  return 0;
}
