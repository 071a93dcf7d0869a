#include "base/reasons.h"

#include <algorithm>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace imds {
namespace {

// Names are metric label values: other systems keep them.
bool is_snake_case(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

TEST(DecodeReasons, EachHasItsOwnNameAndText) {
  std::set<std::string_view> names;
  std::set<std::string_view> texts;
  for (std::size_t i = 0; i < kDecodeReasonCount; ++i) {
    const ReasonText& row = describe(static_cast<DecodeReason>(i));
    EXPECT_TRUE(is_snake_case(row.name)) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(texts.insert(row.text).second) << row.text;
  }
}

TEST(DecodeReasons, MalformedIsTheSendersFault) {
  EXPECT_TRUE(describe(DecodeReason::tcp_data_offset).malformed);
  EXPECT_TRUE(describe(DecodeReason::ipv4_truncated).malformed);
  for (const DecodeReason reason :
       {DecodeReason::none, DecodeReason::link_type_unsupported,
        DecodeReason::ethertype_not_inspected, DecodeReason::ip_fragment,
        DecodeReason::ip_protocol_not_inspected, DecodeReason::capture_truncated,
        DecodeReason::ipv4_beyond_frame, DecodeReason::ipv6_beyond_frame}) {
    EXPECT_FALSE(describe(reason).malformed) << describe(reason).name;
  }
}

TEST(Dispositions, EachHasItsOwnNameAndText) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kDispositionCount; ++i) {
    const DispositionText& row = describe(static_cast<Disposition>(i));
    EXPECT_TRUE(is_snake_case(row.name)) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.text.empty());
  }
}

}  // namespace
}  // namespace imds
