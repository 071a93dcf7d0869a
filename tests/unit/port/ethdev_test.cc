// Ports without privileges: net_null, net_ring (what is transmitted on one is received on the same)
// and net_memif between two ports of this process.
#include "port/ethdev.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "port/packet_meta.h"
#include "support/eal.h"
#include "temp_folder.h"

namespace imds::port {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PortOptions tap(const std::string& name, const std::string& device) {
  PortOptions port;
  port.name = name;
  port.device = device;
  return port;
}
PortOptions inline_port(const std::string& name, const std::string& device,
                        const std::string& peer) {
  PortOptions port = tap(name, device);
  port.mode = PortMode::inline_pair;
  port.peer = peer;
  return port;
}

EthdevOptions with(std::vector<PortOptions> ports, std::uint16_t workers = 1) {
  EthdevOptions options;
  options.ports = std::move(ports);
  options.workers = workers;
  return options;
}

class EthdevTest : public ::testing::Test {
 protected:
  void SetUp() override {
    support::start_eal();
    ASSERT_TRUE(register_packet_meta());
  }

  static std::unique_ptr<EthdevSet> open(const EthdevOptions& options) {
    auto set = EthdevSet::open(options);
    if (!set) {
      ADD_FAILURE() << set.error().to_string();
      return nullptr;
    }
    return std::move(*set);
  }
  static std::unique_ptr<EthdevSet> start(const EthdevOptions& options) {
    auto set = open(options);
    if (set) {
      const Status started = set->start();
      EXPECT_TRUE(started) << started.error().to_string();
    }
    return set;
  }
  static Error error_of(const EthdevOptions& options) {
    auto set = EthdevSet::open(options);
    return set ? Error{ErrorKind::runtime, "opened", {}} : set.error();
  }
  static std::string config_error(const EthdevOptions& options) {
    const Error error = error_of(options);
    EXPECT_EQ(error.kind, ErrorKind::config) << error.message;
    return error.message;
  }
};

TEST_F(EthdevTest, NullPortDeliversPacketsWithMetadata) {
  auto set = start(with({tap("t", "net_null0,size=100")}));
  ASSERT_NE(set, nullptr);
  Source& source = set->source(0, 0);
  std::array<rte_mbuf*, 64> burst{};
  const std::int64_t before = wall_clock_now().ns;
  ASSERT_EQ(source.receive(burst), 64);
  EXPECT_EQ(source.port_index(), 0);
  for (const rte_mbuf* packet : burst) {
    EXPECT_EQ(meta(packet).original_length, 100u);
    EXPECT_EQ(meta(packet).link_type, kLinkEthernet);
    EXPECT_EQ(meta(packet).flags, 0);
    EXPECT_GE(meta(packet).timestamp_ns, before);
  }
  EXPECT_EQ(meta(burst[0]).timestamp_ns, meta(burst[63]).timestamp_ns);
  source.release(burst);
  EXPECT_FALSE(source.exhausted());
  EXPECT_EQ(source.stats().received_packets.get(), 64u);
  EXPECT_EQ(source.stats().received_bytes.get(), 6400u);
  EXPECT_EQ(source.stats().released_packets.get(), 64u);
  EXPECT_EQ(source.stats().transmitted_packets.get(), 0u);
  EXPECT_GE(source.stats().last_packet_ns.get(), static_cast<std::uint64_t>(before));
  EXPECT_EQ(set->stats(0).received_packets, 64u);
}

TEST_F(EthdevTest, ReportsWhatThePortBecame) {
  auto set = start(with({tap("left", "net_null0")}, 4));
  ASSERT_NE(set, nullptr);
  const PortReport& report = set->report(0);
  EXPECT_EQ(report.name, "left");
  EXPECT_EQ(report.driver, "net_null");
  EXPECT_EQ(report.queues_wanted, 4);
  EXPECT_EQ(report.queues, 4);
  EXPECT_EQ(report.rss, RssState::symmetric);
  EXPECT_THAT(report.rss_fields, AllOf(HasSubstr("ipv4"), HasSubstr("ipv6")));
  EXPECT_THAT(report.rss_fields, ::testing::Not(HasSubstr("tcp")));
  EXPECT_EQ(report.rx_descriptors, 2048);
  EXPECT_EQ(report.tx_descriptors, 0);
  EXPECT_EQ(report.mbufs, 16383u);
  EXPECT_EQ(report.mbuf_data_bytes, 2048u);
  EXPECT_TRUE(report.link.up);
  EXPECT_EQ(set->queues(), 4);
  EXPECT_EQ(set->port_count(), 1);
}

// Packets that workers keep may each be a chain of mbufs.
TEST_F(EthdevTest, PoolHoldsJumboFramesThatWorkersKeep) {
  EthdevOptions options = with({tap("t", "net_ring0")}, 4);
  options.extra_packets = 1000;
  auto plain = open(options);
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(plain->report(0).mbufs, 8191u);
  const std::uint64_t plain_memory = EthdevSet::eal_needs(options).memory_bytes;
  EXPECT_LE(plain->report(0).mempool_bytes, plain_memory);
  plain.reset();
  options.ports[0].mtu = 9000;
  auto jumbo = open(options);
  ASSERT_NE(jumbo, nullptr);
  ASSERT_TRUE(jumbo->report(0).scatter);
  EXPECT_EQ(jumbo->report(0).mbuf_data_bytes, 2048u);
  // Five mbufs each.
  EXPECT_GE(jumbo->report(0).mbufs, 4u * 5u * 1000u);
  EXPECT_LE(jumbo->report(0).mempool_bytes, EthdevSet::eal_needs(options).memory_bytes);
}

TEST_F(EthdevTest, FiveTupleIsSpreadByPorts) {
  EthdevOptions options = with({tap("t", "net_null0")}, 2);
  options.rss = RssFields::five_tuple;
  auto set = start(options);
  ASSERT_NE(set, nullptr);
  EXPECT_THAT(set->report(0).rss_fields, AllOf(HasSubstr("ipv4-tcp"), HasSubstr("ipv6-udp")));
}

TEST_F(EthdevTest, TapHasNoTransmitQueue) {
  auto set = start(with({tap("t", "net_null0")}));
  ASSERT_NE(set, nullptr);
  std::uint16_t id = 0;
  ASSERT_EQ(rte_eth_dev_get_port_by_name("net_null0", &id), 0);
  rte_eth_dev_info info = {};
  ASSERT_EQ(rte_eth_dev_info_get(id, &info), 0);
  EXPECT_EQ(info.nb_rx_queues, 1);
  EXPECT_EQ(info.nb_tx_queues, 0);
  EXPECT_EQ(set->report(0).tx_queues, 0);
}

TEST_F(EthdevTest, AllPortsGetTheQueuesTheWeakestCanFill) {
  auto set = start(with({tap("strong", "net_null0"), tap("weak", "net_ring0")}, 4));
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->queues(), 1);
  EXPECT_EQ(set->report(0).queues_supported, 4);
  EXPECT_EQ(set->report(0).queues, 1);
  EXPECT_EQ(set->report(0).rss, RssState::single_queue);
  ASSERT_EQ(set->report(0).notes.size(), 1u);
  EXPECT_THAT(set->report(0).notes[0], HasSubstr("port 'weak'"));
  ASSERT_EQ(set->report(1).notes.size(), 1u);
  EXPECT_THAT(set->report(1).notes[0], HasSubstr("cannot spread"));
}

