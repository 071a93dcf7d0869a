#include "exhibit/frame_ring.h"

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace imds::exhibit {
namespace {

bool put(FrameRing& ring, std::size_t size, std::uint8_t value) {
  std::uint8_t* room = ring.reserve(size);
  if (room == nullptr) {
    return false;
  }
  std::memset(room, value, size);
  ring.commit();
  return true;
}

TEST(FrameRing, GivesRecordsBackInOrder) {
  FrameRing ring(4096);
  EXPECT_TRUE(ring.front().empty());
  ASSERT_TRUE(put(ring, 5, 1));
  ASSERT_TRUE(put(ring, 100, 2));
  ASSERT_EQ(ring.front().size(), 5u);
  EXPECT_EQ(ring.front()[4], 1);
  ring.pop();
  ASSERT_EQ(ring.front().size(), 100u);
  EXPECT_EQ(ring.front()[99], 2);
  ring.pop();
  EXPECT_TRUE(ring.front().empty());
}

TEST(FrameRing, RefusesWhenFullAndTakesAgainWhenThereIsRoom) {
  FrameRing ring(4096);
  std::size_t taken = 0;
  while (put(ring, 500, static_cast<std::uint8_t>(taken))) {
    ++taken;
  }
  EXPECT_EQ(taken, 4096u / (8 + 504));
  ASSERT_FALSE(ring.front().empty());
  ring.pop();
  EXPECT_TRUE(put(ring, 500, 9));
  EXPECT_EQ(ring.reserve(ring.longest() + 1), nullptr);
}

TEST(FrameRing, WhatIsNotCommittedIsNotThere) {
  FrameRing ring(4096);
  ASSERT_NE(ring.reserve(8), nullptr);
  EXPECT_TRUE(ring.front().empty());
}

TEST(FrameRing, CarriesEveryByteBetweenTwoThreads) {
  constexpr unsigned kRecords = 20000;
  FrameRing ring(1 << 14);
  std::thread producer([&ring] {
    std::mt19937 random(1);
    for (unsigned i = 0; i < kRecords; ++i) {
      const std::size_t size = 4 + random() % 2000;
      std::uint8_t* room = nullptr;
      while ((room = ring.reserve(size)) == nullptr) {
        std::this_thread::yield();
      }
      std::memset(room, static_cast<int>(i & 0xff), size);
      std::memcpy(room, &i, sizeof i);
      ring.commit();
    }
  });
  std::mt19937 random(1);
  for (unsigned i = 0; i < kRecords; ++i) {
    const std::size_t size = 4 + random() % 2000;
    while (ring.front().empty()) {
      std::this_thread::yield();
    }
    const std::span<std::uint8_t> record = ring.front();
    unsigned number = 0;
    std::memcpy(&number, record.data(), sizeof number);
    ASSERT_EQ(number, i);
    ASSERT_EQ(record.size(), size);
    ASSERT_TRUE(size == 4 || record.back() == (i & 0xff));
    ring.pop();
  }
  producer.join();
}

}  // namespace
}  // namespace imds::exhibit
