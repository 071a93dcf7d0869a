#include "evidence/response_body.h"

#include <string>

#include <gtest/gtest.h>

#include "compressed.h"

namespace imds::evidence {
namespace {

constexpr std::string_view kCredentials =
    R"({"AccessKeyId":"ASIAQNZGKIQY56JQ7WML","SecretAccessKey":"FAKE-b","Token":"FAKE-c",)"
    R"("Expiration":"2025-10-08T18:00:00Z"})";

class ResponseBodyTest : public ::testing::Test {
 protected:
  void read(std::string_view text, Coding coding = Coding::identity, std::uint64_t most = 1 << 20,
            std::size_t piece = 1000) {
    body_.begin(coding, most, pool_);
    for (std::size_t at = 0; at < text.size(); at += piece) {
      const std::string_view part = text.substr(at, piece);
      body_.feed({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
    }
    body_.end();
    EXPECT_EQ(pool_.in_use(), 0u);
  }
  [[nodiscard]] bool has_credentials() const { return body_.json().credentials() != nullptr; }

  Inflaters pool_{1};
  ResponseBody body_;
};

TEST_F(ResponseBodyTest, PlainAndCompressedSayTheSame) {
  const std::pair<Coding, std::string> forms[] = {
      {Coding::identity, std::string(kCredentials)},
      {Coding::gzip, compressed(kCredentials, kGzip)},
      {Coding::deflate, compressed(kCredentials, kZlib)},
      {Coding::deflate, compressed(kCredentials, kRawDeflate)}};
  for (const auto& [coding, sent] : forms) {
    for (const std::size_t piece : {1, 3, 1000}) {
      read(sent, coding, 1 << 20, piece);
      EXPECT_TRUE(has_credentials());
      EXPECT_EQ(body_.size(), kCredentials.size());
      EXPECT_EQ(body_.losses(), 0);
      EXPECT_EQ(body_.content(), ContentKind::json);
    }
  }
}

TEST_F(ResponseBodyTest, PagesAreToldByTheirBeginning) {
  for (const std::size_t piece : {1u, 5u, 1000u}) {
    for (const std::string& begin :
         {std::string("<!DOCTYPE html><p>"), std::string("\xef\xbb\xbf\r\n <HTML>"),
          std::string("<head>")}) {
      read(begin + std::string(kCredentials), Coding::identity, 1 << 20, piece);
      EXPECT_TRUE(body_.is_page()) << begin;
      read(compressed(begin, kGzip), Coding::gzip, 1 << 20, piece);
      EXPECT_TRUE(body_.is_page()) << begin;
    }
    for (const std::string& text :
         {std::string(kCredentials), std::string("AQAEAFAKE=="), std::string("<htm"),
          std::string("<script><html>"), "x<html>" + std::string(kCredentials), std::string()}) {
      read(text, Coding::identity, 1 << 20, piece);
      EXPECT_FALSE(body_.is_page()) << text;
    }
  }
}

TEST_F(ResponseBodyTest, WhatIsTooLargeIsReadToTheBound) {
  read(std::string(2000, ' ') + std::string(kCredentials), Coding::identity, 1000);
  EXPECT_FALSE(has_credentials());
  EXPECT_EQ(body_.losses(), kTooLarge);
  EXPECT_TRUE(body_.is_over());
  read(std::string(kCredentials) + std::string(2000, ' '), Coding::identity, 1000);
  EXPECT_TRUE(has_credentials());
  EXPECT_EQ(body_.losses(), kTooLarge);
}

TEST_F(ResponseBodyTest, BombsAreCutOff) {
  read(compressed(std::string(32 << 20, 'x'), kGzip), Coding::gzip, 1 << 16);
  EXPECT_EQ(body_.losses(), kTooLarge);
  EXPECT_EQ(body_.size(), 1u << 16);
}

TEST_F(ResponseBodyTest, UnknownCodingsAndFullPoolsAreTold) {
  read("anything", Coding::unknown);
  EXPECT_EQ(body_.losses(), kNotDecoded);
  Inflaters::Handle other = pool_.take(Coding::gzip);
  body_.begin(Coding::gzip, 1000, pool_);
  EXPECT_EQ(body_.losses(), kNotDecoded);
  body_.end();
  pool_.give_back(other);
}

TEST_F(ResponseBodyTest, GapsArePassedInPlainBodiesOnly) {
  body_.begin(Coding::identity, 1 << 20, pool_);
  body_.note_gap(100);
  body_.feed({reinterpret_cast<const std::uint8_t*>(kCredentials.data()), kCredentials.size()});
  EXPECT_EQ(body_.losses(), kGap);
  EXPECT_TRUE(has_credentials());
  EXPECT_EQ(body_.size(), 100 + kCredentials.size());
  body_.begin(Coding::gzip, 1 << 20, pool_);
  body_.note_gap(100);
  EXPECT_EQ(body_.losses(), kGap | kBroken);
  EXPECT_EQ(pool_.in_use(), 0u);
}

TEST_F(ResponseBodyTest, ContentIsKnownByItsBeginning) {
  const std::pair<std::string, ContentKind> kinds[] = {
      {"", ContentKind::empty},
      {"#!/bin/sh\n", ContentKind::shell_script},
      {"#cloud-config\nruncmd: []", ContentKind::cloud_config},
      {"#include\nhttp://x", ContentKind::cloud_init},
      {"Content-Type: multipart/mixed", ContentKind::mime},
      {"MIME-Version: 1.0", ContentKind::mime},
      {"<powershell>", ContentKind::powershell},
      {std::string("\x1f\x8b\x08\x00", 4), ContentKind::gzip},
      {"{}", ContentKind::json},
      {"[1]", ContentKind::json},
      {"hello # world\n", ContentKind::text},
      {"#", ContentKind::text},
      {std::string("\x00\x01", 2), ContentKind::binary},
  };
  for (const auto& [text, kind] : kinds) {
    for (const std::size_t piece : {1, 2, 100}) {
      read(text, Coding::identity, 1 << 20, piece);
      EXPECT_EQ(body_.content(), kind) << text;
    }
  }
}

TEST(CodingOf, KnowsTheirNames) {
  EXPECT_EQ(coding_of(""), Coding::identity);
  EXPECT_EQ(coding_of("identity"), Coding::identity);
  EXPECT_EQ(coding_of("GZIP"), Coding::gzip);
  EXPECT_EQ(coding_of("x-gzip"), Coding::gzip);
  EXPECT_EQ(coding_of("deflate"), Coding::deflate);
  EXPECT_EQ(coding_of("br"), Coding::unknown);
  EXPECT_EQ(coding_of("gzip, gzip"), Coding::unknown);
}

}  // namespace
}  // namespace imds::evidence
