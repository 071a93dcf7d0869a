#include "evidence/server_name.h"

#include <string>

#include <gtest/gtest.h>

#include "support/client_hello.h"

namespace imds::evidence {
namespace {

using support::be16;
using support::client_hello;
using support::client_hello_of;
using support::tls_extension;

// "found sts.amazonaws.com", "none", …
std::string read(const std::string& bytes) {
  const ServerName out =
      read_server_name({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  switch (out.status) {
    case ServerName::Status::found:
      return "found " + std::string(out.name.view());
    case ServerName::Status::none:
      return "none";
    case ServerName::Status::need_more:
      return "need_more";
    case ServerName::Status::unreadable:
      break;
  }
  return "unreadable";
}

TEST(ServerName, IsFoundWhereverItStands) {
  EXPECT_EQ(read(client_hello("sts.amazonaws.com")), "found sts.amazonaws.com");
  EXPECT_EQ(read(client_hello("sts.amazonaws.com", 1600)), "found sts.amazonaws.com");
  EXPECT_EQ(read(client_hello("S3.EU-west-1.AMAZONAWS.COM.")), "found s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(read(client_hello("my_bucket.s3.amazonaws.com")), "found my_bucket.s3.amazonaws.com");
  // What comes behind the hello's record does not count.
  EXPECT_EQ(read(client_hello("a.b") + "\x14\x03\x03"), "found a.b");
}

TEST(ServerName, CutAnywhereItIsAwaited) {
  const std::string whole = client_hello("sts.amazonaws.com", 300);
  const std::size_t end = whole.find("sts.amazonaws.com") + 17;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(read(whole.substr(0, size)), size < end ? "need_more" : "found sts.amazonaws.com")
        << size;
  }
}

TEST(ServerName, ThereNeedBeNone) {
  EXPECT_EQ(read(client_hello("")), "none");
  EXPECT_EQ(read(client_hello_of("")), "none");
  // Before TLS 1.2 without extensions at all.
  std::string old = client_hello_of("");
  old.resize(old.size() - 2);
  old[4] = static_cast<char>(old[4] - 2);
  old[8] = static_cast<char>(old[8] - 2);
  EXPECT_EQ(read(old), "none");
}

TEST(ServerName, WhatIsNoHelloIsNotWaitedFor) {
  EXPECT_EQ(read("GET / HTTP/1.1"), "unreadable");
  EXPECT_EQ(read("\x17"), "unreadable");
  EXPECT_EQ(read("\x16\x02"), "unreadable");
  EXPECT_EQ(read(std::string("\x16\x03\x01\x01\x00\x02", 6)), "unreadable");
}

TEST(ServerName, ContradictionsAreNotGuessedAt) {
  const std::string good = client_hello("sts.amazonaws.com");
  for (const std::size_t at : {3u, 4u, 6u, 7u, 8u}) {  // the record's length, the message's
    std::string wrong = good;
    wrong[at] = static_cast<char>(wrong[at] + 1);
    EXPECT_NE(read(wrong).substr(0, 5), "found") << at;
  }
  const auto named = [](const std::string& body) {
    return read(client_hello_of(tls_extension(0, body)));
  };
  const std::string nul(1, '\0');
  EXPECT_EQ(named(be16(6) + nul + be16(3) + "a.b"), "found a.b");
  EXPECT_EQ(named(be16(7) + nul + be16(3) + "a.b"), "unreadable");
  EXPECT_EQ(named(be16(6) + nul + be16(4) + "a.b"), "unreadable");
  EXPECT_EQ(named(be16(6) + "\x01" + be16(3) + "a.b"), "unreadable");
  EXPECT_EQ(named(be16(3) + nul + be16(0)), "unreadable");
  EXPECT_EQ(named(be16(6) + nul + be16(3) + "a b"), "unreadable");
  EXPECT_EQ(named(be16(4) + nul + be16(1) + "."), "unreadable");
  EXPECT_EQ(named(""), "unreadable");
  EXPECT_EQ(named(be16(257) + nul + be16(254) + std::string(254, 'a')), "unreadable");
  EXPECT_EQ(named(be16(256) + nul + be16(253) + std::string(253, 'a')),
            "found " + std::string(253, 'a'));
}

TEST(AwsService, IsToldByTheDomain) {
  for (const char* name : {"amazonaws.com", "sts.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn",
                           "ec2.us-east-1.api.aws", "bucket.s3.eu-west-1.amazonaws.com",
                           "sts.us-iso-east-1.c2s.ic.gov"}) {
    EXPECT_TRUE(is_aws_service(name)) << name;
  }
  for (const char* name : {"", "com", "example.com", "notamazonaws.com", "amazonaws.com.example",
                           "aws", "fakeapi.aws", "amazonaws.com.", "console.aws.amazon.com"}) {
    EXPECT_FALSE(is_aws_service(name)) << name;
  }
}

}  // namespace
}  // namespace imds::evidence
