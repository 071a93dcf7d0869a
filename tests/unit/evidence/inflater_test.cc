#include "evidence/inflater.h"

#include <string>

#include <gtest/gtest.h>

#include "compressed.h"

namespace imds::evidence {
namespace {

using Result = Inflaters::Result;

std::string sample(std::size_t size) {
  std::string text;
  for (unsigned i = 0; text.size() < size; ++i) {
    text += "line " + std::to_string(i * 2654435761u) + "\n";
  }
  text.resize(size);
  return text;
}

struct Inflated {
  std::string text;
  Result result = Result::more;
};
Inflated inflate(Inflaters& pool, Coding coding, std::string_view input, std::size_t piece,
                 std::uint64_t most = 1 << 24) {
  Inflaters::Handle handle = pool.take(coding);
  EXPECT_NE(handle, 0);
  Inflated out;
  for (std::size_t at = 0; at < input.size() && out.result == Result::more; at += piece) {
    const std::string_view part = input.substr(at, piece);
    out.result =
        pool.inflate(handle, {reinterpret_cast<const std::uint8_t*>(part.data()), part.size()},
                     most - out.text.size(), [&](ByteSpan bytes) {
                       out.text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                     });
  }
  pool.give_back(handle);
  EXPECT_EQ(handle, 0);
  return out;
}

TEST(Inflaters, AllFormsInAnyPieces) {
  Inflaters pool(1);
  const std::string plain = sample(100000);
  const std::pair<Coding, int> forms[] = {
      {Coding::gzip, kGzip}, {Coding::deflate, kZlib}, {Coding::deflate, kRawDeflate}};
  for (const auto& [coding, form] : forms) {
    const std::string sent = compressed(plain, form);
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{7}, std::size_t{1400}, sent.size()}) {
      EXPECT_EQ(inflate(pool, coding, sent, piece).text, plain) << form << ' ' << piece;
    }
  }
}

TEST(Inflaters, GzipMembersFollowEachOther) {
  Inflaters pool(1);
  const std::string sent = compressed("first ", kGzip) + compressed("second", kGzip);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{26}, sent.size()}) {
    EXPECT_EQ(inflate(pool, Coding::gzip, sent, piece).text, "first second") << piece;
  }
}

TEST(Inflaters, WhatFollowsTheDataIsNotRead) {
  Inflaters pool(1);
  const Inflated found = inflate(pool, Coding::gzip, compressed("data", kGzip) + "garbage", 4096);
  EXPECT_EQ(found.text, "data");
  EXPECT_EQ(found.result, Result::ended);
}

TEST(Inflaters, OutputIsBounded) {
  Inflaters pool(1);
  const std::string bomb = compressed(std::string(64 << 20, '\0'), kGzip);
  ASSERT_LT(bomb.size(), 100000u);
  const Inflated found = inflate(pool, Coding::gzip, bomb, bomb.size(), 1 << 20);
  EXPECT_EQ(found.result, Result::full);
  EXPECT_EQ(found.text.size(), std::size_t{1} << 20);
}

TEST(Inflaters, ExactlyTheBoundIsNotTooMuch) {
  Inflaters pool(1);
  const std::string plain = sample(50000);
  const Inflated found = inflate(pool, Coding::gzip, compressed(plain, kGzip), 4096, plain.size());
  EXPECT_EQ(found.text, plain);
  EXPECT_EQ(found.result, Result::more);
}

TEST(Inflaters, BrokenDataIsToldAndEndsIt) {
  Inflaters pool(1);
  std::string sent = compressed(sample(5000), kGzip);
  for (std::size_t i = 20; i < 60; ++i) {
    sent[i] = static_cast<char>(~sent[i]);
  }
  EXPECT_EQ(inflate(pool, Coding::gzip, sent, 100).result, Result::broken);
  EXPECT_EQ(inflate(pool, Coding::gzip, "this is no gzip at all", 5).result, Result::broken);
  // And the next is not disturbed.
  EXPECT_EQ(inflate(pool, Coding::gzip, compressed("well", kGzip), 3).text, "well");
}

TEST(Inflaters, AreAsManyAsThereAre) {
  Inflaters pool(2);
  Inflaters::Handle a = pool.take(Coding::gzip);
  Inflaters::Handle b = pool.take(Coding::gzip);
  EXPECT_EQ(pool.take(Coding::gzip), 0);
  EXPECT_EQ(pool.in_use(), 2u);
  pool.give_back(a);
  pool.give_back(a);
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_NE(pool.take(Coding::deflate), 0);
  pool.give_back(b);
}

}  // namespace
}  // namespace imds::evidence
