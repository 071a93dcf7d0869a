// Segments that wait: what is given back, in which order, at which limit, and that nothing stays.
#include "flow/held_segments.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

using Result = HeldSegments::Result;
using Handle = HeldSegments::Handle;

constexpr std::uint64_t kAll = ~std::uint64_t{0};

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text(ByteSpan span) {
  return {reinterpret_cast<const char*>(span.data()), span.size()};
}
Timestamp at(double seconds) {
  return {static_cast<std::int64_t>(seconds * kNanosPerSecond)};
}

class HeldSegmentsTest : public testing::Test {
 protected:
  void TearDown() override {
    for (Handle& handle : handles_) {
      store_.release(handle);
    }
    EXPECT_EQ(store_.memory().bytes_in_use.get(), 0u);
    EXPECT_EQ(store_.counters().segments.get(), 0u);
    EXPECT_EQ(store_.counters().streams.get(), 0u);
    EXPECT_EQ(store_.overdue(at(1e6)), nullptr);
  }

  Result hold(std::size_t stream, std::uint32_t sequence, std::string_view data, bool fin = false,
              Timestamp now = {}, std::uint64_t share = kAll) {
    return store_.hold(handles_[stream], {sequence, fin, bytes(data)}, now, share,
                       &handles_[stream]);
  }
  // "sequence:bytes" of all that is held, in the order given back; '!' for a FIN.
  std::vector<std::string> drain(std::size_t stream) {
    std::vector<std::string> out;
    while (handles_[stream] != 0) {
      const auto front = store_.front(handles_[stream]);
      out.push_back(std::to_string(front.sequence) + ':' + text(front.bytes) +
                    (front.fin ? "!" : ""));
      store_.pop(handles_[stream]);
    }
    return out;
  }

  static constexpr HeldSegments::Options kSmall{1, 3000, 8};
  HeldSegments store_{kSmall};
  std::vector<Handle> handles_ = std::vector<Handle>(1000);
};
using Given = std::vector<std::string>;

TEST_F(HeldSegmentsTest, GivenBackInOrderOfSequence) {
  EXPECT_EQ(hold(0, 300, "c"), Result::held);
  EXPECT_EQ(hold(0, 100, "a"), Result::held);
  EXPECT_EQ(hold(1, 150, "another stream's"), Result::held);
  EXPECT_EQ(hold(0, 200, "b"), Result::held);
  EXPECT_EQ(store_.counters().segments.get(), 4u);
  EXPECT_EQ(store_.counters().streams.get(), 2u);
  EXPECT_EQ(drain(0), (Given{"100:a", "200:b", "300:c"}));
  EXPECT_EQ(handles_[0], 0u);
  EXPECT_EQ(store_.counters().streams.get(), 1u);
  EXPECT_EQ(drain(1), (Given{"150:another stream's"}));
}

TEST_F(HeldSegmentsTest, AcrossTheWrap) {
  EXPECT_EQ(hold(0, 5, "after"), Result::held);
  EXPECT_EQ(hold(0, 0xfffffff0, "before"), Result::held);
  EXPECT_EQ(hold(0, 0xfffffffe, "across"), Result::held);
  EXPECT_EQ(hold(0, 1, "oss"), Result::repeated) << "inside \"across\"";
  EXPECT_EQ(drain(0), (Given{"4294967280:before", "4294967294:across", "5:after"}));
}

TEST_F(HeldSegmentsTest, AppendedAcrossTheWrap) {
  EXPECT_EQ(hold(0, 0xfffffffe, "ab"), Result::held);
  EXPECT_EQ(hold(0, 0, "cd"), Result::held);
  EXPECT_EQ(drain(0), (Given{"4294967294:abcd"}));
}

TEST_F(HeldSegmentsTest, RepetitionsAreNotKept) {
  EXPECT_EQ(hold(0, 100, "abcdef"), Result::held);
  EXPECT_EQ(hold(0, 100, "abcdef"), Result::repeated);
  EXPECT_EQ(hold(0, 102, "cd"), Result::repeated);
  EXPECT_EQ(hold(0, 104, "ef"), Result::repeated);
  EXPECT_EQ(hold(0, 102, "cX"), Result::held) << "other bytes at the same place";
  EXPECT_EQ(hold(0, 104, "efg"), Result::held) << "a byte more";
  EXPECT_EQ(hold(0, 99, "_a"), Result::held) << "a byte before";
  EXPECT_EQ(drain(0), (Given{"99:_a", "100:abcdef", "102:cXefg"}));
}