PortOptions distributed(PortOptions port, Distribute distribute = Distribute::automatic) {
  port.distribute = distribute;
  return port;
}

TEST_F(EthdevTest, APortThatCannotSpreadGetsAReceiveCore) {
  auto set = start(with({tap("strong", "net_null0"), distributed(tap("weak", "net_ring0"))}, 4));
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->queues(), 4);
  EXPECT_EQ(set->report(0).queues, 4);
  EXPECT_FALSE(set->report(0).distributed);
  EXPECT_EQ(set->distributor(0), nullptr);
  EXPECT_THAT(set->report(0).notes, IsEmpty());
  EXPECT_EQ(set->report(1).queues, 1);
  EXPECT_TRUE(set->report(1).distributed);
  EXPECT_EQ(set->report(1).rss, RssState::software);
  EXPECT_THAT(set->report(1).notes, IsEmpty());
  ASSERT_NE(set->distributor(1), nullptr);
  EXPECT_EQ(set->distributor(1)->workers(), 4);
  EXPECT_EQ(&set->source(1, 3), &set->distributor(1)->source(3));
  // It chooses as the port whose device hashes.
  const PortSteering& device = set->steering().ports()[0];
  const PortSteering& software = set->steering().ports()[1];
  EXPECT_TRUE(software.exact);
  EXPECT_EQ(software.rss_types, device.rss_types);
  EXPECT_EQ(software.redirection, device.redirection);
  EXPECT_EQ(software.queues, 4);
}

