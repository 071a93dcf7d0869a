#include "evidence/clients.h"

#include <gtest/gtest.h>

namespace imds::evidence {
namespace {

TEST(ClientKinds, FirstPatternThatFitsDecides) {
  const ClientKinds kinds(
      {{"*amazon-ssm-agent*", "ssm-agent"}, {"aws-sdk-go/*", "aws-sdk-go"}, {"curl/*", "curl"}});
  EXPECT_EQ(kinds.of("aws-sdk-go/1.44.0 (go1.19; linux; amd64) amazon-ssm-agent/"), "ssm-agent");
  EXPECT_EQ(kinds.of("aws-sdk-go/1.44.0"), "aws-sdk-go");
  EXPECT_EQ(kinds.of("CURL/8.0"), "curl");
  EXPECT_EQ(kinds.of("libcurl/8.0").data(), nullptr);
  EXPECT_EQ(kinds.of("").data(), nullptr);
  EXPECT_EQ(ClientKinds().of("curl/8").data(), nullptr);
}

TEST(ExpectedAccounts, JudgesByAccountAndNetwork) {
  const ExpectedAccounts accounts(
      {{222, {}}, {111, {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("2001:db8::/32")}}});
  const IpAddress inside = *IpAddress::parse("10.1.2.3");
  const IpAddress outside = *IpAddress::parse("192.0.2.1");
  EXPECT_EQ(accounts.judge(111, inside), AccountVerdict::yes);
  EXPECT_EQ(accounts.judge(111, *IpAddress::parse("2001:db8::1")), AccountVerdict::yes);
  EXPECT_EQ(accounts.judge(111, outside), AccountVerdict::wrong_network);
  EXPECT_EQ(accounts.judge(222, outside), AccountVerdict::yes);
  EXPECT_EQ(accounts.judge(333, inside), AccountVerdict::no);
  EXPECT_EQ(ExpectedAccounts().judge(111, inside), AccountVerdict::none);
}

}  // namespace
}  // namespace imds::evidence
