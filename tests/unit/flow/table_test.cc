#include "flow/table.h"

#include <algorithm>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

namespace imds::flow {
namespace {

struct State {
  std::uint32_t number = 0;
  std::uint8_t rank = 0;
  [[nodiscard]] std::uint8_t eviction_rank() const { return rank; }
};
using TestTable = Table<State>;
using Entry = TestTable::Entry;

Key numbered(std::uint32_t number) {
  Key key;
  key.lower_address[0] = 10;
  key.higher_address[0] = 169;
  for (std::size_t i = 0; i < 4; ++i) {
    key.higher_address[i + 1] = static_cast<std::uint8_t>(number >> (8 * i));
  }
  key.lower_port = 40000;
  key.higher_port = 80;
  key.kind = 6;
  return key;
}

TableOptions options(std::uint32_t flows, HashSecret secret = HashSecret::from_seed(1)) {
  return {flows, secret, {}};
}

// What the hook was told.
struct Removed {
  std::map<Removal, std::vector<std::uint32_t>> by_reason;
  void operator()(Entry& entry, Removal why) { by_reason[why].push_back(entry.state.number); }
  [[nodiscard]] std::vector<std::uint32_t> of(Removal why) const {
    const auto found = by_reason.find(why);
    return found == by_reason.end() ? std::vector<std::uint32_t>{} : found->second;
  }
};

Entry& add(TestTable& table, std::uint32_t number, Seconds now, Removed& removed) {
  const Key key = numbered(number);
  Entry& entry = table.insert(key, table.hash(key), now, removed);
  entry.state.number = number;
  return entry;
}
Entry* find(TestTable& table, std::uint32_t number) {
  const Key key = numbered(number);
  return table.find(key, table.hash(key));
}

TEST(TableTest, InsertedFlowsAreFoundAndErasedOnesAreNot) {
  TestTable table(options(100));
  Removed removed;
  EXPECT_EQ(find(table, 1), nullptr);
  Entry& entry = add(table, 1, 5, removed);
  EXPECT_EQ(find(table, 1), &entry);
  EXPECT_EQ(find(table, 2), nullptr);
  EXPECT_EQ(entry.last_seen, 5u);
  EXPECT_EQ(entry.state.rank, 0);
  entry.state.rank = 9;
  table.erase(entry, removed);
  EXPECT_EQ(removed.of(Removal::erased), std::vector<std::uint32_t>{1});
  EXPECT_EQ(find(table, 1), nullptr);
  EXPECT_EQ(add(table, 1, 6, removed).state.rank, 0) << "a reused entry starts fresh";
  EXPECT_EQ(table.counters().live.get(), 1u);
  EXPECT_EQ(table.counters().inserted.get(), 2u);
  EXPECT_EQ(table.counters().erased.get(), 1u);
}

TEST(TableTest, AMillionFlowsFitAMillionPlaces) {
  constexpr std::uint32_t kFlows = 1'000'000;
  TestTable table(options(kFlows));
  Removed removed;
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    add(table, i, 0, removed);
  }
  EXPECT_TRUE(removed.by_reason.empty()) << "no eviction before the table is full";
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    Entry* entry = find(table, i);
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(entry->state.number, i);
  }
  EXPECT_EQ(find(table, kFlows), nullptr);
  EXPECT_EQ(table.counters().live.get(), kFlows);
}

// Three quarters of the slots in use is the worst a table is ever asked to hold.
TEST(TableTest, FullBucketsNeverEvictBeforeThePoolIsFull) {
  for (const std::uint32_t flows : {6u, 48u, 6u * 64, 6u * 1024, 6u * 16384}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      TestTable table(options(flows, HashSecret::from_seed(seed)));
      Removed removed;
      for (std::uint32_t i = 0; i < flows; ++i) {
        add(table, i, 0, removed);
      }
      EXPECT_EQ(table.counters().live.get(), flows) << "seed " << seed;
    }
  }
}

TEST(TableTest, AFullPoolEvictsIdleThenOpaqueThenOldest) {
  TestTable table(options(4));
  Removed removed;
  const auto set = [&](std::uint32_t number, Seconds seen, std::uint16_t timeout,
                       std::uint8_t rank) {
    Entry& entry = add(table, number, seen, removed);
    entry.timeout = timeout;
    entry.state.rank = rank;
  };
  set(1, 100, 1000, 0);
  set(2, 150, 10, 0);    // idle at 200
  set(3, 190, 1000, 2);  // opaque
  set(4, 180, 1000, 1);  // less so
  set(5, 200, 1000, 0);
  EXPECT_EQ(removed.of(Removal::evicted_idle), std::vector<std::uint32_t>{2});
  set(6, 200, 1000, 0);
  set(7, 200, 1000, 0);
  EXPECT_EQ(removed.of(Removal::evicted_opaque), (std::vector<std::uint32_t>{3, 4}));
  set(8, 200, 1000, 0);
  EXPECT_EQ(removed.of(Removal::evicted_active), std::vector<std::uint32_t>{1});
  EXPECT_EQ(table.counters().evicted_idle.get(), 1u);
  EXPECT_EQ(table.counters().evicted_opaque.get(), 2u);
  EXPECT_EQ(table.counters().evicted_active.get(), 1u);
  EXPECT_EQ(table.counters().live.get(), 4u);
}

