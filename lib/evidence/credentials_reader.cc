#include "evidence/credentials_reader.h"

#include <algorithm>
#include <bit>

#include "base/simd.h"
#include "base/text.h"

namespace imds::evidence {

namespace {

struct Name {
  std::string_view text;  // lower case
  std::uint16_t key;
};
constexpr std::array<Name, 9> kNames{{
    {"accesskeyid", JsonFacts::kAccessKeyId},
    {"secretaccesskey", JsonFacts::kSecretAccessKey},
    {"token", JsonFacts::kToken},
    {"expiration", JsonFacts::kExpiration},
    {"accountid", JsonFacts::kAccountId},
    {"rolearn", JsonFacts::kRoleArn},
    {"instanceprofilearn", JsonFacts::kProfileArn},
    {"region", JsonFacts::kRegion},
    {"instanceid", JsonFacts::kInstanceId},
}};
constexpr std::uint16_t kAllNames = (1u << kNames.size()) - 1;
// Of these the value is collected; never of the secret ones.
constexpr std::uint16_t kCollected = JsonFacts::kAccessKeyId | JsonFacts::kExpiration |
                                     JsonFacts::kAccountId | JsonFacts::kRoleArn |
                                     JsonFacts::kProfileArn | JsonFacts::kRegion;
static_assert((kCollected & (JsonFacts::kSecretAccessKey | JsonFacts::kToken)) == 0);

constexpr char kNoName = '\xff';

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_region(std::string_view text) {
  return !text.empty() && text.size() <= 16 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// The key id's own word counts most, an ARN's least. Of two of a kind the last counts, as most
// parsers have it; that they differ is told.
void note_account(JsonFacts& facts, std::uint64_t account, AccountSource source) {
  const bool is_known = facts.strongest_source != AccountSource::none;
  facts.conflicting = facts.conflicting || (is_known && facts.account != account);
  if (!is_known || source <= facts.strongest_source) {
    facts.account = account;
    facts.strongest_source = source;
  }
}

void note_key_id(JsonFacts& facts, std::string_view id) {
  if (!is_access_key_id(id)) {
    return;
  }
  const auto account = account_of_access_key(id);
  const bool another = !facts.access_key_id.empty() && facts.access_key_id.view() != id;
  facts.conflicting = facts.conflicting || another;
  facts.access_key_id.assign(id);
  if (account) {
    note_account(facts, *account, AccountSource::key_id);
  }
}

// The first of these bytes, or `end`. Nothing is copied: what is looked through may be secret.
template <typename... Bytes>
const char* find_first(const char* at, const char* end, Bytes... wanted) {
  constexpr std::ptrdiff_t kSize = Block32::kSize;
  const auto found_in = [&](const char* from) {
    const Block32 block = Block32::load(from);
    return (block.equal(wanted) | ...).mask();
  };
  const bool is_long = end - at >= kSize;
  for (; end - at >= kSize; at += kSize) {
    if (const std::uint32_t found = found_in(at); found != 0) {
      return at + std::countr_zero(found);
    }
  }
  if (is_long && at != end) {  // the last ones once more, in which there is none
    at = end - kSize;
    const std::uint32_t found = found_in(at);
    return found != 0 ? at + std::countr_zero(found) : end;
  }
  return std::find_if(at, end, [&](char c) { return ((c == wanted) || ...); });
}

}  // namespace

void CredentialsReader::begin() {
  levels_[0] = levels_[1] = JsonFacts{};
  found_.reset();
  found_depth_ = depth_ = position_ = 0;
  candidates_ = name_ = key_ = unicode_ = 0;
  unicode_digits_ = 0;
  state_ = State::outside;
  collects_ = resyncs_ = too_deep_ = false;
  value_.clear();
}

void CredentialsReader::feed(ByteSpan bytes) {
  const char* at = reinterpret_cast<const char*>(bytes.data());
  const char* const end = at + bytes.size();
  while (at != end) {
    if (state_ == State::outside) {
      // Where neither a name nor a line's end is waited for, only these begin anything.
      if (name_ == 0 && key_ == 0 && !resyncs_) {
        at = find_first(at, end, '"', '{', '}');
        if (at == end) {
          return;
        }
      }
      outside(*at++);
      continue;
    }
    // The rest of a string that is neither a name nor wanted: nearly all of the bytes.
    if (state_ == State::string && candidates_ == 0 && !collects_ && !resyncs_) {
      const char* const from = at;
      at = find_first(at, end, '"', '\\');
      position_ |= at != from ? 1u : 0u;
      if (at == end) {
        return;
      }
    }
    in_string(*at++);
  }
}

void CredentialsReader::note_gap() {
  state_ = State::outside;
  name_ = key_ = 0;
  collects_ = false;
  resyncs_ = true;
  value_.clear();
}

void CredentialsReader::outside(char c) {
  if (is_blank(c)) {
    resyncs_ = resyncs_ && c != '\n';
    return;
  }
  switch (c) {
    case '"':
      begin_string();
      return;
    case ':':
      key_ = name_;
      break;
    case '{':
      open_object();
      key_ = 0;
      break;
    case '}':
      close_object();
      key_ = 0;
      break;
    default:
      key_ = 0;  // a comma, a bracket, a number, a word
      break;
  }
  name_ = 0;
}

void CredentialsReader::in_string(char c) {
  if (resyncs_ && c == '\n') {
    note_gap();
    resyncs_ = false;
    return;
  }
  switch (state_) {
    case State::string:
      if (c == '"') {
        end_string();
      } else if (c == '\\') {
        state_ = State::escape;
      } else {
        character(c);
      }
      break;
    case State::escape:
      state_ = State::string;
      if (c == 'u') {
        state_ = State::unicode;
        unicode_ = 0;
        unicode_digits_ = 0;
      } else {
        constexpr std::string_view kSelf = "\"\\/";
        character(kSelf.find(c) != std::string_view::npos ? c : kNoName);
      }
      break;
    case State::unicode: {
      const int digit = hex_digit(c);
      if (digit < 0) {  // no escape: the byte speaks for itself
        state_ = State::string;
        character(kNoName);
        in_string(c);
        break;
      }
      unicode_ = static_cast<std::uint16_t>(unicode_ << 4 | digit);
      if (++unicode_digits_ == 4) {
        state_ = State::string;
        character(unicode_ >= 0x20 && unicode_ < 0x7f ? static_cast<char>(unicode_) : kNoName);
      }
      break;
    }
    case State::outside:
      break;
  }
}

void CredentialsReader::begin_string() {
  state_ = State::string;
  position_ = 0;
  candidates_ = kAllNames;
  collects_ = level() != nullptr && (key_ & kCollected) != 0;
  value_.clear();
}

void CredentialsReader::character(char c) {
  if (candidates_ != 0) {
    const char lower = ascii_lower(c);
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const std::string_view text = kNames[i].text;
      if (position_ >= text.size() || text[position_] != lower) {
        candidates_ &= static_cast<std::uint16_t>(~(1u << i));
      }
    }
  }
  if (collects_) {
    if (value_.length < sizeof value_.data) {
      value_.data[value_.length++] = c;
    } else {
      value_.truncated = true;
    }
  }
  position_ = position_ == UINT32_MAX ? position_ : position_ + 1;
}

void CredentialsReader::end_string() {
  state_ = State::outside;
  name_ = 0;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if ((candidates_ & (1u << i)) != 0 && kNames[i].text.size() == position_) {
      name_ = kNames[i].key;
    }
  }
  if (key_ != 0 && position_ > 0) {
    take_value();
  }
  key_ = 0;
  collects_ = false;
  value_.clear();
}

