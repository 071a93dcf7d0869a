// The small values: errors, time, counters, bounded text, hashing.
#include <gtest/gtest.h>

#include "base/counter.h"
#include "base/fixed_text.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "base/tunnel.h"

namespace imds {
namespace {

TEST(Error, SaysWhereAsFarAsKnown) {
  EXPECT_EQ((Error{ErrorKind::config, "bad", {}}).to_string(), "bad");
  EXPECT_EQ((Error{ErrorKind::config, "bad", {"a.yml", 0, 0}}).to_string(), "a.yml: bad");
  EXPECT_EQ((Error{ErrorKind::config, "bad", {"a.yml", 3, 0}}).to_string(), "a.yml:3: bad");
  EXPECT_EQ((Error{ErrorKind::config, "bad", {"a.yml", 3, 7}}).to_string(), "a.yml:3:7: bad");
}

Result<int> inner() {
  return fail_at(ErrorKind::usage, {"f", 1, 2}, "wrong");
}
Result<std::string> outer() {
  auto r = inner();
  if (!r) {
    return pass_on(r);
  }
  return "fine";
}

TEST(Result, PassesAnErrorOnUnchanged) {
  const auto r = outer();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::usage);
  EXPECT_EQ(r.error().to_string(), "f:1:2: wrong");
}

TEST(Tunnel, PathIsTheNamesFromTheOutermostInwards) {
  std::array<char, kMaxTunnelPathText> room;
  EXPECT_EQ(path_text({}, room), "");
  EXPECT_EQ(path_text({{TunnelKind::vxlan}, 1}, room), "vxlan");
  EXPECT_EQ(path_text({{TunnelKind::gre, TunnelKind::ip_in_ip, TunnelKind::nsh}, 3}, room),
            "gre/ip_in_ip/nsh");
  TunnelPath deep;
  deep.kinds.fill(TunnelKind::ethernet_pseudowire);
  deep.count = 255;  // never decoded; must stay within the room
  EXPECT_EQ(path_text(deep, room).size(), 159u);
}

TEST(Timestamp, Rfc3339WithMicroseconds) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339({1'759'924'800'123'456'789}), "2025-10-08T12:00:00.123456Z");
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999Z");
}

TEST(Timestamp, Differences) {
  EXPECT_EQ(Timestamp{5} - Timestamp{2}, 3);
  EXPECT_EQ(Timestamp{2} - Timestamp{5}, -3);
  EXPECT_LT(Timestamp{2}, Timestamp{5});
  EXPECT_GT(wall_clock_now(), Timestamp{1'700'000'000 * kNanosPerSecond});
}

TEST(Counter, AddsSetsAndRaises) {
  Counter c;
  c.add();
  c.add(41);
  EXPECT_EQ(c.get(), 42u);
  c.raise_to(40);
  EXPECT_EQ(c.get(), 42u);
  c.raise_to(50);
  EXPECT_EQ(c.get(), 50u);
  c.set(1);
  EXPECT_EQ(c.get(), 1u);
}

TEST(FixedText, KeepsTheBeginningAndSaysSo) {
  FixedText<4> t;
  EXPECT_TRUE(t.empty());
  t.assign("1234");
  EXPECT_EQ(t.view(), "1234");
  EXPECT_FALSE(t.truncated);
  t.assign("12345");
  EXPECT_EQ(t.view(), "1234");
  EXPECT_TRUE(t.truncated);
  t.assign({});
  EXPECT_EQ(t.view(), "");
  EXPECT_FALSE(t.truncated);
  t.assign("12345");
  t.clear();
  EXPECT_TRUE(t.empty());
  EXPECT_FALSE(t.truncated);
}

TEST(Crc32c, PublishedCheckValue) {
  // The check value of CRC-32C over "123456789" (RFC 3720 polynomial).
  EXPECT_EQ(crc32c(0xffffffff, "123456789", 9) ^ 0xffffffff, 0xe3069283u);
  EXPECT_EQ(crc32c(7, "", 0), 7u);
}

TEST(Crc32c, EveryBytePositionCounts) {
  unsigned char data[23] = {};
  const std::uint32_t before = crc32c(0, data, sizeof data);
  for (unsigned char& byte : data) {
    byte = 1;
    EXPECT_NE(crc32c(0, data, sizeof data), before);
    byte = 0;
  }
}

}  // namespace
}  // namespace imds
