// What an exchange with a metadata service came to: the vocabulary of the events http_response,
// token_issued and credentials_delivered. Never a secret, only its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace imds::event {

// What was delivered: imds.delivered. The codes stand in alert records, too.
enum class Delivered : std::uint8_t {
  nothing = 0,
  credentials,        // access key id, secret and session token
  identity_document,  // with account, region and instance; also its signatures
  role_info,          // which role and account
  user_data,
};

inline constexpr std::size_t kDeliveredCount = 5;

// Where an account id was read: imds.account_source.
enum class AccountSource : std::uint8_t {
  none = 0,
  key_id,       // the access key id's encoding, which nobody can choose
  document,     // a value of accountId or AccountId
  arn,          // RoleArn or InstanceProfileArn
  conflicting,  // these name different accounts, or there are two key ids
};

// Whether the account was to be expected, by the configuration: imds.account_expected.
enum class AccountVerdict : std::uint8_t {
  none = 0,       // no account is known, or none is configured to be expected
  yes,            // expected here
  no,             // not expected anywhere
  wrong_network,  // expected, but not by this client's network
};

// What a body is, by its first bytes: imds.content_kind.
enum class ContentKind : std::uint8_t {
  unknown = 0,  // nothing was seen of it
  empty,
  json,
  shell_script,  // "#!"
  cloud_config,  // "#cloud-config"
  cloud_init,    // "#include", "#cloud-boothook" and other formats of cloud-init
  mime,
  powershell,  // "<powershell>", "<script>"
  gzip,
  text,
  binary,
};

// As in rules and alerts; empty for code 0, and for codes that are none.
[[nodiscard]] std::string_view name(Delivered delivered);
[[nodiscard]] std::string_view name(AccountSource source);
[[nodiscard]] std::string_view name(AccountVerdict verdict);
[[nodiscard]] std::string_view name(ContentKind kind);
// All names but those of code 0.
[[nodiscard]] std::span<const std::string_view> delivered_names();
[[nodiscard]] std::span<const std::string_view> account_source_names();
[[nodiscard]] std::span<const std::string_view> account_verdict_names();
[[nodiscard]] std::span<const std::string_view> content_kind_names();

// Empty texts and zeros are absent, but for numbers that have a word of their own.
struct ExchangeFields {
  std::string_view client_kind;  // also of http_request
  std::uint8_t version = 0;      // 1 or 2: IMDSv1, IMDSv2; also of http_request
  bool forwarded = false;        // the request had X-Forwarded-For; also of http_request

  std::string_view server;     // the header Server
  std::string_view mime_type;  // Content-Type without parameters
  bool has_body_bytes = false;
  std::uint64_t body_bytes = 0;  // decompressed

  std::uint32_t token_length = 0;  // bytes
  std::uint32_t token_ttl = 0;     // seconds, as the answer says

  Delivered delivered = Delivered::nothing;
  ContentKind content = ContentKind::unknown;
  std::string_view access_key_id;
  std::string_view role;
  std::string_view region;
  std::uint64_t account = 0;  // if account_source says so
  AccountSource account_source = AccountSource::none;
  AccountVerdict account_expected = AccountVerdict::none;
  std::int64_t expiration = 0;  // seconds since the epoch

  [[nodiscard]] bool has_account() const { return account_source != AccountSource::none; }
};

// "029608264753": twelve digits, into `room`.
[[nodiscard]] std::string_view account_text(std::uint64_t account, std::span<char, 12> room);

}  // namespace imds::event