TEST_F(HeldSegmentsTest, OfTheSamePlaceTheFirstComesFirst) {
  EXPECT_EQ(hold(0, 100, "one"), Result::held);
  EXPECT_EQ(hold(0, 100, "two"), Result::held);
  EXPECT_EQ(hold(0, 100, "three"), Result::held);
  EXPECT_EQ(drain(0), (Given{"100:one", "100:two", "100:three"}));
}

TEST_F(HeldSegmentsTest, AFinIsKeptWithItsBytes) {
  EXPECT_EQ(hold(0, 100, "abc"), Result::held);
  EXPECT_EQ(hold(0, 100, "abc", true), Result::held) << "the FIN is new";
  EXPECT_EQ(hold(0, 100, "abc", true), Result::repeated);
  EXPECT_EQ(hold(0, 103, "", true), Result::repeated) << "the same FIN";
  EXPECT_EQ(hold(0, 200, "xyz"), Result::held);
  EXPECT_EQ(hold(0, 203, "", true), Result::held);
  EXPECT_EQ(hold(0, 203, "behind"), Result::held) << "nothing is appended behind a FIN";
  EXPECT_EQ(drain(0), (Given{"100:abc", "100:abc!", "200:xyz!", "203:behind"}));
}

TEST_F(HeldSegmentsTest, AFinAloneWaits) {
  EXPECT_EQ(hold(0, 500, "", true), Result::held);
  EXPECT_EQ(hold(0, 500, "", true), Result::repeated);
  EXPECT_EQ(store_.memory().bytes_in_use.get(), 0u);
  EXPECT_EQ(drain(0), (Given{"500:!"}));
}

TEST_F(HeldSegmentsTest, SmallSegmentsThatContinueEachOtherShareABlock) {
  std::string expected = "1000:";
  for (std::uint32_t i = 0; i < 500; ++i) {
    ASSERT_EQ(hold(0, 1000 + i, std::string(1, static_cast<char>('a' + i % 26))), Result::held);
    expected += static_cast<char>('a' + i % 26);
  }
  EXPECT_EQ(store_.counters().segments.get(), 1u);
  EXPECT_EQ(store_.memory().bytes_in_use.get(), 1024u);
  EXPECT_EQ(drain(0), (Given{expected}));
}

TEST_F(HeldSegmentsTest, AStreamHoldsNoMoreBytesThanItMay) {
  EXPECT_EQ(hold(0, 1, std::string(3001, 'x')), Result::stream_full);
  EXPECT_EQ(handles_[0], 0u) << "a refusal changes nothing";
  EXPECT_EQ(hold(0, 1, std::string(2000, 'x')), Result::held);
  EXPECT_EQ(hold(0, 5000, std::string(1001, 'x')), Result::stream_full);
  EXPECT_EQ(hold(0, 2001, std::string(1001, 'x')), Result::stream_full) << "nor by appending";
  EXPECT_EQ(hold(0, 5000, std::string(1000, 'x')), Result::held);
  EXPECT_EQ(hold(0, 9000, "x"), Result::stream_full);
  EXPECT_EQ(hold(0, 1, "xx"), Result::repeated) << "a repetition is none the less known";
  EXPECT_EQ(hold(1, 9000, "x"), Result::held) << "another stream may";
  store_.pop(handles_[0]);
  EXPECT_EQ(hold(0, 9000, std::string(2000, 'y')), Result::held);
}

TEST_F(HeldSegmentsTest, AStreamHoldsNoMoreSegmentsThanItMay) {
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_EQ(hold(0, 100 + 10 * i, "x"), Result::held);
  }
  EXPECT_EQ(hold(0, 500, "x"), Result::stream_full);
  EXPECT_EQ(hold(0, 111, "y"), Result::held) << "what is appended takes no place";
  store_.pop(handles_[0]);
  EXPECT_EQ(hold(0, 500, "x"), Result::held);
}

TEST(HeldSegmentsLimits, NoSegmentsOrNoMemoryHoldsNothing) {
  Handle handle = 0;
  HeldSegments none({1, 65536, 0});
  EXPECT_EQ(none.hold(handle, {1, false, bytes("x")}, {}, kAll, nullptr), Result::stream_full);
  HeldSegments empty({0, 65536, 256});
  EXPECT_EQ(empty.hold(handle, {1, false, bytes("x")}, {}, kAll, nullptr), Result::store_full);
  EXPECT_EQ(empty.hold(handle, {1, true, {}}, {}, kAll, nullptr), Result::store_full);
  EXPECT_EQ(handle, 0u);
  EXPECT_EQ(empty.overdue({}), nullptr);
}