TEST_F(EthdevTest, AReceiveCoreIsMadeOnlyWhereItIsWanted) {
  auto needless = start(with({distributed(tap("t", "net_null0"))}, 4));
  ASSERT_NE(needless, nullptr);
  EXPECT_EQ(needless->distributor(0), nullptr);
  needless.reset();
  auto alone = start(with({distributed(tap("t", "net_ring0"), Distribute::on)}, 1));
  ASSERT_NE(alone, nullptr);
  EXPECT_EQ(alone->distributor(0), nullptr);
  alone.reset();
  auto forced = start(with({distributed(tap("t", "net_null0"), Distribute::on)}, 4));
  ASSERT_NE(forced, nullptr);
  ASSERT_NE(forced->distributor(0), nullptr);
  EXPECT_EQ(forced->report(0).queues, 1);
  forced.reset();
  // Another port without receive core sets the number.
  auto limited = start(with({tap("weak", "net_ring0"), distributed(tap("t", "net_ring1"))}, 4));
  ASSERT_NE(limited, nullptr);
  EXPECT_EQ(limited->queues(), 1);
  EXPECT_EQ(limited->distributor(1), nullptr);
}

TEST_F(EthdevTest, InlinePortsAreNotDistributed) {
  EthdevOptions options =
      with({inline_port("a", "net_ring0", "b"), inline_port("b", "net_ring1", "a")}, 2);
  options.ports[0].distribute = Distribute::automatic;
  {
    auto set = start(options);
    ASSERT_NE(set, nullptr);
    EXPECT_EQ(set->queues(), 1);
    EXPECT_EQ(set->distributor(0), nullptr);
  }
  options.ports[0].distribute = Distribute::on;
  EXPECT_THAT(config_error(options), HasSubstr("port 'a': an inline port cannot be distributed"));
}

// Packets of a real device through the rings, with memory for all rings full.
TEST_F(EthdevTest, DistributedPacketsArriveAndAreGivenBack) {
  const EthdevOptions options =
      with({distributed(tap("t", "net_null0,size=60"), Distribute::on)}, 2);
  auto set = start(options);
  ASSERT_NE(set, nullptr);
  EXPECT_GE(set->report(0).mbufs, 2 * Distributor::kSlots);
  EXPECT_LE(set->report(0).mempool_bytes, EthdevSet::eal_needs(options).memory_bytes);
  Distributor& distributor = *set->distributor(0);
  // What is not IP goes to one worker.
  for (unsigned i = 0; i < Distributor::kSlots / Distributor::kBurst + 1; ++i) {
    EXPECT_EQ(distributor.poll(), Distributor::kBurst);
  }
  EXPECT_EQ(distributor.waiting(), Distributor::kSlots);
  EXPECT_EQ(distributor.ring_full(), Distributor::kBurst);
  std::array<rte_mbuf*, 64> burst{};
  Source& source = set->source(0, 0);
  ASSERT_EQ(source.receive(burst), 64);
  EXPECT_EQ(meta(burst[0]).original_length, 60u);
  source.release(burst);
  EXPECT_EQ(source.stats().received_bytes.get(), 64u * 60u);
  EXPECT_EQ(set->stats(0).no_mbuf, 0u);
}

TEST_F(EthdevTest, StopIsFinalAndRepeatable) {
  auto set = start(with({tap("t", "net_null0")}));
  ASSERT_NE(set, nullptr);
  std::array<rte_mbuf*, 8> burst{};
  ASSERT_EQ(set->source(0, 0).receive(burst), 8);
  set->source(0, 0).release(burst);
  set->stop();
  set->stop();
  EXPECT_EQ(set->source(0, 0).receive(burst), 0);
  EXPECT_EQ(set->stats(0).received_packets, 8u);
}

