// Cost of mapping an address to its class: addresses the filter turns away, addresses that reach
// the LPM tables, and the bulk variant.
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "classify/classifier.h"
#include "classify/suppression.h"
#include "classify/vlan_census.h"
#include "support/eal.h"

namespace imds::classify {
namespace {

constexpr std::size_t kAddresses = 64 * 1024;

IpPrefix prefix(const char* text) {
  return IpPrefix::parse(text).value();
}

// The two AWS addresses, a cloud network and 1,000 hosts in it that must not alert.
Options typical() {
  Options o;
  o.endpoints = {{"aws-imds", {prefix("169.254.169.254"), prefix("fd00:ec2::254")}}};
  o.suppressions = {{"cloud", {prefix("10.0.0.0/8"), prefix("fd12::/16")}, {}, {}},
                    {"guests", {}, {{100, 199}}, {"aws-imds"}}};
  o.suppressions.push_back({"hosts", {}, {}, {}});
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const IpAddress host = IpAddress::v4(0x0a000000 | (random() & 0x00ffffff));
    o.suppressions.back().sources.push_back({host, 32});
  }
  return o;
}

const Classifier& classifier() {
  static const auto made = Classifier::create(typical(), -1).value();
  return *made;
}

std::vector<std::uint32_t> random_v4(std::uint32_t network, std::uint32_t host_mask) {
  std::mt19937 random(2);
  std::vector<std::uint32_t> addresses(kAddresses);
  for (std::uint32_t& a : addresses) {
    a = network | (random() & host_mask);
  }
  return addresses;
}

void look_up_each(benchmark::State& state, const std::vector<IpAddress>& addresses) {
  const Classifier& c = classifier();
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(c.lookup(addresses[next]));
    next = (next + 1) % kAddresses;
  }
  state.SetItemsProcessed(state.iterations());
}

void lookup_v4(benchmark::State& state, std::uint32_t network, std::uint32_t host_mask) {
  std::vector<IpAddress> addresses;
  for (const std::uint32_t a : random_v4(network, host_mask)) {
    addresses.push_back(IpAddress::v4(a));
  }
  look_up_each(state, addresses);
}
BENCHMARK_CAPTURE(lookup_v4, not_listed, 0xc0000000u, 0x1fffffffu);
BENCHMARK_CAPTURE(lookup_v4, listed, 0x0a000000u, 0x00ffffffu);
BENCHMARK_CAPTURE(lookup_v4, one_host, 0xa9fea9feu, 0u);

void lookup_v6(benchmark::State& state, const char* network) {
  std::mt19937 random(3);
  std::vector<IpAddress> addresses(kAddresses, prefix(network).address);
  for (IpAddress& a : addresses) {
    for (std::size_t i = prefix(network).length / 8; i < 16; ++i) {
      a.bytes[i] = static_cast<std::uint8_t>(random());
    }
  }
  look_up_each(state, addresses);
}
BENCHMARK_CAPTURE(lookup_v6, not_listed, "2001:db8::/32");
BENCHMARK_CAPTURE(lookup_v6, listed, "fd12::/16");

void bulk_v4(benchmark::State& state, std::uint32_t network, std::uint32_t host_mask) {
  constexpr std::size_t kBurst = 64;
  const std::vector<std::uint32_t> addresses = random_v4(network, host_mask);
  std::vector<ClassId> ids(kBurst);
  const Classifier& c = classifier();
  std::size_t next = 0;
  for (auto _ : state) {
    c.lookup_v4({&addresses[next], kBurst}, ids);
    benchmark::DoNotOptimize(ids.data());
    benchmark::ClobberMemory();
    next = (next + kBurst) % kAddresses;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kBurst));
}
BENCHMARK_CAPTURE(bulk_v4, not_listed, 0xc0000000u, 0x1fffffffu);
BENCHMARK_CAPTURE(bulk_v4, listed, 0x0a000000u, 0x00ffffffu);

void suppression_match(benchmark::State& state) {
  const auto set = SuppressionSet::create(typical()).value();
  const AddressClass client;
  packet::VlanStack vlans;
  vlans.ids[0] = 7;
  vlans.count = 1;
  const Tunnel tunnel;
  for (auto _ : state) {
    benchmark::DoNotOptimize(set.first_for(set.covering({client, vlans, 0, tunnel}), 0));
  }
}
BENCHMARK(suppression_match);

void vlan_census(benchmark::State& state) {
  VlanCensus census;
  packet::VlanStack vlans;
  vlans.ids = {100, 200};
  vlans.count = static_cast<std::uint8_t>(state.range(0));
  for (auto _ : state) {
    census.note(vlans);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(vlan_census)->ArgName("tags")->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace imds::classify

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  imds::support::start_eal();
  benchmark::RunSpecifiedBenchmarks();
}
