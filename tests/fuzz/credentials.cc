// The reader of credentials in JSON: whatever it is given and however that is cut, it says the
// same, keeps no secret, and finds the credentials that an untouched object holds.
//
// Input: a byte (sizes of pieces), then JSON or anything else. A copy of the input is read with a
// whole object of credentials behind it.
#include <string>

#include "evidence/credentials_reader.h"
#include "fuzz.h"

namespace {

using namespace imds;
using evidence::CredentialsReader;

constexpr std::string_view kSecret = "Zx9+SecretZx9/";
constexpr std::string_view kKeyId = "ASIAQNZGKIQY56JQ7WML";

void read(CredentialsReader& reader, ByteSpan bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
  }
}

bool same(const evidence::JsonFacts& a, const evidence::JsonFacts& b) {
  return a.keys == b.keys && a.account == b.account && a.account_source() == b.account_source() &&
         a.expiration == b.expiration && a.access_key_id.view() == b.access_key_id.view() &&
         a.role.view() == b.role.view() && a.region.view() == b.region.view();
}

bool same(const CredentialsReader& a, const CredentialsReader& b) {
  const bool both = (a.credentials() != nullptr) == (b.credentials() != nullptr);
  return both && same(a.outermost(), b.outermost()) && a.too_deep() == b.too_deep() &&
         (a.credentials() == nullptr || same(*a.credentials(), *b.credentials()));
}

bool holds(const CredentialsReader& reader, std::string_view text) {
  const std::string_view memory(reinterpret_cast<const char*>(&reader), sizeof reader);
  return memory.find(text) != std::string_view::npos;
}

void check_facts(const evidence::JsonFacts& facts) {
  fuzz::require(
      facts.access_key_id.empty() || evidence::is_access_key_id(facts.access_key_id.view()),
      "a key id that is shown looks like one");
  fuzz::require(facts.account <= evidence::kLargestAccount, "accounts have twelve digits");
  fuzz::require(facts.role.empty() || evidence::is_iam_name(facts.role.view()),
                "a role that is shown is a name of IAM");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t piece = 1 + input.byte() % 31;
  const ByteSpan bytes = input.rest();
  CredentialsReader whole;
  whole.feed(bytes);
  CredentialsReader cut;
  read(cut, bytes, piece);
  fuzz::require(same(whole, cut), "cutting changes nothing");
  check_facts(whole.outermost());
  if (whole.credentials() != nullptr) {
    check_facts(*whole.credentials());
  }
  // Mid-stream: never a crash, whatever state it is in.
  cut.note_gap();
  cut.feed(bytes);

  // A line feed and a quote that ends what may be open would be guesses: a reader of its own.
  CredentialsReader fresh;
  const std::string object = "{\"a\":[],\"AccessKeyId\":\"" + std::string(kKeyId) +
                             "\",\"SecretAccessKey\":\"" + std::string(kSecret) +
                             "\",\"Token\":\"" + std::string(kSecret) +
                             "\",\"Expiration\":\"2025-10-08T18:00:00Z\"}";
  read(fresh, {reinterpret_cast<const std::uint8_t*>(object.data()), object.size()}, piece);
  fuzz::require(fresh.credentials() != nullptr, "whole credentials are found");
  fuzz::require(fresh.credentials()->access_key_id.view() == kKeyId, "with their key id");
  fuzz::require(!holds(fresh, kSecret), "no secret is kept");
  return 0;
}
