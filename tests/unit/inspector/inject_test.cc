// The test request: from packets to marked alerts, and its end.
#include "inject.h"

#include <chrono>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "rig.h"
#include "summary.h"

namespace imds::inspector {
namespace {

using ::testing::HasSubstr;

const IpAddress kEndpoint4 = IpAddress::parse("169.254.169.254").value();
const IpAddress kEndpoint6 = IpAddress::parse("fd00:ec2::254").value();

std::string source_of(const imds_alert_record& record) {
  IpAddress address;
  address.family = record.source.family == 4 ? AddressFamily::ipv4 : AddressFamily::ipv6;
  std::copy_n(record.source.ip, address.size(), address.bytes.begin());
  return address.to_string();
}

class Inject : public ::testing::TestWithParam<IpAddress> {};

TEST_P(Inject, RaisesMarkedAlertsOfBothKinds) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  ASSERT_TRUE(source->inject(GetParam()).has_value());
  rig.poll(*source);
  ASSERT_EQ(rig.sink.records.size(), 2u);
  for (const imds_alert_record& record : rig.sink.records) {
    EXPECT_NE(record.flags & IMDS_ALERT_IS_TEST, 0u);
    EXPECT_EQ(source_of(record), GetParam().is_v4() ? "192.0.2.1" : "2001:db8::1");
  }
  EXPECT_EQ(source->stats().received_packets.get(), source->stats().released_packets.get());
  EXPECT_TRUE(adds_up(*rig.engine));
}

TEST_P(Inject, ItsChecksumsAreRight) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  ASSERT_TRUE(source->inject(GetParam()).has_value());
  std::array<rte_mbuf*, 8> burst{};
  const std::uint16_t count = source->receive(burst);
  ASSERT_EQ(count, 5);
  for (std::uint16_t i = 0; i < count; ++i) {
    char* const ip = rte_pktmbuf_mtod_offset(burst[i], char*, sizeof(rte_ether_hdr));
    const bool v4 = GetParam().is_v4();
    auto& tcp =
        *reinterpret_cast<rte_tcp_hdr*>(ip + (v4 ? sizeof(rte_ipv4_hdr) : sizeof(rte_ipv6_hdr)));
    const std::uint16_t written = tcp.cksum;
    tcp.cksum = 0;
    EXPECT_EQ(written, v4 ? rte_ipv4_udptcp_cksum(reinterpret_cast<const rte_ipv4_hdr*>(ip), &tcp)
                          : rte_ipv6_udptcp_cksum(reinterpret_cast<const rte_ipv6_hdr*>(ip), &tcp));
  }
  source->release(std::span<rte_mbuf* const>(burst).first(count));
}

INSTANTIATE_TEST_SUITE_P(Families, Inject, ::testing::Values(kEndpoint4, kEndpoint6));

TEST(InjectSource_, ManyWithoutAWorkerFailInsteadOfWaiting) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  Status last;
  for (int i = 0; i < 100 && last; ++i) {
    last = source->inject(kEndpoint4);
  }
  ASSERT_FALSE(last.has_value());
  EXPECT_EQ(last.error().kind, ErrorKind::runtime);
}

std::uint64_t none(const void*) {
  return 0;
}
bool never() {
  return false;
}

TEST(Injector_, WithoutEndpointSaysSo) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  Injector injector(*source, IpAddress{}, none, nullptr);
  const auto result = injector.test(never);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("no endpoint"));
}

TEST(Injector_, WithdrawingEndsATestUnderWay) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  Injector injector(*source, kEndpoint4, none, nullptr);
  auto running = std::async(std::launch::async, [&] { return injector.test(never); });
  injector.withdraw();
  const auto result = running.get();
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("stopped"));
}

TEST(Injector_, StopsWaitingWhenAsked) {
  Rig rig;
  const auto source = InjectSource::create(0).value();
  Injector injector(*source, kEndpoint4, none, nullptr);
  const auto result = injector.test([] { return true; });
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->alerts, 0u);
}

}  // namespace
}  // namespace imds::inspector
