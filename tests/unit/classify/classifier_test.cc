#include "classify/classifier.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_malloc.h>

namespace imds::classify {
namespace {

using testing::HasSubstr;

IpPrefix prefix(std::string_view text) {
  std::string why;
  const auto parsed = IpPrefix::parse(text, &why);
  if (!parsed) {
    throw std::logic_error(std::string(text) + ": " + why);
  }
  return *parsed;
}

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

std::unique_ptr<const Classifier> made(const Options& options) {
  auto result = Classifier::create(options, -1);
  if (!result) {
    throw std::logic_error(result.error().to_string());
  }
  return std::move(*result);
}

Options aws() {
  Options o;
  o.endpoints = {{"aws-imds", {prefix("169.254.169.254"), prefix("fd00:ec2::254")}}};
  return o;
}

std::uint64_t dpdk_heap_in_use() {
  rte_malloc_socket_stats stats{};
  rte_malloc_get_socket_stats(0, &stats);
  return stats.heap_allocsz_bytes;
}

TEST(Classifier, EndpointsOfBothFamilies) {
  const auto c = made(aws());
  EXPECT_EQ(c->lookup(address("169.254.169.254")).endpoint, 0);
  EXPECT_EQ(c->lookup(address("fd00:ec2::254")).endpoint, 0);
  for (const char* other :
       {"169.254.169.253", "169.254.169.255", "169.254.170.2", "254.169.254.169", "0.0.0.0",
        "255.255.255.255", "fd00:ec2::253", "fd00:ec2::", "::", "fd00:ec3::254", "ffff:ffff::1"}) {
    EXPECT_EQ(c->class_id(address(other)), kNoClass) << other;
    EXPECT_FALSE(c->lookup(address(other)).is_endpoint()) << other;
  }
  EXPECT_EQ(c->class_id(IpAddress{}), kNoClass);
  EXPECT_EQ(c->class_count(), 2u);
}

TEST(Classifier, NothingConfiguredNeedsNoTables) {
  const auto c = made({});
  EXPECT_EQ(c->class_id(address("10.0.0.1")), kNoClass);
  EXPECT_EQ(c->class_id(address("fd00::1")), kNoClass);
  EXPECT_EQ(Classifier::estimate_memory_bytes({}), 0u);
  EXPECT_LT(c->memory_bytes(), 1u << 20);
}

TEST(Classifier, OneAddressGathersEveryCoveringPrefix) {
  Options o = aws();
  o.suppressions = {{"cloud", {prefix("10.0.0.0/8"), prefix("fd00::/8")}, {}, {}},
                    {"lab", {prefix("10.1.0.0/16")}, {}, {}},
                    {"host", {prefix("10.1.2.3")}, {}, {}},
                    {"link-local", {prefix("169.254.0.0/16")}, {}, {}}};
  o.destination_prefixes = {prefix("169.254.169.0/24"), prefix("10.1.2.0/24")};
  o.source_prefixes = {prefix("10.0.0.0/9")};
  const auto c = made(o);

  const AddressClass& host = c->lookup(address("10.1.2.3"));
  EXPECT_TRUE(host.suppressions.test(0));
  EXPECT_TRUE(host.suppressions.test(1));
  EXPECT_TRUE(host.suppressions.test(2));
  EXPECT_FALSE(host.suppressions.test(3));
  EXPECT_TRUE(host.named_as_destination);
  EXPECT_TRUE(host.named_as_source);
  EXPECT_FALSE(host.is_endpoint());

  const AddressClass& neighbour = c->lookup(address("10.1.3.3"));
  EXPECT_TRUE(neighbour.suppressions.test(1));
  EXPECT_FALSE(neighbour.suppressions.test(2));
  EXPECT_FALSE(neighbour.named_as_destination);

  const AddressClass& far = c->lookup(address("10.200.0.1"));
  EXPECT_TRUE(far.suppressions.test(0));
  EXPECT_FALSE(far.named_as_source);

  const AddressClass& imds = c->lookup(address("169.254.169.254"));
  EXPECT_EQ(imds.endpoint, 0);
  EXPECT_TRUE(imds.suppressions.test(3));
  EXPECT_TRUE(imds.named_as_destination);

  EXPECT_EQ(c->lookup(address("fd00:ec2::254")).endpoint, 0);
  EXPECT_TRUE(c->lookup(address("fd00:ec2::254")).suppressions.test(0));
  EXPECT_TRUE(c->lookup(address("fdff::1")).suppressions.test(0));
}

TEST(Classifier, FamiliesDoNotCoverEachOther) {
  // The same leading bytes in both families, interleaved when ordered by bytes alone.
  Options o;
  o.suppressions = {{"v4", {prefix("32.0.0.0/8")}, {}, {}}, {"v6", {prefix("2001::/16")}, {}, {}}};
  o.source_prefixes = {prefix("32.1.2.3"), prefix("2001:203::/32")};
  const auto c = made(o);
  EXPECT_TRUE(c->lookup(address("32.1.2.3")).suppressions.test(0));
  EXPECT_FALSE(c->lookup(address("32.1.2.3")).suppressions.test(1));
  EXPECT_TRUE(c->lookup(address("2001:203::1")).suppressions.test(1));
  EXPECT_FALSE(c->lookup(address("2001:203::1")).suppressions.test(0));
}

TEST(Classifier, DefaultPrefixCoversEverythingOfItsFamily) {
  Options o = aws();
  o.suppressions = {{"all v4", {prefix("0.0.0.0/0")}, {}, {}}};
  o.source_prefixes = {prefix("::/0")};
  const auto c = made(o);
  for (const char* any :
       {"0.0.0.0", "8.8.8.8", "169.254.1.1", "169.254.169.254", "255.255.255.255"}) {
    EXPECT_TRUE(c->lookup(address(any)).suppressions.test(0)) << any;
    EXPECT_FALSE(c->lookup(address(any)).named_as_source) << any;
  }
  EXPECT_EQ(c->lookup(address("169.254.169.254")).endpoint, 0);
  for (const char* any : {"::", "2001:db8::1", "fd00:ec2::1", "fd00:ec2::254"}) {
    EXPECT_TRUE(c->lookup(address(any)).named_as_source) << any;
    EXPECT_FALSE(c->lookup(address(any)).suppressions.test(0)) << any;
  }
  EXPECT_EQ(c->lookup(address("fd00:ec2::254")).endpoint, 0);
}

TEST(Classifier, PrefixesOfEveryLengthEndWhereTheyShould) {
  for (unsigned length = 1; length <= 32; ++length) {
    const std::uint32_t size_less_one = length == 32 ? 0 : ~0u >> length;
    const std::uint32_t first = 0x5a5a5a5a & ~size_less_one;
    Options o;
    o.source_prefixes = {{IpAddress::v4(first), static_cast<std::uint8_t>(length)}};
    const auto c = made(o);
    EXPECT_TRUE(c->lookup(IpAddress::v4(first)).named_as_source) << length;
    EXPECT_TRUE(c->lookup(IpAddress::v4(first + size_less_one)).named_as_source) << length;
    EXPECT_FALSE(c->lookup(IpAddress::v4(first + size_less_one + 1)).named_as_source) << length;
    EXPECT_FALSE(c->lookup(IpAddress::v4(first - 1)).named_as_source) << length;
  }
}

TEST(Classifier, LongerEndpointPrefixWins) {
  Options o;
  o.endpoints = {{"range", {prefix("169.254.0.0/16")}}, {"imds", {prefix("169.254.169.254")}}};
  const auto c = made(o);
  EXPECT_EQ(c->lookup(address("169.254.169.254")).endpoint, 1);
  EXPECT_EQ(c->lookup(address("169.254.170.2")).endpoint, 0);
}

TEST(Classifier, RefusesContradictions) {
  Options twice = aws();
  twice.endpoints.push_back({"aws-imds", {prefix("100.100.100.200")}});
  auto result = Classifier::create(twice, -1);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::config);
  EXPECT_THAT(result.error().message, HasSubstr("\"aws-imds\" is configured twice"));

