// Ports on real kernel interfaces: AF_PACKET and AF_XDP over veth pairs. Run as root; skipped
// otherwise.
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "packet_bytes.h"
#include "port/ethdev.h"
#include "port/packet_meta.h"
#include "support/eal.h"
#include "support/packet_builder.h"
#include "veth.h"

namespace imds::port {
namespace {

using support::Bytes;
using support::PacketBuilder;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes frame(std::uint32_t serial, std::size_t payload) {
  std::string text(payload, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(serial + i);
  }
  return PacketBuilder()
      .ethernet("02:00:00:00:00:0a", "02:00:00:00:00:0b")
      .ipv4("10.0.0.1", "10.0.0.2")
      .udp(1000 + serial, 53)
      .payload(text)
      .build();
}

std::vector<Bytes> frames(std::uint32_t count) {
  std::vector<Bytes> out;
  for (std::uint32_t i = 0; i < count; ++i) {
    out.push_back(frame(i, 20 + i * 7 % 1440));
  }
  return out;
}

// Until `done` or ten seconds.
template <typename Step, typename Done>
void poll(Step step, Done done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  do {
    step();
  } while (!done() && std::chrono::steady_clock::now() < deadline);
}

struct Received {
  std::vector<Bytes> packets;
  std::vector<std::uint16_t> flags;
};

void receive_into(Source& source, Received& out) {
  std::array<rte_mbuf*, 64> burst{};
  const std::uint16_t count = source.receive(burst);
  for (std::uint16_t i = 0; i < count; ++i) {
    out.packets.push_back(bytes_of(burst[i]));
    out.flags.push_back(meta(burst[i]).flags);
  }
  source.release(std::span(burst).first(count));
}

Received receive(Source& source, std::size_t count) {
  Received out;
  poll([&] { receive_into(source, out); }, [&] { return out.packets.size() >= count; });
  return out;
}

class InterfaceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || !enter_private_network()) {
      GTEST_SKIP() << "needs root: network namespaces and raw sockets";
    }
    support::start_eal();
    ASSERT_TRUE(register_packet_meta());
  }

  static PortOptions tap(const std::string& name, const std::string& device) {
    PortOptions port;
    port.name = name;
    port.device = device;
    return port;
  }
  static PortOptions inline_port(const std::string& name, const std::string& device,
                                 const std::string& peer) {
    PortOptions port = tap(name, device);
    port.mode = PortMode::inline_pair;
    port.peer = peer;
    return port;
  }
  static std::string device(int number, const std::string& interface,
                            const std::string& more = "") {
    return GetParam() + std::to_string(number) + ",iface=" + interface + more;
  }
  static EthdevOptions with(std::vector<PortOptions> ports, std::uint16_t workers = 1) {
    EthdevOptions options;
    options.ports = std::move(ports);
    options.workers = workers;
    return options;
  }
  static std::unique_ptr<EthdevSet> start(const EthdevOptions& options) {
    auto set = EthdevSet::open(options);
    if (!set) {
      ADD_FAILURE() << set.error().to_string();
      return nullptr;
    }
    const Status started = (*set)->start();
    EXPECT_TRUE(started) << started.error().to_string();
    return std::move(*set);
  }
  static Error error_of(const EthdevOptions& options) {
    auto set = EthdevSet::open(options);
    return set ? Error{ErrorKind::runtime, "opened", {}} : set.error();
  }
};

using AnyInterface = InterfaceTest;
INSTANTIATE_TEST_SUITE_P(Drivers, AnyInterface, ::testing::Values("net_af_packet", "net_af_xdp"),
                         [](const auto& instance) { return std::string(instance.param); });
using PacketInterface = InterfaceTest;
INSTANTIATE_TEST_SUITE_P(Drivers, PacketInterface, ::testing::Values("net_af_packet"),
                         [](const auto& instance) { return std::string(instance.param); });