// A secret with which keys of these ports have one hash: same buckets, same signature.
HashSecret colliding() {
  HashSecret secret;
  const Key key = numbered(0);
  secret.words[1] = key.lower_port | std::uint64_t{key.higher_port} << 16;
  return secret;
}

TEST(TableTest, TotalHashCollisionCostsPlacesOnly) {
  TestTable table(options(1000, colliding()));
  Removed removed;
  ASSERT_EQ(table.hash(numbered(1)), table.hash(numbered(2)));
  std::vector<std::uint32_t> live;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    Entry& entry = add(table, i, i, removed);
    entry.timeout = 5000;
    entry.state.rank = i == 3 ? 1 : 0;
    EXPECT_EQ(find(table, i), &entry);
  }
  const std::uint64_t kept = table.counters().live.get();
  EXPECT_GE(kept, 8u);
  EXPECT_LE(kept, 16u);
  EXPECT_EQ(removed.of(Removal::evicted_opaque), std::vector<std::uint32_t>{3});
  for (std::uint32_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(find(table, i) != nullptr, i >= 1000 - kept) << i << ": the oldest go first";
  }
}

TEST(TableTest, ExpireSweepsABudgetAtATimeByEachFlowsTimeout) {
  TestTable table(options(100));
  Removed removed;
  for (std::uint32_t i = 0; i < 90; ++i) {
    add(table, i, 1000, removed).timeout = i < 30 ? 10 : 20;
  }
  EXPECT_EQ(table.expire(1010, 1000, removed), 0u) << "idle means longer than the timeout";
  EXPECT_EQ(table.expire(1011, 10, removed), 10u);
  EXPECT_EQ(table.expire(1011, 1000, removed), 20u);
  EXPECT_EQ(table.expire(5, 1000, removed), 0u) << "time that ran back expires nothing";
  find(table, 50)->touch(1015);
  find(table, 50)->touch(3);
  EXPECT_EQ(table.expire(1021, 1000, removed), 59u);
  EXPECT_EQ(find(table, 50)->last_seen, 1015u);
  EXPECT_EQ(table.counters().expired.get(), 89u);
  EXPECT_EQ(table.counters().live.get(), 1u);
}

TEST(TableTest, OneFlowIsEnough) {
  TestTable table(options(0));
  Removed removed;
  EXPECT_EQ(table.capacity(), 1u);
  for (std::uint32_t i = 0; i < 100; ++i) {
    add(table, i, 0, removed);
    EXPECT_NE(find(table, i), nullptr);
  }
  EXPECT_EQ(table.counters().live.get(), 1u);
}

TEST(TableTest, ClearHandsEveryFlowToTheHook) {
  TestTable table(options(50));
  Removed removed;
  for (std::uint32_t i = 0; i < 50; ++i) {
    add(table, i, 0, removed);
  }
  table.clear(removed);
  EXPECT_EQ(removed.of(Removal::erased).size(), 50u);
  EXPECT_EQ(table.counters().live.get(), 0u);
  EXPECT_EQ(find(table, 7), nullptr);
}

TEST(TableTest, MemoryComesFromTheGivenSourceAndGoesBack) {
  struct Source {
    std::map<void*, std::size_t> blocks;
    static void* allocate(std::size_t bytes, void* context) {
      void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
      std::fill_n(static_cast<char*>(memory), bytes, '\0');
      static_cast<Source*>(context)->blocks[memory] = bytes;
      return memory;
    }
    static void release(void* memory, std::size_t bytes, void* context) {
      EXPECT_EQ(static_cast<Source*>(context)->blocks[memory], bytes);
      static_cast<Source*>(context)->blocks.erase(memory);
      std::free(memory);
    }
  } source;
  {
    TestTable table({100, HashSecret::from_seed(1), {Source::allocate, Source::release, &source}});
    Removed removed;
    add(table, 1, 0, removed);
    EXPECT_EQ(source.blocks.size(), 2u);
    EXPECT_NE(find(table, 1), nullptr);
  }
  EXPECT_TRUE(source.blocks.empty());
  const auto none = [](std::size_t, void*) -> void* { return nullptr; };
  EXPECT_THROW(TestTable({100, {}, {none, nullptr, nullptr}}), std::bad_alloc);
}