TEST_F(HeldSegmentsTest, TheStoreFillsAndIsGivenBackWhole) {
  for (int round = 0; round < 3; ++round) {
    std::size_t held = 0;
    while (hold(held, 1, std::string(900, 'x')) == Result::held) {
      ++held;
      ASSERT_LT(held, handles_.size());
    }
    EXPECT_EQ(held, 256u + 128u + 8u + 2u) << "every block, the larger ones too";
    EXPECT_EQ(store_.memory().bytes_in_use.get(), store_.memory().bytes_capacity.get());
    EXPECT_EQ(handles_[held], 0u);
    EXPECT_EQ(hold(0, 2, "no room"), Result::store_full);
    EXPECT_EQ(hold(0, 2, "xxx"), Result::repeated);
    EXPECT_EQ(store_.counters().streams.get(), held);
    for (Handle& handle : handles_) {
      store_.release(handle);
    }
    EXPECT_EQ(store_.memory().bytes_in_use.get(), 0u);
  }
  EXPECT_LE(store_.memory().bytes_peak.get(), std::uint64_t{1} << 20);
}

TEST_F(HeldSegmentsTest, RecordsOfFinsAloneAreBounded) {
  std::size_t held = 0;
  while (hold(held, 1, "", true) == Result::held) {
    ++held;
    ASSERT_LT(held, handles_.size());
  }
  EXPECT_EQ(held, 394u) << "as many as there are blocks, though none is taken";
  EXPECT_EQ(store_.overdue(at(0.02)), &handles_[0]) << "they crowd the store all the same";
}

TEST_F(HeldSegmentsTest, AShareIsLeftForOthers) {
  const std::uint64_t share = std::uint64_t{64} << 10;
  std::size_t held = 0;
  while (hold(held, 1, std::string(900, 'x'), false, {}, share) == Result::held) {
    ++held;
    ASSERT_LT(held, handles_.size());
  }
  EXPECT_LE(store_.memory().bytes_in_use.get(), share + 65536u);
  EXPECT_EQ(hold(held, 1, "of interest"), Result::held);
}

TEST_F(HeldSegmentsTest, PatienceIsTenSecondsFromTheLastProgress) {
  EXPECT_EQ(hold(0, 1, "x", false, at(100)), Result::held);
  EXPECT_EQ(hold(1, 1, "x", false, at(101)), Result::held);
  EXPECT_EQ(hold(0, 9, "x", false, at(109)), Result::held) << "more of it is no progress";
  EXPECT_EQ(store_.waiting_since(handles_[0]).ns, at(100).ns);
  EXPECT_EQ(store_.overdue(at(110)), nullptr);
  EXPECT_EQ(store_.overdue(at(110.5)), &handles_[0]);
  store_.progress(handles_[0], at(110.5));
  EXPECT_EQ(store_.overdue(at(110.9)), nullptr) << "the other has waited less";
  EXPECT_EQ(store_.overdue(at(111.5)), &handles_[1]);
  store_.release(handles_[1]);
  EXPECT_EQ(store_.overdue(at(111.5)), nullptr);
  EXPECT_EQ(store_.overdue(at(120.6)), &handles_[0]);
  EXPECT_EQ(store_.overdue(at(50)), &handles_[0]) << "the clock went back: another capture";
}

TEST_F(HeldSegmentsTest, PatienceShrinksAsTheStoreFills) {
  const std::vector<std::pair<double, double>> expected = {
      {0.20, 10}, {0.30, 1}, {0.55, 0.1}, {0.80, 0.01}};
  std::size_t held = 0;
  for (const auto& [part, patience] : expected) {
    const auto target = static_cast<std::uint64_t>(
        part * static_cast<double>(store_.memory().bytes_capacity.get()));
    while (store_.memory().bytes_in_use.get() < target) {
      // The larger ones first: then bytes crowd the store, not their number.
      if (hold(held, 1, std::string(3000, 'x'), false, at(100)) != Result::held) {
        ASSERT_EQ(hold(held, 1, std::string(900, 'x'), false, at(100)), Result::held);
      }
      ++held;
    }
    EXPECT_EQ(store_.overdue(at(100 + patience * 0.99)), nullptr) << part;
    EXPECT_EQ(store_.overdue(at(100 + patience * 1.01)), &handles_[0]) << part;
  }
}