using XdpInterface = InterfaceTest;
INSTANTIATE_TEST_SUITE_P(Drivers, XdpInterface, ::testing::Values("net_af_xdp"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(AnyInterface, TapReceivesWhatIsSentAndSaysNothing) {
  const VethPair wire("tap");
  auto set = start(with({tap("t", device(0, wire.near))}));
  ASSERT_NE(set, nullptr);
  RawEnd far(wire.far);
  const std::vector<Bytes> sent = frames(300);
  for (const Bytes& f : sent) {
    far.send(f);
  }
  const Received received = receive(set->source(0, 0), sent.size());
  EXPECT_EQ(received.packets, sent);
  EXPECT_EQ(set->stats(0).received_packets, sent.size());
  EXPECT_EQ(set->stats(0).transmitted_packets, 0u);
  EXPECT_THAT(far.receive(), ElementsAre());

  const PortReport& report = set->report(0);
  EXPECT_EQ(report.driver, GetParam());
  EXPECT_EQ(report.mtu, 1500);
  EXPECT_TRUE(report.promiscuous);
  EXPECT_TRUE(report.link.up);
  EXPECT_FALSE(report.vlan_strip);
  EXPECT_GE(report.longest_frame, 1518u);
  EXPECT_THAT(report.notes, ElementsAre());
}

Bytes tagged(std::initializer_list<std::pair<unsigned, unsigned>> id_and_tpid) {
  PacketBuilder builder;
  builder.ethernet();
  for (const auto& [id, tpid] : id_and_tpid) {
    builder.vlan(id, tpid);
  }
  return builder.ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).build();
}

TEST_P(AnyInterface, KeepsVlanTags) {
  const VethPair wire("vlan");
  auto set = start(with({tap("t", device(0, wire.near))}));
  ASSERT_NE(set, nullptr);
  RawEnd far(wire.far);
  const Bytes single = tagged({{100, 0x8100}});
  const Bytes stacked = tagged({{200, 0x8100}, {7, 0x8100}});
  const Bytes service = tagged({{200, 0x88a8}, {7, 0x8100}});
  far.send(single);
  far.send(stacked);
  far.send(service);
  // AF_PACKET gives the outer tag back as 802.1Q whatever it was.
  const bool rewritten = std::string(GetParam()) == "net_af_packet";
  EXPECT_THAT(receive(set->source(0, 0), 3).packets,
              ElementsAre(single, stacked, rewritten ? stacked : service));
}

TEST_P(AnyInterface, InlinePairForwardsBothWaysUnchangedAndInOrder) {
  const VethPair left("left");
  const VethPair right("right");
  auto set = start(with(
      {inline_port("a", device(0, left.near), "b"), inline_port("b", device(1, right.near), "a")}));
  ASSERT_NE(set, nullptr);
  RawEnd at_left(left.far);
  RawEnd at_right(right.far);
  const std::vector<Bytes> there = frames(200);
  std::vector<Bytes> back = frames(150);
  std::reverse(back.begin(), back.end());
  for (const Bytes& f : there) {
    at_left.send(f);
  }
  for (const Bytes& f : back) {
    at_right.send(f);
  }
  Received from_left;
  Received from_right;
  std::vector<Bytes> at_right_seen;
  std::vector<Bytes> at_left_seen;
  poll(
      [&] {
        receive_into(set->source(0, 0), from_left);
        receive_into(set->source(1, 0), from_right);
        for (Bytes& f : at_right.receive()) {
          at_right_seen.push_back(std::move(f));
        }
        for (Bytes& f : at_left.receive()) {
          at_left_seen.push_back(std::move(f));
        }
      },
      [&] { return at_right_seen.size() >= there.size() && at_left_seen.size() >= back.size(); });
  EXPECT_EQ(at_right_seen, there);
  EXPECT_EQ(at_left_seen, back);
  EXPECT_EQ(from_left.packets, there) << "a port must not receive what it sends";
  EXPECT_EQ(set->source(0, 0).stats().transmitted_packets.get(), there.size());
  EXPECT_EQ(set->source(1, 0).stats().transmitted_packets.get(), back.size());
  EXPECT_EQ(set->source(0, 0).stats().transmit_refused.get(), 0u);
}

TEST_P(AnyInterface, SaysWhenTheInterfaceIsDown) {
  const VethPair wire("down");
  run("ip link set " + wire.near + " down");
  auto set = EthdevSet::open(with({tap("t", device(0, wire.near))}));
  ASSERT_TRUE(set) << set.error().to_string();
  EXPECT_THAT((*set)->report(0).notes, Contains(HasSubstr("'ip link set downn up'")));
  EXPECT_FALSE((*set)->link(0).up);
}

TEST_P(AnyInterface, SaysWhichCapabilitiesAreMissing) {
  const VethPair wire("cap");
  ASSERT_EQ(seteuid(65534), 0);
  const Error error = error_of(with({tap("t", device(0, wire.near))}));
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(error.kind, ErrorKind::environment);
  EXPECT_THAT(error.message, AllOf(HasSubstr("no permission"), HasSubstr("CAP_NET_RAW")));
}

TEST_P(PacketInterface, JumboFramesArriveWhole) {
  const VethPair wire("jumbo", 9000);
  auto set = start(with({tap("t", device(0, wire.near))}));
  ASSERT_NE(set, nullptr);
  RawEnd far(wire.far);
  const Bytes big = frame(1, 8900);
  far.send(big);
  const Received received = receive(set->source(0, 0), 1);
  EXPECT_THAT(received.packets, ElementsAre(big));
  EXPECT_THAT(received.flags, ElementsAre(0));
}

// As merged (GRO) packets are: longer than the ring's frame. The kernel cuts them.
TEST_P(PacketInterface, FramesLongerThanTheRingAreMarkedAsCut) {
  const VethPair wire("cut", 9000);
  auto set = start(with({tap("t", device(0, wire.near, ",framesz=2048"))}));
  ASSERT_NE(set, nullptr);
  const std::uint32_t longest = set->report(0).longest_frame;
  RawEnd far(wire.far);
  const Bytes fits = frame(1, 1900);
  const Bytes big = frame(2, 4000);
  far.send(fits);
  far.send(big);
  const Received received = receive(set->source(0, 0), 2);
  ASSERT_EQ(received.packets.size(), 2u);
  EXPECT_EQ(received.packets[0], fits);
  EXPECT_EQ(received.packets[1], Bytes(big.begin(), big.begin() + longest));
  EXPECT_THAT(received.flags, ElementsAre(0, kTruncated));
  EXPECT_EQ(set->source(0, 0).stats().truncated_packets.get(), 1u);
}

// Each direction on a port of its own, as two passive taps deliver them.
TEST_P(PacketInterface, BothDirectionsOfAFlowMeetInOneWorker) {
  const VethPair there("there");
  const VethPair back("back");
  auto set = start(with({tap("a", device(0, there.near)), tap("b", device(1, back.near))}, 2));
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->queues(), 2);
  EXPECT_EQ(set->report(0).rss, RssState::kernel_symmetric);
  RawEnd client(there.far);
  RawEnd server(back.far);
  constexpr unsigned kFlows = 64;
  const auto flow = [](unsigned i, bool answer) {
    PacketBuilder builder;
    builder.ethernet();
    const std::string host = "10.0.1." + std::to_string(i + 1);
    if (answer) {
      builder.ipv4("169.254.169.254", host).tcp(80, 40'000 + i);
    } else {
      builder.ipv4(host, "169.254.169.254").tcp(40'000 + i, 80);
    }
    return builder.payload(std::string(1, static_cast<char>(i))).build();
  };
  for (unsigned i = 0; i < kFlows; ++i) {
    client.send(flow(i, false));
    server.send(flow(i, true));
  }
  std::array<std::array<int, kFlows>, 2> queue_of{};
  for (auto& port : queue_of) {
    port.fill(-1);
  }
  std::array<Received, 4> got;
  poll(
      [&] {
        for (std::uint16_t port = 0; port < 2; ++port) {
          for (std::uint16_t queue = 0; queue < 2; ++queue) {
            receive_into(set->source(port, queue), got[port * 2u + queue]);
          }
        }
      },
      [&] {
        std::size_t total = 0;
        for (const Received& r : got) {
          total += r.packets.size();
        }
        return total >= 2 * kFlows;
      });
  for (std::size_t port = 0; port < 2; ++port) {
    for (std::size_t queue = 0; queue < 2; ++queue) {
      for (const Bytes& packet : got[port * 2 + queue].packets) {
        queue_of[port][packet[54]] = static_cast<int>(queue);
      }
    }
  }
  EXPECT_EQ(queue_of[0], queue_of[1]);
  EXPECT_THAT(queue_of[0], AllOf(Contains(0), Contains(1), ::testing::Not(Contains(-1))));
}

TEST_P(AnyInterface, CountsWhatTheRingCouldNotHold) {
  const VethPair wire("full");
  auto set = start(with({tap("t", device(0, wire.near))}));
  ASSERT_NE(set, nullptr);
  RawEnd far(wire.far);
  constexpr std::size_t kSent = 6000;
  const Bytes one = frame(1, 20);
  for (std::size_t i = 0; i < kSent; ++i) {
    far.send(one);
  }
  Received received;
  poll([&] { receive_into(set->source(0, 0), received); },
       [&] { return received.packets.size() + set->stats(0).missed_packets >= kSent; });
  EXPECT_LT(received.packets.size(), kSent);
  EXPECT_EQ(received.packets.size() + set->stats(0).missed_packets, kSent);
  set->stop();
  EXPECT_EQ(received.packets.size() + set->stats(0).missed_packets, kSent);
}

TEST_P(PacketInterface, RefusesQueuesThatNobodyWouldRead) {
  const VethPair wire("many");
  const Error error = error_of(with({tap("t", device(0, wire.near, ",qpairs=4"))}, 2));
  EXPECT_EQ(error.kind, ErrorKind::config);
  EXPECT_THAT(error.message, HasSubstr("leave qpairs"));
}

TEST_P(XdpInterface, RefusesAnInterfaceWithMoreQueuesThanWorkers) {
  const VethPair wire("queues");
  if (std::system(("ethtool -L " + wire.near + " rx 2 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "this veth cannot have two receive queues (ethtool -L)";
  }
  const Error error = error_of(with({tap("t", device(0, wire.near))}));
  EXPECT_EQ(error.kind, ErrorKind::environment);
  EXPECT_THAT(error.message, AllOf(HasSubstr("2 queues"), HasSubstr("ethtool -L queuesn")));
}

TEST_P(XdpInterface, FewerQueuesThanWorkersAreReported) {
  const VethPair wire("one");
  auto set = start(with({tap("t", device(0, wire.near))}, 2));
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->queues(), 1);
  EXPECT_EQ(set->report(0).queues_wanted, 2);
  EXPECT_EQ(set->report(0).queues_supported, 1);
}

}  // namespace
}  // namespace imds::port