TEST_F(EthdevTest, DevicesCanBeOpenedAgain) {
  for (int round = 0; round < 3; ++round) {
    auto set = start(with({tap("t", "net_null7")}));
    ASSERT_NE(set, nullptr);
  }
  std::uint16_t id = 0;
  EXPECT_NE(rte_eth_dev_get_port_by_name("net_null7", &id), 0);
}

TEST_F(EthdevTest, MemoryNeedIsAnUpperBound) {
  const EthdevOptions options =
      with({inline_port("a", "net_null0", "b"), inline_port("b", "net_null1", "a")}, 3);
  rte_malloc_socket_stats before = {};
  rte_malloc_socket_stats after = {};
  ASSERT_EQ(rte_malloc_get_socket_stats(0, &before), 0);
  auto set = open(options);
  ASSERT_NE(set, nullptr);
  ASSERT_EQ(rte_malloc_get_socket_stats(0, &after), 0);
  const std::uint64_t used = after.heap_allocsz_bytes - before.heap_allocsz_bytes;
  const EalNeeds needs = EthdevSet::eal_needs(options);
  EXPECT_LE(used, needs.memory_bytes);
  EXPECT_GE(used, needs.memory_bytes / 2);
  EXPECT_FALSE(needs.pci);
  EXPECT_FALSE(needs.hugepages);
  EXPECT_TRUE(EthdevSet::eal_needs(with({tap("p", "0000:3b:00.0")})).pci);
}

// --- Inline, over rings: a frame given to a ring port's transmit side comes out of its receive
// side.

class RingPair : public EthdevTest {
 protected:
  void SetUp() override {
    EthdevTest::SetUp();
    // The driver never gives a ring's memory back, so every pair has names of its own.
    static int serial = 10;
    const std::string a = "net_ring" + std::to_string(serial++);
    const std::string b = "net_ring" + std::to_string(serial++);
    set_ = start(with({inline_port("a", a, "b"), inline_port("b", b, "a")}));
    ASSERT_NE(set_, nullptr);
    pool_ = rte_pktmbuf_pool_create("ring_pair_test", 8191, 0, 0, 2176, SOCKET_ID_ANY);
    ASSERT_NE(pool_, nullptr);
    ASSERT_EQ(rte_eth_dev_get_port_by_name(a.c_str(), &ring_a_), 0);
  }
  void TearDown() override {
    set_.reset();
    EXPECT_EQ(rte_mempool_avail_count(pool_), 8191u) << "packets leaked";
    rte_mempool_free(pool_);
  }
  std::vector<rte_mbuf*> make(std::size_t count) {
    std::vector<rte_mbuf*> packets(count);
    EXPECT_EQ(rte_pktmbuf_alloc_bulk(pool_, packets.data(), static_cast<unsigned>(count)), 0);
    std::uint32_t serial = 0;
    for (rte_mbuf* packet : packets) {
      auto* data = reinterpret_cast<std::uint32_t*>(rte_pktmbuf_append(packet, 60));
      std::fill_n(data, 15, serial++);
    }
    return packets;
  }

  std::unique_ptr<EthdevSet> set_;
  rte_mempool* pool_ = nullptr;
  std::uint16_t ring_a_ = 0;
};

TEST_F(RingPair, ForwardsUnchangedAndInOrder) {
  const std::vector<rte_mbuf*> sent = make(200);
  ASSERT_EQ(rte_eth_tx_burst(ring_a_, 0, const_cast<rte_mbuf**>(sent.data()), 200), 200);
  Source& a = set_->source(0, 0);
  Source& b = set_->source(1, 0);
  std::array<rte_mbuf*, 64> burst{};
  for (std::uint16_t n = 0; (n = a.receive(burst)) != 0;) {
    a.release(std::span(burst).first(n));
  }
  EXPECT_EQ(a.stats().transmitted_packets.get(), 200u);
  EXPECT_EQ(a.stats().transmit_refused.get(), 0u);
  std::uint32_t expected = 0;
  for (std::uint16_t n = 0; (n = b.receive(burst)) != 0;) {
    for (std::uint16_t i = 0; i < n; ++i, ++expected) {
      EXPECT_EQ(burst[i], sent[expected]);
      EXPECT_EQ(burst[i]->pkt_len, 60u);
      EXPECT_EQ(rte_pktmbuf_mtod(burst[i], const std::uint32_t*)[14], expected);
    }
    b.drop(std::span(burst).first(n));
  }
  EXPECT_EQ(expected, 200u);
  EXPECT_EQ(b.stats().transmitted_packets.get(), 0u);
  EXPECT_EQ(b.stats().released_packets.get(), 200u);
}

