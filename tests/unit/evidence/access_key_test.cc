#include "evidence/access_key.h"

#include <string>

#include <gtest/gtest.h>

namespace imds::evidence {
namespace {

// Published examples: of the encoding's description, and a well-known bait account's.
TEST(AccessKey, NewFormatEncodesItsAccount) {
  EXPECT_EQ(account_of_access_key("ASIAQNZGKIQY56JQ7WML"), 29608264753u);
  EXPECT_EQ(account_of_access_key("AKIASP2TPHJSQH3FJRUX"), 171436882533u);
}

TEST(AccessKey, LastCharactersDoNotChangeTheAccount) {
  EXPECT_EQ(account_of_access_key("ASIAQNZGKIQY5AAAAAAA"), 29608264753u);
  EXPECT_EQ(account_of_access_key("AKIAQNZGKIQY57777777"), 29608264753u);
}

TEST(AccessKey, OldFormatEncodesNone) {
  for (const char* id : {"AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE",
                         "AKIAJOFODNN7EXAMPLE2", "AKIAPAAAAAAAAAAAAAAA"}) {
    EXPECT_FALSE(account_of_access_key(id)) << id;
  }
}

TEST(AccessKey, WhatIsNoSuchIdEncodesNone) {
  for (const std::string id :
       {"", "ASIA", "ASIAQNZGKIQY56JQ7WM", "ASIAQNZGKIQY56JQ7WMLA", "AROAQNZGKIQY56JQ7WML",
        "asiaqnzgkiqy56jq7wml", "ASIAQNZGKIQ156JQ7WML", "ASIAQNZGKIQY56JQ7WM1",
        "ASIAQNZGKIQY56JQ7WM\xff"}) {
    EXPECT_FALSE(account_of_access_key(id)) << id;
  }
  // Forty bits hold more than twelve digits.
  EXPECT_FALSE(account_of_access_key("ASIA7777777777777777"));
}

TEST(AccessKey, IsShownOnlyIfItLooksLikeOne) {
  EXPECT_TRUE(is_access_key_id("AKIAIOSFODNN7EXAMPLE"));
  EXPECT_TRUE(is_access_key_id("ABCD012345678901"));
  for (const char* text :
       {"", "AKIA", "AKIAIOSFODNN7EXAMPL\xc3", "AKIA0123456789\n0", "1KIAIOSFODNN7EXAMPLE",
        "AKIAiosfodnn7example", "AKIA00000000000000000000000000000"}) {
    EXPECT_FALSE(is_access_key_id(text)) << text;
  }
}

TEST(Account, IsTwelveDigits) {
  EXPECT_EQ(parse_account("029608264753"), 29608264753u);
  EXPECT_EQ(parse_account("000000000000"), 0u);
  for (const char* text : {"", "29608264753", "0296082647531", "02960826475x", " 29608264753"}) {
    EXPECT_FALSE(parse_account(text)) << text;
  }
}

TEST(Arn, HasAccountAndName) {
  const auto role = parse_arn("arn:aws:iam::029608264753:role/service/deploy");
  ASSERT_TRUE(role);
  EXPECT_EQ(role->account, 29608264753u);
  EXPECT_EQ(role->name, "deploy");
  const auto china = parse_arn("arn:aws-cn:sts::123456789012:assumed-role/a/b");
  ASSERT_TRUE(china);
  EXPECT_EQ(china->name, "b");
  const auto odd = parse_arn("arn:aws:iam::123456789012:role/a\x1b[0m");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->name, "");
  for (const char* text : {"", "arn:", "arn:aws:iam::12345:role/x", "arn:aws:iam::123456789012",
                           "urn:aws:iam::123456789012:role/x", "arn:aws:iam"}) {
    EXPECT_FALSE(parse_arn(text)) << text;
  }
}

TEST(Expiration, IsReadAsSeconds) {
  EXPECT_EQ(parse_expiration("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_expiration("2025-10-08T12:00:00Z"), 1759924800);
  EXPECT_EQ(parse_expiration("2024-02-29T23:59:59.123Z"), 1709251199);
  EXPECT_EQ(parse_expiration("2099-01-01T00:00:00+00:00"), 4070908800);
  for (const char* text :
       {"", "2025-10-08", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-10-08 12:00:00Z",
        "2025-10-08T25:00:00Z", "9999-01-01T00:00:00Z", "2025-10-08T12:00:00",
        "2025-10-08T12:00:00+02:00", "soon", "1969-12-31T23:59:59Z"}) {
    EXPECT_FALSE(parse_expiration(text)) << text;
  }
}

}  // namespace
}  // namespace imds::evidence
