#include "inject.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

#include <nlohmann/json.hpp>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_tcp.h>
#include <rte_telemetry.h>

#include "base/time.h"
#include "control.h"
#include "port/packet_meta.h"

namespace imds::inspector {

namespace {

constexpr unsigned kPoolPackets = 63;
constexpr unsigned kRingSlots = 64;
constexpr auto kPatience = std::chrono::seconds(3);
constexpr char kCommand[] = "/imds/inject_test";
constexpr std::string_view kClient4 = "192.0.2.1";    // TEST-NET-1 (RFC 5737)
constexpr std::string_view kClient6 = "2001:db8::1";  // RFC 3849
constexpr std::uint16_t kHttp = 80;
constexpr std::uint32_t kClientIsn = 1000;
constexpr std::uint32_t kServerIsn = 2000;
constexpr std::string_view kRequest =
    "GET /latest/meta-data/ HTTP/1.1\r\n"
    "Host: 169.254.169.254\r\n"
    "User-Agent: imds-inspector-test\r\n"
    "\r\n";

struct Segment {
  bool from_client;
  std::uint8_t flags;
  std::uint32_t sequence;
  std::uint32_t acknowledgment;
  std::string_view payload;
};

// Handshake, request, and an orderly end.
constexpr Segment kConversation[] = {
    {true, RTE_TCP_SYN_FLAG, kClientIsn, 0, {}},
    {false, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, kServerIsn, kClientIsn + 1, {}},
    {true, RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG, kClientIsn + 1, kServerIsn + 1, kRequest},
    {true,
     RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG,
     kClientIsn + 1 + kRequest.size(),
     kServerIsn + 1,
     {}},
    {false,
     RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG,
     kServerIsn + 1,
     kClientIsn + 2 + kRequest.size(),
     {}},
};

// Where a segment goes.
struct Addresses {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

Addresses addresses_of(const Segment& segment, const IpAddress& endpoint,
                       std::uint16_t client_port) {
  const IpAddress client = IpAddress::parse(endpoint.is_v4() ? kClient4 : kClient6).value();
  return segment.from_client ? Addresses{client, endpoint, client_port, kHttp}
                             : Addresses{endpoint, client, kHttp, client_port};
}

// Both return what the TCP checksum takes of the header.
std::uint16_t write_ipv4(char* at, const Addresses& to, std::uint16_t transport_bytes) {
  auto& ip = *reinterpret_cast<rte_ipv4_hdr*>(at);
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.total_length =
      rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof(rte_ipv4_hdr) + transport_bytes));
  ip.time_to_live = 64;
  ip.next_proto_id = IPPROTO_TCP;
  ip.src_addr = rte_cpu_to_be_32(to.source.v4_host_order());
  ip.dst_addr = rte_cpu_to_be_32(to.destination.v4_host_order());
  ip.hdr_checksum = rte_ipv4_cksum(&ip);
  return rte_ipv4_udptcp_cksum(&ip, at + sizeof(rte_ipv4_hdr));
}

std::uint16_t write_ipv6(char* at, const Addresses& to, std::uint16_t transport_bytes) {
  auto& ip = *reinterpret_cast<rte_ipv6_hdr*>(at);
  ip.vtc_flow = rte_cpu_to_be_32(6u << 28);
  ip.payload_len = rte_cpu_to_be_16(transport_bytes);
  ip.proto = IPPROTO_TCP;
  ip.hop_limits = 64;
  std::memcpy(ip.src_addr, to.source.bytes.data(), sizeof ip.src_addr);
  std::memcpy(ip.dst_addr, to.destination.bytes.data(), sizeof ip.dst_addr);
  return rte_ipv6_udptcp_cksum(&ip, at + sizeof(rte_ipv6_hdr));
}

void write_tcp(rte_tcp_hdr& tcp, const Segment& segment, const Addresses& to) {
  tcp.src_port = rte_cpu_to_be_16(to.source_port);
  tcp.dst_port = rte_cpu_to_be_16(to.destination_port);
  tcp.sent_seq = rte_cpu_to_be_32(segment.sequence);
  tcp.recv_ack = rte_cpu_to_be_32(segment.acknowledgment);
  tcp.data_off = (sizeof(rte_tcp_hdr) / 4) << 4;
  tcp.tcp_flags = segment.flags;
  tcp.rx_win = rte_cpu_to_be_16(65535);
}

void write_frame(rte_mbuf* packet, const Segment& segment, const IpAddress& endpoint,
                 std::uint16_t client_port) {
  const std::size_t ip_bytes = endpoint.is_v4() ? sizeof(rte_ipv4_hdr) : sizeof(rte_ipv6_hdr);
  const std::size_t transport_bytes = sizeof(rte_tcp_hdr) + segment.payload.size();
  const std::size_t size = sizeof(rte_ether_hdr) + ip_bytes + transport_bytes;
  char* const bytes = rte_pktmbuf_append(packet, static_cast<std::uint16_t>(size));
  std::memset(bytes, 0, size);
  auto& ethernet = *reinterpret_cast<rte_ether_hdr*>(bytes);
  // Locally administered addresses that say what they are.
  const rte_ether_addr client{{0x02, 'T', 'E', 'S', 'T', 0x01}};
  const rte_ether_addr server{{0x02, 'T', 'E', 'S', 'T', 0x02}};
  ethernet.src_addr = segment.from_client ? client : server;
  ethernet.dst_addr = segment.from_client ? server : client;
  ethernet.ether_type =
      rte_cpu_to_be_16(endpoint.is_v4() ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
  char* const ip = bytes + sizeof(rte_ether_hdr);
  auto& tcp = *reinterpret_cast<rte_tcp_hdr*>(ip + ip_bytes);
  std::copy(segment.payload.begin(), segment.payload.end(), bytes + size - segment.payload.size());
  const Addresses to = addresses_of(segment, endpoint, client_port);
  write_tcp(tcp, segment, to);
  const auto transport = static_cast<std::uint16_t>(transport_bytes);
  tcp.cksum = endpoint.is_v4() ? write_ipv4(ip, to, transport) : write_ipv6(ip, to, transport);
  port::PacketMeta& meta = port::meta(packet);
  meta.timestamp_ns = wall_clock_now().ns;
  meta.original_length = static_cast<std::uint32_t>(size);
  meta.link_type = port::kLinkEthernet;
  meta.flags = port::kTest;
}

// Whom the telemetry handler serves; its callback carries no context, and its threads are DPDK's.
std::mutex served_mutex;
Injector* served = nullptr;

int handle_injection(const char*, const char*, rte_tel_data* reply) {
  rte_tel_data_start_dict(reply);
  const std::lock_guard lock(served_mutex);
  if (served == nullptr) {
    reply_failure(reply, {ErrorKind::runtime, "it is stopping", {}});
    return 0;
  }
  const auto result = served->test([] { return false; });
  if (!result) {
    reply_failure(reply, result.error());
    return 0;
  }
  rte_tel_data_add_dict_u64(reply, "alerts", result->alerts);
  rte_tel_data_add_dict_u64(reply, "microseconds",
                            static_cast<std::uint64_t>(result->seconds * 1e6));
  return 0;
}

}  // namespace

Result<std::unique_ptr<InjectSource>> InjectSource::create(std::uint16_t port_index) {
  rte_mempool* pool = rte_pktmbuf_pool_create("imds_inject", kPoolPackets, 0, 0,
                                              RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  rte_ring* ring =
      rte_ring_create("imds_inject", kRingSlots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
  if (pool == nullptr || ring == nullptr) {
    rte_mempool_free(pool);
    rte_ring_free(ring);
    return fail(ErrorKind::environment,
                "no memory for test packets: raise memory.limit_mib or reserve hugepages");
  }
  return std::unique_ptr<InjectSource>(new InjectSource(port_index, pool, ring));
}

std::uint64_t InjectSource::required_memory_bytes() {
  return 1u << 20;
}

InjectSource::~InjectSource() {
  rte_mbuf* packet = nullptr;
  while (rte_ring_sc_dequeue(ring_, reinterpret_cast<void**>(&packet)) == 0) {
    rte_pktmbuf_free(packet);
  }
  rte_ring_free(ring_);
  rte_mempool_free(pool_);
}

Status InjectSource::inject(const IpAddress& endpoint) {
  rte_mbuf* packets[std::size(kConversation)];
  if (rte_pktmbuf_alloc_bulk(pool_, packets, std::size(kConversation)) != 0) {
    return fail(ErrorKind::runtime, "a former test request is still on its way");
  }
  const std::uint16_t client_port = next_client_port_++;
  if (next_client_port_ == 0) {
    next_client_port_ = 49152;
  }
  for (std::size_t i = 0; i < std::size(kConversation); ++i) {
    write_frame(packets[i], kConversation[i], endpoint, client_port);
  }
  if (rte_ring_sp_enqueue_bulk(ring_, reinterpret_cast<void**>(packets), std::size(kConversation),
                               nullptr) == 0) {
    rte_pktmbuf_free_bulk(packets, std::size(kConversation));
    return fail(ErrorKind::runtime, "the worker does not take test packets: does it still run?");
  }
  return {};
}

std::uint16_t InjectSource::receive(std::span<rte_mbuf*> burst) {
  const unsigned count = rte_ring_sc_dequeue_burst(ring_, reinterpret_cast<void**>(burst.data()),
                                                   static_cast<unsigned>(burst.size()), nullptr);
  if (count > 0) {
    stats_.received_packets.add(count);
  }
  return static_cast<std::uint16_t>(count);
}

void InjectSource::release(std::span<rte_mbuf* const> burst) {
  stats_.released_packets.add(burst.size());
  for (rte_mbuf* packet : burst) {
    rte_pktmbuf_free(packet);
  }
}

Injector::Injector(InjectSource& source, const IpAddress& endpoint, TestAlertCount count,
                   const void* context)
    : source_(source), endpoint_(endpoint), count_(count), context_(context) {}

Result<InjectionResult> Injector::test(bool (*stop)()) {
  using Clock = std::chrono::steady_clock;
  const std::lock_guard lock(busy_);
  if (!endpoint_.is_set()) {
    return fail(ErrorKind::config, "no endpoint is configured that a test request could go to");
  }
  const std::uint64_t before = count_(context_);
  const Clock::time_point begin = Clock::now();
  if (auto status = source_.inject(endpoint_); !status) {
    return pass_on(status);
  }
  InjectionResult result;
  // Connection and request alerts come together; a little more time lets the last one arrive.
  Clock::time_point until = begin + kPatience;
  while (Clock::now() < until && !withdrawn_.load() && !stop()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::uint64_t alerts = count_(context_) - before;
    if (alerts > result.alerts) {
      if (result.alerts == 0) {
        result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        until = std::min(until, Clock::now() + std::chrono::milliseconds(100));
      }
      result.alerts = alerts;
    }
  }
  if (result.alerts == 0 && withdrawn_.load()) {
    return fail(ErrorKind::runtime, "it stopped while the test was under way");
  }
  return result;
}

void Injector::aim_at(const IpAddress& endpoint) {
  const std::lock_guard lock(busy_);
  endpoint_ = endpoint;
}

void Injector::serve() {
  {
    const std::lock_guard lock(served_mutex);
    served = this;
  }
  rte_telemetry_register_cmd(kCommand, handle_injection,
                             "Sends a synthetic IMDS request through worker 0, marked as a test. "
                             "No parameters");
}

void Injector::withdraw() {
  withdrawn_.store(true);
  const std::lock_guard lock(served_mutex);
  if (served == this) {
    served = nullptr;
  }
}

Result<std::optional<InjectionResult>> ask_running_inspector(const std::string& file_prefix) {
  constexpr std::chrono::seconds kLongest{10};
  auto answer = ask_running(file_prefix, kCommand, kLongest);
  if (!answer) {
    return pass_on(answer);
  }
  if (!*answer) {
    return std::optional<InjectionResult>();
  }
  const nlohmann::json& body = **answer;
  return std::optional(InjectionResult{body.value("alerts", std::uint64_t{0}),
                                       body.value("microseconds", 0.0) / 1e6});
}

}  // namespace imds::inspector
