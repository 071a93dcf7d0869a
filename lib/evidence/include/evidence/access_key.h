// What an AWS access key id says by itself. Pure functions.
//
// Source of the encoding: published by several security researchers (Tal Be'ery, 2023) and used by
// tools such as trufflehog: behind the four letters of the kind stand 16 characters of base32,
// whose bits 1 to 40 are the account.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace imds::evidence {

// Lengths that IAM's API documentation allows; ids issued today have 20 characters.
inline constexpr std::size_t kShortestAccessKey = 16;
inline constexpr std::size_t kLongestAccessKey = 32;  // the API allows 128: none are known

// Accounts are numbers of twelve decimal digits, leading zeros included.
inline constexpr std::uint64_t kLargestAccount = 999'999'999'999;

// Upper-case letters and digits, of such a length, the first four of them letters. What has another
// form is no access key id and is not shown as one.
[[nodiscard]] bool is_access_key_id(std::string_view text);

// The account an id of the kinds AKIA and ASIA encodes. None: another kind or length, characters
// that are no base32, or the old format (its fifth character stands before Q in base32's alphabet),
// which encodes none.
[[nodiscard]] std::optional<std::uint64_t> account_of_access_key(std::string_view id);

// "029608264753", and nothing around it.
[[nodiscard]] std::optional<std::uint64_t> parse_account(std::string_view text);

// The account and the last part of the resource in "arn:aws:iam::123456789012:role/path/name".
struct Arn {
  std::uint64_t account = 0;
  std::string_view
      name;  // empty if it has characters no name of IAM has (letters, digits, _+=,.@-)
};
[[nodiscard]] std::optional<Arn> parse_arn(std::string_view text);

// What IAM's names are made of; at most 64 characters.
[[nodiscard]] bool is_iam_name(std::string_view text);

// "2025-10-08T12:00:00Z", with or without a fraction, as seconds since the epoch. None: any other
// form, no such day, or not from 1970 to 2261.
[[nodiscard]] std::optional<std::int64_t> parse_expiration(std::string_view text);

}  // namespace imds::evidence