  Options shared = aws();
  shared.endpoints.push_back({"openstack", {prefix("169.254.169.254")}});
  result = Classifier::create(shared, -1);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("\"aws-imds\" and \"openstack\""));
  EXPECT_THAT(result.error().message, HasSubstr("169.254.169.254/32"));

  Options many;
  for (std::size_t i = 0; i <= kMaxSuppressions; ++i) {
    many.suppressions.push_back({"s" + std::to_string(i), {prefix("10.0.0.0/8")}, {}, {}});
  }
  result = Classifier::create(many, -1);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("at most 256"));
}

TEST(Classifier, OneEndpointMayRepeatAPrefix) {
  Options o;
  o.endpoints = {{"imds", {prefix("169.254.169.254"), prefix("169.254.169.254")}}};
  EXPECT_EQ(made(o)->lookup(address("169.254.169.254")).endpoint, 0);
}

TEST(Classifier, SeveralLiveSideBySideAndGiveTheirMemoryBack) {
  const std::uint64_t before = dpdk_heap_in_use();
  {
    const auto first = made(aws());
    Options other;
    other.endpoints = {{"alibaba", {prefix("100.100.100.200")}}};
    const auto second = made(other);
    EXPECT_TRUE(first->lookup(address("169.254.169.254")).is_endpoint());
    EXPECT_FALSE(second->lookup(address("169.254.169.254")).is_endpoint());
    EXPECT_TRUE(second->lookup(address("100.100.100.200")).is_endpoint());
    EXPECT_GT(dpdk_heap_in_use(), before);
  }
  EXPECT_EQ(dpdk_heap_in_use(), before);
}