TEST_F(HeldSegmentsTest, OverdueOnesGoLongestFirst) {
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(hold(i, 1, "x", false, at(static_cast<double>(i))), Result::held);
  }
  store_.release(handles_[7]);
  store_.progress(handles_[3], at(30));
  std::vector<std::size_t> order;
  while (void* owner = store_.overdue(at(100))) {
    const auto i = static_cast<std::size_t>(static_cast<Handle*>(owner) - handles_.data());
    order.push_back(i);
    store_.release(handles_[i]);
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                                             18, 19, 3}));
}

TEST_F(HeldSegmentsTest, AcknowledgmentsAreCountedUntilThereIsProgress) {
  EXPECT_EQ(hold(0, 1, "x", false, at(1)), Result::held);
  EXPECT_EQ(store_.acknowledged(handles_[0], at(2)).ns, 0);
  const auto again = store_.acknowledged(handles_[0], at(2.5));
  EXPECT_EQ(again.ns, at(0.5).ns);
  EXPECT_EQ(again.times, 2u);
  store_.progress(handles_[0], at(3));
  EXPECT_EQ(store_.acknowledged(handles_[0], at(4)).times, 1u);
}

// Random use against the plainest model: which bytes were taken at which place, how often.
TEST_F(HeldSegmentsTest, RandomUseAgreesWithAModel) {
  struct Model {
    std::uint32_t base = 0;
    std::map<std::pair<std::uint32_t, char>, int> bytes;  // offset and value: how often
    std::vector<std::pair<std::uint32_t, std::string>> segments;
    std::map<std::uint32_t, int> fins;
    std::size_t size = 0;
  };
  std::mt19937 random(11);
  constexpr std::size_t kStreams = 40;
  std::vector<Model> models(kStreams);
  std::map<Result, int> results;
  for (int step = 0; step < 10'000; ++step) {
    const std::size_t s = random() % kStreams;
    Model& model = models[s];
    if (handles_[s] == 0) {
      ASSERT_TRUE(model.bytes.empty() && model.fins.empty()) << "something was lost";
      model = {};
      model.base = random() % 3 == 0 ? 0u - random() % 2000 : static_cast<std::uint32_t>(random());
    }
    if (random() % 25 == 0) {  // drained
      std::uint32_t last = 0;
      while (handles_[s] != 0) {
        const auto front = store_.front(handles_[s]);
        const std::uint32_t offset = front.sequence - model.base;
        ASSERT_GE(offset, last) << "out of order";
        last = offset;
        for (std::uint32_t i = 0; i < front.bytes.size(); ++i) {
          const auto found = model.bytes.find({offset + i, static_cast<char>(front.bytes[i])});
          ASSERT_NE(found, model.bytes.end()) << "a byte nobody gave";
          if (--found->second == 0) {
            model.bytes.erase(found);
          }
        }
        if (front.fin) {
          const auto found = model.fins.find(front.end() - model.base);
          ASSERT_NE(found, model.fins.end());
          if (--found->second == 0) {
            model.fins.erase(found);
          }
        }
        store_.pop(handles_[s]);
      }
      continue;
    }
    std::uint32_t offset = random() % 1000;
    std::string data(random() % 10 == 0 ? 0 : 1 + random() % 200, '\0');
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = static_cast<char>('a' + (offset + i) % 26);
    }
    const bool again = !model.segments.empty() && random() % 4 == 0;
    if (again) {
      std::tie(offset, data) = model.segments[random() % model.segments.size()];
    } else if (!data.empty() && random() % 10 == 0) {
      data[random() % data.size()] = '#';
    }
    const bool fin = !again && (data.empty() || random() % 20 == 0);
    const Result result =
        hold(s, model.base + offset, data, fin, {}, store_.memory().bytes_capacity.get());
    ++results[result];
    ASSERT_TRUE(!again || result == Result::repeated);
    if (result == Result::held) {
      for (std::uint32_t i = 0; i < data.size(); ++i) {
        ++model.bytes[{offset + i, data[i]}];
      }
      if (fin) {
        ++model.fins[offset + static_cast<std::uint32_t>(data.size())];
      } else {
        model.segments.emplace_back(offset, data);
      }
      model.size += data.size();
      ASSERT_LE(model.size, kSmall.stream_bytes);
    } else if (result == Result::repeated) {
      for (std::uint32_t i = 0; i < data.size(); ++i) {
        ASSERT_TRUE(model.bytes.contains({offset + i, data[i]})) << "it is not held";
      }
    }
    ASSERT_LE(store_.memory().bytes_in_use.get(), store_.memory().bytes_capacity.get());
  }
  EXPECT_GT(results[Result::held], 500);
  EXPECT_GT(results[Result::repeated], 500);
  EXPECT_GT(results[Result::stream_full], 100);
}

}  // namespace
}  // namespace imds::flow
