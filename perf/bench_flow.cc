// Flow table: key, hash, bursts of look-ups over tables of several sizes, inserts with and without
// eviction, ageing. Times are per packet.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "flow/arena.h"
#include "flow/key.h"
#include "flow/stream_cursor.h"
#include "flow/table.h"

namespace imds::flow {
namespace {

struct State {
  std::uint64_t words[8] = {};
};
using BenchTable = Table<State>;
constexpr std::size_t kBurst = 64;

constexpr auto kIgnore = [](auto&, Removal) {};

packet::PacketView numbered_view(std::uint32_t number) {
  packet::PacketView view;
  view.source = IpAddress::v4(0x0a000000u + number / 50000);
  view.destination = IpAddress::v4(0xa9fea9feu);
  view.source_port = static_cast<std::uint16_t>(10000 + number % 50000);
  view.destination_port = 443;
  view.protocol = 6;
  return view;
}

Key numbered_key(std::uint32_t number) {
  Key key;
  make_key(numbered_view(number), {}, key);
  return key;
}

void make_key_and_hash(benchmark::State& state) {
  std::vector<packet::PacketView> views;
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    views.push_back(numbered_view(i));
  }
  const HashSecret secret = HashSecret::random();
  for (auto _ : state) {
    for (const packet::PacketView& view : views) {
      Key key;
      make_key(view, {}, key);
      benchmark::DoNotOptimize(hash(key, secret));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
}
BENCHMARK(make_key_and_hash);

// A full table, packets of its flows in random order: hash, prefetch, find, as the worker does.
void find_burst(benchmark::State& state) {
  const auto flows = static_cast<std::uint32_t>(state.range(0));
  BenchTable table({flows, HashSecret::random(), {}});
  for (std::uint32_t i = 0; i < flows; ++i) {
    const Key key = numbered_key(i);
    table.insert(key, table.hash(key), 0, kIgnore);
  }
  std::mt19937 random(1);
  std::vector<Key> keys;
  for (std::size_t i = 0; i < (std::size_t{1} << 16); ++i) {
    keys.push_back(numbered_key(static_cast<std::uint32_t>(random() % flows)));
  }
  std::uint64_t hashes[kBurst];
  std::size_t at = 0;
  std::uint64_t found = 0;
  for (auto _ : state) {
    const Key* burst = &keys[at];
    at = (at + kBurst) % keys.size();
    for (std::size_t i = 0; i < kBurst; ++i) {
      hashes[i] = table.hash(burst[i]);
      table.prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < kBurst; ++i) {
      (void)table.candidate(hashes[i]);
    }
    for (std::size_t i = 0; i < kBurst; ++i) {
      BenchTable::Entry* entry = table.find(burst[i], hashes[i]);
      entry->touch(1);
      found += entry->state.words[0] == 0 ? 1 : 0;
    }
  }
  benchmark::DoNotOptimize(found);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
  state.counters["bytes_per_flow"] =
      static_cast<double>(table.memory_bytes()) / static_cast<double>(flows);
}
BENCHMARK(find_burst)->Arg(1000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Arg(10'000'000);

// Every packet a new flow into a full table: the worst flood.
void insert_evicting(benchmark::State& state) {
  const auto flows = static_cast<std::uint32_t>(state.range(0));
  BenchTable table({flows, HashSecret::random(), {}});
  std::uint32_t number = 0;
  for (; number < flows; ++number) {
    const Key key = numbered_key(number);
    table.insert(key, table.hash(key), 0, kIgnore);
  }
  for (auto _ : state) {
    const Key key = numbered_key(number++);
    benchmark::DoNotOptimize(&table.insert(key, table.hash(key), 1, kIgnore));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(insert_evicting)->Arg(10'000)->Arg(1'000'000);

void insert_and_erase(benchmark::State& state) {
  BenchTable table({1u << 20, HashSecret::random(), {}});
  std::uint32_t number = 0;
  for (auto _ : state) {
    const Key key = numbered_key(number++);
    table.erase(table.insert(key, table.hash(key), 1, kIgnore), kIgnore);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(insert_and_erase);

// One step of the ageing sweep, nothing idle.
void expire_step(benchmark::State& state) {
  constexpr std::uint32_t kFlows = 1'000'000;
  BenchTable table({kFlows, HashSecret::random(), {}});
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    const Key key = numbered_key(i);
    table.insert(key, table.hash(key), 0, kIgnore);
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.expire(1, 16, kIgnore));
  }
  state.SetItemsProcessed(state.iterations() * 16);
}
BENCHMARK(expire_step);

void stream_cursor_in_order(benchmark::State& state) {
  const std::vector<std::uint8_t> payload(1400);
  StreamCursor cursor;
  std::uint32_t sequence = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cursor.accept(sequence, false, payload));
    sequence += 1400;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(stream_cursor_in_order);

// A head of 3 segments collected and given back.
void arena_head_of_three(benchmark::State& state) {
  Arena arena(Arena::Options{});
  const std::vector<std::uint8_t> payload(500);
  for (auto _ : state) {
    HeadBuffer buffer;
    for (int i = 0; i < 3; ++i) {
      benchmark::DoNotOptimize(arena.append(buffer, payload));
    }
    arena.release(buffer);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(arena_head_of_three);

}  // namespace
}  // namespace imds::flow

BENCHMARK_MAIN();