TEST_F(RingPair, CountsAndFreesWhatThePeerDoesNotTake) {
  Source& a = set_->source(0, 0);
  const std::vector<rte_mbuf*> packets = make(4000);
  a.release(packets);
  const std::uint64_t sent = a.stats().transmitted_packets.get();
  EXPECT_GT(sent, 0u);
  EXPECT_GT(a.stats().transmit_refused.get(), 0u);
  EXPECT_EQ(sent + a.stats().transmit_refused.get(), 4000u);
  std::array<rte_mbuf*, 64> burst{};
  std::uint64_t arrived = 0;
  for (std::uint16_t n = 0; (n = set_->source(1, 0).receive(burst)) != 0; arrived += n) {
    set_->source(1, 0).drop(std::span(burst).first(n));
  }
  EXPECT_EQ(arrived, sent);
}

TEST_F(RingPair, SendsNothingAfterStop) {
  Source& a = set_->source(0, 0);
  set_->stop();
  a.release(make(10));
  EXPECT_EQ(a.stats().transmit_refused.get(), 10u);
}

// --- net_memif: the other side is this program once more, running the disabled test below.

constexpr const char* kMemifSocketVariable = "IMDS_TEST_MEMIF_SOCKET";
constexpr std::uint8_t kMemifPackets = 100;

std::string memif_device(const char* role, const std::string& socket) {
  return std::string("net_memif0,role=") + role + ",socket=" + socket + ",socket-abstract=no";
}

bool wait_for_link(const EthdevSet& set, std::uint16_t port) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!set.link(port).up && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return set.link(port).up;
}

// Sends, and stays connected until its standard input ends.
TEST_F(EthdevTest, DISABLED_MemifPeer) {
  const char* socket = std::getenv(kMemifSocketVariable);
  ASSERT_NE(socket, nullptr) << "started by MemifCarriesPackets only";
  auto set = start(with({inline_port("x", memif_device("client", socket), "y"),
                         inline_port("y", "net_null0,no-rx=1", "x")}));
  ASSERT_NE(set, nullptr);
  ASSERT_TRUE(wait_for_link(*set, 0));
  rte_mempool* pool = rte_pktmbuf_pool_create("memif_test", 1023, 0, 0, 2176, SOCKET_ID_ANY);
  std::array<rte_mbuf*, kMemifPackets> packets{};
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool, packets.data(), kMemifPackets), 0);
  for (std::uint8_t i = 0; i < kMemifPackets; ++i) {
    std::fill_n(rte_pktmbuf_append(packets[i], 200), 200, static_cast<char>(i));
  }
  set->source(1, 0).release(packets);  // what y receives leaves on x
  EXPECT_EQ(set->source(1, 0).stats().transmitted_packets.get(), kMemifPackets);
  char ignored = 0;
  while (read(STDIN_FILENO, &ignored, 1) > 0) {
  }
  set.reset();
  rte_mempool_free(pool);
}

TEST_F(EthdevTest, MemifCarriesPackets) {
  const TempFolder folder;
  const std::string socket = folder.file("memif.sock");
  auto set = start(with({tap("server", memif_device("server", socket))}));
  ASSERT_NE(set, nullptr);
  EXPECT_FALSE(set->report(0).link.up);
  const std::string command = std::string(kMemifSocketVariable) + "=" + socket + " " +
                              std::filesystem::read_symlink("/proc/self/exe").string() +
                              " --gtest_also_run_disabled_tests "
                              "--gtest_filter=EthdevTest.DISABLED_MemifPeer >&2";
  FILE* peer = popen(command.c_str(), "w");
  ASSERT_NE(peer, nullptr);
  EXPECT_TRUE(wait_for_link(*set, 0));
  std::array<rte_mbuf*, 64> burst{};
  std::uint8_t expected = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (expected < kMemifPackets && std::chrono::steady_clock::now() < deadline) {
    const std::uint16_t n = set->source(0, 0).receive(burst);
    for (std::uint16_t i = 0; i < n; ++i, ++expected) {
      EXPECT_EQ(burst[i]->pkt_len, 200u);
      EXPECT_EQ(*rte_pktmbuf_mtod(burst[i], const std::uint8_t*), expected);
    }
    set->source(0, 0).release(std::span(burst).first(n));
  }
  EXPECT_EQ(expected, kMemifPackets);
  EXPECT_EQ(pclose(peer), 0);
  EXPECT_EQ(set->report(0).driver, "net_memif");
  EXPECT_EQ(set->report(0).tx_queues, 1);  // it does not connect without
  EXPECT_EQ(set->stats(0).transmitted_packets, 0u);
}

