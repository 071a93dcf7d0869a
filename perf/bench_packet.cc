// Cost of decoding one packet, over frames that fit the caches ("hot") and over many more than do
// ("cold", prefetched as the worker's loop does).
#include <array>
#include <vector>

#include <benchmark/benchmark.h>

#include "packet/decode.h"
#include "support/packet_builder.h"

namespace imds::packet {
namespace {

using support::Bytes;
using support::PacketBuilder;

constexpr std::size_t kBurst = 64;

PacketBuilder ethernet_v4() {
  return PacketBuilder().ethernet().ipv4("10.0.0.1", "169.254.169.254");
}
const Bytes kTimestampOption = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};

Bytes tcp_v4() {
  return ethernet_v4()
      .tcp(40000, 443)
      .tcp_options(kTimestampOption)
      .payload(std::string(900, 'x'))
      .build();
}
Bytes small_v4() {
  return ethernet_v4().tcp(40000, 443).pad_to(60).build();
}
Bytes vlan_v4() {
  return PacketBuilder()
      .ethernet()
      .vlan(100, 0x88a8)
      .vlan(200)
      .ipv4("10.0.0.1", "10.0.0.2")
      .udp(1, 53)
      .payload("query")
      .build();
}
Bytes udp_v4() {
  return ethernet_v4().udp(40000, 53).payload("query").pad_to(60).build();
}
PacketBuilder in_vxlan(PacketBuilder outer) {
  return outer.ipv4("192.0.2.1", "192.0.2.2")
      .udp(50000, 4789)
      .tunnel(support::vxlan(42))
      .ethernet();
}
Bytes vxlan_v4() {
  return in_vxlan(PacketBuilder().ethernet())
      .ipv4("10.0.0.1", "169.254.169.254")
      .tcp(40000, 443)
      .tcp_options(kTimestampOption)
      .payload(std::string(900, 'x'))
      .build();
}
Bytes gre_in_vxlan_v4() {
  return in_vxlan(PacketBuilder().ethernet())
      .ipv4("172.16.0.1", "172.16.0.2")
      .tunnel(support::gre())
      .ipv4("10.0.0.1", "169.254.169.254")
      .tcp(40000, 443)
      .tcp_options(kTimestampOption)
      .payload(std::string(900, 'x'))
      .build();
}
Bytes tcp_v6() {
  return PacketBuilder()
      .ethernet()
      .ipv6("fd00::1", "fd00:ec2::254")
      .tcp(40000, 80)
      .tcp_options(kTimestampOption)
      .payload(std::string(900, 'x'))
      .build();
}
Bytes extensions_v6() {
  return PacketBuilder()
      .ethernet()
      .ipv6("fd00::1", "fd00:ec2::254")
      .ipv6_extension(0, Bytes(6, 0))
      .ipv6_extension(60, Bytes(14, 0))
      .tcp(40000, 80)
      .payload("x")
      .build();
}

// `count` copies of a frame, each at its own place, as mbufs stand in a pool.
class Frames {
 public:
  Frames(const Bytes& frame, std::size_t count)
      : size_(frame.size()), count_(count), bytes_(count * kStride) {
    for (std::size_t i = 0; i < count; ++i) {
      std::copy(frame.begin(), frame.end(), bytes_.begin() + static_cast<long>(i * kStride));
    }
  }
  [[nodiscard]] ByteSpan operator[](std::size_t i) const { return {&bytes_[i * kStride], size_}; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  static constexpr std::size_t kStride = 2048;
  std::size_t size_;
  std::size_t count_;
  std::vector<std::uint8_t> bytes_;
};

void run(benchmark::State& state, const Bytes& frame, std::size_t count) {
  const Frames frames(frame, count);
  std::array<PacketView, kBurst> views;
  const FrameInfo info;
  std::size_t next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      __builtin_prefetch(frames[next + i].data());
    }
    for (std::size_t i = 0; i < kBurst; ++i) {
      decode(frames[next + i], info, views[i]);
    }
    benchmark::DoNotOptimize(views.data());
    benchmark::ClobberMemory();
    next = (next + kBurst) % frames.count();
  }
  const auto packets = static_cast<std::int64_t>(state.iterations() * kBurst);
  state.SetItemsProcessed(packets);
  state.counters["ns_per_packet"] = benchmark::Counter(
      static_cast<double>(packets), benchmark::Counter::kIsRate | benchmark::Counter::kInvert,
      benchmark::Counter::kIs1000);
}

void hot(benchmark::State& state, Bytes (*frame)()) {
  run(state, frame(), kBurst);
}
void cold(benchmark::State& state, Bytes (*frame)()) {
  run(state, frame(), 64 * 1024);
}

BENCHMARK_CAPTURE(hot, small_v4, small_v4);
BENCHMARK_CAPTURE(hot, tcp_v4, tcp_v4);
BENCHMARK_CAPTURE(hot, tcp_v6, tcp_v6);
BENCHMARK_CAPTURE(hot, udp_v4, udp_v4);
BENCHMARK_CAPTURE(hot, vlan_v4, vlan_v4);
BENCHMARK_CAPTURE(hot, vxlan_v4, vxlan_v4);
BENCHMARK_CAPTURE(hot, gre_in_vxlan_v4, gre_in_vxlan_v4);
BENCHMARK_CAPTURE(hot, extensions_v6, extensions_v6);
BENCHMARK_CAPTURE(cold, small_v4, small_v4);
BENCHMARK_CAPTURE(cold, tcp_v4, tcp_v4);

}  // namespace
}  // namespace imds::packet

BENCHMARK_MAIN();