void CredentialsReader::take_value() {
  JsonFacts* const facts = level();
  if (facts == nullptr) {
    return;
  }
  facts->keys |= key_;
  const std::string_view text = value_.truncated ? std::string_view() : value_.view();
  switch (key_) {
    case JsonFacts::kAccessKeyId:
      note_key_id(*facts, text);
      break;
    case JsonFacts::kExpiration:
      facts->expiration = parse_expiration(text).value_or(0);
      break;
    case JsonFacts::kAccountId:
      if (const auto account = parse_account(text)) {
        note_account(*facts, *account, AccountSource::document);
      }
      break;
    case JsonFacts::kRoleArn:
    case JsonFacts::kProfileArn:
      if (const auto arn = parse_arn(text)) {
        note_account(*facts, arn->account, AccountSource::arn);
        facts->role.assign(arn->name);
      }
      break;
    case JsonFacts::kRegion:
      facts->region.assign(is_region(text) ? text : std::string_view());
      break;
    default:
      break;
  }
}

void CredentialsReader::open_object() {
  if (depth_ < UINT32_MAX) {
    ++depth_;
  }
  if (JsonFacts* const facts = level(); facts != nullptr) {
    *facts = JsonFacts{};
  } else {
    too_deep_ = true;
  }
}

void CredentialsReader::close_object() {
  const JsonFacts* const facts = level();
  if (facts != nullptr && facts->has(JsonFacts::kCredentials) &&
      (!found_ || depth_ <= found_depth_)) {
    found_ = *facts;
    found_depth_ = depth_;
  }
  if (depth_ > 0) {
    --depth_;
  }
}

}  // namespace imds::evidence