// --- What cannot work says why.

TEST_F(EthdevTest, RefusesContradictoryPorts) {
  EXPECT_THAT(config_error(with({})), HasSubstr("no port"));
  EXPECT_THAT(config_error(with({tap("a", "net_null0"), tap("a", "net_null1")})),
              HasSubstr("port 'a': the name is used twice"));
  EXPECT_THAT(config_error(with({tap("a", "net_null0"), tap("b", "net_null0,size=9")})),
              HasSubstr("already port 'a'"));
  EXPECT_THAT(config_error(
                  with({tap("a", "net_af_packet0,iface=lo"), tap("b", "net_af_packet1,iface=lo")})),
              HasSubstr("interface 'lo' is already port 'a'"));
  EXPECT_THAT(config_error(with({inline_port("a", "net_null0", "c")})),
              HasSubstr("peer 'c' is not a configured port"));
  EXPECT_THAT(config_error(with({inline_port("a", "net_null0", "b"), tap("b", "net_null1")})),
              HasSubstr("must be another inline port"));
  EXPECT_THAT(config_error(with({inline_port("a", "net_null0", "a")})),
              HasSubstr("must be another inline port"));
  PortOptions peered = tap("a", "net_null0");
  peered.peer = "b";
  EXPECT_THAT(config_error(with({peered, tap("b", "net_null1")})),
              HasSubstr("tap port has no peer"));
  EXPECT_THAT(config_error(with({tap("a", "net_null0")}, 0)), HasSubstr("worker"));
}

TEST_F(EthdevTest, SaysWhatADeviceStringShouldBe) {
  EXPECT_THAT(config_error(with({tap("a", "lo")})),
              AllOf(HasSubstr("'lo' is a kernel interface"), HasSubstr("net_af_packet0,iface=lo")));
  EXPECT_THAT(config_error(with({tap("a", "nonsense")})),
              AllOf(HasSubstr("'nonsense'"), HasSubstr("PCI address")));
  EXPECT_THAT(config_error(with({tap("a", "net_af_packet0")})), HasSubstr(",iface=NAME"));
}

TEST_F(EthdevTest, SaysWhatTheEnvironmentLacks) {
  for (const char* driver : {"net_af_packet0", "net_af_xdp0"}) {
    const Error error = error_of(with({tap("a", std::string(driver) + ",iface=absent9")}));
    EXPECT_EQ(error.kind, ErrorKind::environment);
    EXPECT_THAT(error.message, AllOf(HasSubstr("port 'a'"), HasSubstr("'absent9' does not exist")));
  }
  const Error pci = error_of(with({tap("a", "0000:fe:1f.7")}));
  EXPECT_EQ(pci.kind, ErrorKind::environment);
  EXPECT_THAT(pci.message, HasSubstr("no PCI device 0000:fe:1f.7"));
  const Error driver = error_of(with({tap("a", "net_nosuchdriver0")}));
  EXPECT_EQ(driver.kind, ErrorKind::environment);
  EXPECT_THAT(driver.message, HasSubstr("net_nosuchdriver0"));
}

TEST_F(EthdevTest, AFailedOpenLeavesNothingBehind) {
  EXPECT_EQ(error_of(with({tap("a", "net_null5"), tap("b", "net_af_packet0,iface=absent9")})).kind,
            ErrorKind::environment);
  std::uint16_t id = 0;
  EXPECT_NE(rte_eth_dev_get_port_by_name("net_null5", &id), 0);
}

}  // namespace
}  // namespace imds::port