TEST(Classifier, SaysHowMuchMemoryIsMissing) {
  std::vector<std::unique_ptr<const Classifier>> hoard;
  for (int i = 0; i < 64; ++i) {
    auto result = Classifier::create(aws(), -1);
    if (!result) {
      EXPECT_EQ(result.error().kind, ErrorKind::environment);
      EXPECT_THAT(result.error().message, HasSubstr("MiB of DPDK memory"));
      return;
    }
    hoard.push_back(std::move(*result));
  }
  FAIL() << "64 classifiers fit into the test's DPDK memory";
}

IpAddress random_address(std::mt19937& random, bool is_v4) {
  IpAddress a;
  a.family = is_v4 ? AddressFamily::ipv4 : AddressFamily::ipv6;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // Few values per byte, so that prefixes nest and addresses hit them.
    a.bytes[i] = static_cast<std::uint8_t>(random() % 4 == 0 ? random() % 256 : random() % 3);
  }
  return a;
}

IpPrefix random_prefix(std::mt19937& random, bool is_v4) {
  IpPrefix p;
  p.address = random_address(random, is_v4);
  const unsigned longest = is_v4 ? 32 : 128;
  p.length = static_cast<std::uint8_t>(random() % 3 == 0 ? random() % (longest + 1)
                                                         : random() % (longest / 8 + 1) * 8);
  for (unsigned bit = p.length; bit < longest; ++bit) {
    p.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  return p;
}

Options random_options(std::mt19937& random, unsigned prefixes) {
  Options o;
  o.suppressions.resize(70);
  for (std::size_t i = 0; i < o.suppressions.size(); ++i) {
    o.suppressions[i].name = "s" + std::to_string(i);
  }
  for (unsigned i = 0; i < 12; ++i) {
    o.endpoints.push_back({"e" + std::to_string(i), {}});
  }
  std::set<IpPrefix> taken;
  for (unsigned i = 0; i < prefixes; ++i) {
    const IpPrefix p = random_prefix(random, random() % 2 == 0);
    switch (random() % 4) {
      case 0:
        o.suppressions[random() % o.suppressions.size()].sources.push_back(p);
        break;
      case 1:
        o.destination_prefixes.push_back(p);
        break;
      case 2:
        o.source_prefixes.push_back(p);
        break;
      default:
        if (taken.insert(p).second) {
          o.endpoints[random() % o.endpoints.size()].prefixes.push_back(p);
        }
    }
  }
  return o;
}

bool any_contains(const std::vector<IpPrefix>& prefixes, const IpAddress& a) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& p) { return p.contains(a); });
}

AddressClass by_scanning(const Options& o, const IpAddress& a) {
  AddressClass c;
  int longest = -1;
  for (std::size_t i = 0; i < o.endpoints.size(); ++i) {
    for (const IpPrefix& p : o.endpoints[i].prefixes) {
      if (p.contains(a) && p.length > longest) {
        longest = p.length;
        c.endpoint = static_cast<std::uint16_t>(i);
      }
    }
  }
  for (std::size_t i = 0; i < o.suppressions.size(); ++i) {
    if (any_contains(o.suppressions[i].sources, a)) {
      c.suppressions.set(i);
    }
  }
  c.named_as_destination = any_contains(o.destination_prefixes, a);
  c.named_as_source = any_contains(o.source_prefixes, a);
  return c;
}

TEST(Classifier, AgreesWithScanningAllPrefixes) {
  std::mt19937 random(169254);
  for (const unsigned prefixes : {1u, 3u, 20u, 200u, 2000u}) {
    const Options o = random_options(random, prefixes);
    const auto c = made(o);
    std::vector<std::uint32_t> v4;
    std::vector<ClassId> expected;
    for (int i = 0; i < 3000; ++i) {
      const IpAddress a = random_address(random, i % 2 == 0);
      ASSERT_EQ(c->lookup(a), by_scanning(o, a))
          << a.to_string() << ", " << prefixes << " prefixes";
      if (a.is_v4()) {
        v4.push_back(a.v4_host_order());
        expected.push_back(c->class_id(a));
      }
    }
    std::vector<ClassId> ids(v4.size(), 12345);
    c->lookup_v4(v4, ids);
    ASSERT_EQ(ids, expected);
  }
}

TEST(Classifier, EstimateHoldsWhatIsTaken) {
  std::mt19937 random(7);
  for (const unsigned prefixes : {1u, 200u, 2000u, 20000u}) {
    const Options o = random_options(random, prefixes);
    const std::uint64_t before = dpdk_heap_in_use();
    const auto c = made(o);
    const std::uint64_t taken = dpdk_heap_in_use() - before;
    const std::uint64_t estimate = Classifier::estimate_memory_bytes(o);
    EXPECT_GE(estimate, taken) << prefixes;
    EXPECT_LE(estimate, taken + taken / 20 + (1u << 20)) << prefixes;
    EXPECT_GE(c->memory_bytes(), estimate) << prefixes;
  }
}

}  // namespace
}  // namespace imds::classify
