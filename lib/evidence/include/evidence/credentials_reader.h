// Looks for AWS credentials, identity documents and the like in a stream of JSON, without keeping
// it: a few hundred bytes of state, no allocation, each byte read once, however it is cut.
//
// Secrets are dropped here. Of the values of SecretAccessKey and Token only their presence is
// noted: their bytes are read past and stored nowhere. Only the values named in JsonFacts are
// collected, and shown only if they look like what they should be.
//
// It reads more than JSON's grammar allows, as some client will take it: names are compared without
// regard to case (as Go's and .NET's parsers do) and with their escapes undone, and what is no JSON
// at all is passed over. Objects are told apart to a depth of kMostDepth; clients look no deeper
// than the outermost.
//
// One owner, plain data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/cursor.h"
#include "base/fixed_text.h"
#include "event/exchange.h"
#include "evidence/access_key.h"

namespace imds::evidence {

using event::AccountSource;

// Of one JSON object.
struct JsonFacts {
  enum Key : std::uint16_t {
    kAccessKeyId = 0x001,
    kSecretAccessKey = 0x002,
    kToken = 0x004,
    kExpiration = 0x008,
    kAccountId = 0x010,
    kRoleArn = 0x020,
    kProfileArn = 0x040,
    kRegion = 0x080,
    kInstanceId = 0x100,
  };
  // What clients require before they use credentials.
  static constexpr std::uint16_t kCredentials =
      kAccessKeyId | kSecretAccessKey | kToken | kExpiration;
  static constexpr std::uint16_t kIdentity = kAccountId | kRegion | kInstanceId;

  std::uint16_t keys = 0;    // of texts that stood there, not empty
  bool conflicting = false;  // see AccountSource::conflicting
  FixedText<kLongestAccessKey> access_key_id;
  std::uint64_t account = 0;  // with strongest_source
  AccountSource strongest_source = AccountSource::none;
  std::int64_t expiration = 0;  // seconds since the epoch; 0: none, or unreadable
  FixedText<64> role;           // from an ARN
  FixedText<16> region;

  [[nodiscard]] bool has(std::uint16_t all) const { return (keys & all) == all; }
  [[nodiscard]] AccountSource account_source() const {
    return conflicting ? AccountSource::conflicting : strongest_source;
  }
};

class CredentialsReader {
 public:
  static constexpr std::size_t kMostDepth = 4;

  // Begins anew, with another stream.
  void begin();
  void feed(ByteSpan bytes);
  // Bytes were lost before the next ones, or the stream's beginning was not seen: whether they lie
  // inside a string is not known. Read as outside, and decided anew at the first line feed, which
  // no string of JSON contains.
  void note_gap();

  // The outermost object so far that was read to its end with all of the keys in `wanted`.
  [[nodiscard]] const JsonFacts* credentials() const {
    return found_ && found_->has(JsonFacts::kCredentials) ? &*found_ : nullptr;
  }
  // The last outermost object, as far as it was read: what there is of a document that was cut, or
  // that is not about credentials.
  [[nodiscard]] const JsonFacts& outermost() const {
    return levels_[0].keys != 0 ? levels_[0] : levels_[1];
  }
  // Objects deeper than kMostDepth were met, and not read.
  [[nodiscard]] bool too_deep() const { return too_deep_; }

 private:
  enum class State : std::uint8_t { outside, string, escape, unicode };

  void outside(char c);
  void in_string(char c);
  void begin_string();
  void end_string();
  void character(char c);  // of a string, escapes undone; '\xff' for what no name contains
  void open_object();
  void close_object();
  void take_value();
  [[nodiscard]] JsonFacts* level() { return depth_ <= kMostDepth ? &levels_[depth_] : nullptr; }

  // [0]: what stands outside of any object whose beginning was seen. Those behind [1] are written
  // when an object of their depth begins.
  std::array<JsonFacts, kMostDepth + 1> levels_{};
  std::optional<JsonFacts> found_;
  std::uint32_t found_depth_ = 0;
  std::uint32_t depth_ = 0;
  std::uint32_t position_ = 0;    // in the string
  std::uint16_t candidates_ = 0;  // names the string may still be
  std::uint16_t name_ = 0;        // Key of the last string, if it was one; before a colon
  std::uint16_t key_ = 0;         // Key whose value comes next
  std::uint16_t unicode_ = 0;
  std::uint8_t unicode_digits_ = 0;
  State state_ = State::outside;
  bool collects_ = false;  // the string is a value that is wanted
  bool resyncs_ = false;
  bool too_deep_ = false;
  FixedText<160> value_;  // of the string, if it is wanted: never a secret
};

}  // namespace imds::evidence