// More keys than a bucket holds, whose second buckets differ: they spill, are moved both ways to
// make room, and come back, and the counts that spare the second look go with them. Where both
// buckets are full of what cannot move, which among so few happens, one goes and is told.
TEST(TableTest, SpilledKeysAreFoundWhateverMovesThem) {
  int evicted = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    TestTable table(options(48, HashSecret::from_seed(seed)));  // 8 buckets of 8
    Removed removed;
    std::vector<std::uint32_t> live;
    for (std::uint32_t i = 0; i < 48; ++i) {
      add(table, i, 0, removed);
      live.push_back(i);
      ASSERT_TRUE(table.consistent());
    }
    ASSERT_TRUE(removed.by_reason.empty());
    std::mt19937 random(static_cast<std::uint32_t>(seed));
    for (std::uint32_t next = 48; next < 2000; ++next) {
      const std::size_t gone = random() % live.size();
      table.erase(*find(table, live[gone]), removed);
      ASSERT_TRUE(table.consistent());
      live[gone] = next;
      add(table, next, 0, removed);
      ASSERT_TRUE(table.consistent());
      for (const std::uint32_t number : removed.of(Removal::evicted_active)) {
        ASSERT_EQ(std::erase(live, number), 1u);
        ++evicted;
      }
      removed.by_reason.erase(Removal::evicted_active);
      for (const std::uint32_t number : live) {
        ASSERT_NE(find(table, number), nullptr) << number;
      }
    }
    table.clear(removed);
    EXPECT_TRUE(table.consistent());
  }
  EXPECT_LT(evicted, 10);
}

// A pointer taken ahead of a burst may point to an entry that another flow has since taken.
TEST(TableTest, CandidatesOfReusedEntriesAreNobodys) {
  TestTable table(options(1));
  Removed removed;
  Entry& entry = add(table, 1, 0, removed);
  Entry* const candidate = table.candidate(table.hash(numbered(1)));
  ASSERT_EQ(candidate, &entry);
  add(table, 2, 0, removed);
  EXPECT_FALSE(TestTable::is(*candidate, numbered(1)));
  EXPECT_TRUE(TestTable::is(*candidate, numbered(2)));
  table.erase(*candidate, removed);
  EXPECT_FALSE(TestTable::is(*candidate, numbered(2)));
  EXPECT_EQ(table.candidate(table.hash(numbered(2))), nullptr);
}

// Against a plain map: whatever happens, exactly the flows not reported as removed are there.
TEST(TableTest, RandomOperationsAgreeWithAModel) {
  for (const std::uint32_t capacity : {1u, 5u, 16u, 100u, 1000u}) {
    for (const HashSecret& secret : {HashSecret::from_seed(capacity), colliding()}) {
      TestTable table(options(capacity, secret));
      std::unordered_map<std::uint32_t, Entry*> model;
      std::mt19937 random(capacity);
      Seconds now = 0;
      std::uint64_t removals = 0;
      const auto on_remove = [&](Entry& entry, Removal) {
        ASSERT_EQ(model.erase(entry.state.number), 1u) << "removed twice, or never there";
        ++removals;
      };
      for (int step = 0; step < 20000; ++step) {
        now += random() % 2;
        const auto number = static_cast<std::uint32_t>(random() % (2 * capacity + 3));
        const Key key = numbered(number);
        const std::uint64_t h = table.hash(key);
        table.prefetch(h);
        Entry* const candidate = table.candidate(h);
        Entry* entry = table.find(key, h);
        const auto known = model.find(number);
        ASSERT_EQ(entry, known == model.end() ? nullptr : known->second);
        if (candidate != nullptr) {
          ASSERT_EQ(TestTable::is(*candidate, key), candidate == entry);
        }
        if (entry == nullptr) {
          entry = &table.insert(key, h, now, on_remove);
          entry->state = {number, static_cast<std::uint8_t>(random() % 3)};
          entry->timeout = static_cast<std::uint16_t>(random() % 200);
          model[number] = entry;
        } else if (random() % 8 == 0) {
          table.erase(*entry, on_remove);
        } else {
          entry->touch(now);
        }
        if (random() % 16 == 0) {
          table.expire(now, 8, on_remove);
        }
        if (capacity <= 16 || step % 64 == 0) {
          ASSERT_TRUE(table.consistent()) << "step " << step;
        }
      }
      ASSERT_EQ(table.counters().live.get(), model.size());
      ASSERT_EQ(table.counters().inserted.get(), removals + model.size());
      std::size_t visited = 0;
      table.for_each([&](Entry& entry) { visited += model.count(entry.state.number); });
      ASSERT_EQ(visited, model.size());
      table.clear(on_remove);
      ASSERT_TRUE(model.empty());
      ASSERT_TRUE(table.consistent()) << "nothing is counted as spilled any more";
    }
  }
}

}  // namespace
}  // namespace imds::flow
