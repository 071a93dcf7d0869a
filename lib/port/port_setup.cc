#include "port_setup.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <net/if.h>
#include <string>
#include <string_view>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "kernel_interface.h"
#include "rss.h"

namespace imds::port {
namespace {

constexpr std::uint32_t kMaxDataBytes = UINT16_MAX - RTE_PKTMBUF_HEADROOM;
constexpr std::uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
constexpr std::uint32_t kTwoTags = 8;
// Each lcore's mempool cache may keep up to 1.5 times its 256 objects.
constexpr std::uint32_t kCachedMbufs = 384;

tl::unexpected<Error> device_failure(const Port& port, const std::string& what, int code,
                                     const char* advice = "") {
  // Drivers often return a bare -1, which would read "operation not permitted".
  const std::string reason =
      code == 0 || code == -1 ? std::string() : ": " + std::string(std::strerror(-code));
  return fail(ErrorKind::environment,
              "port '" + port.options.name + "': " + what + reason + advice);
}

bool on_kernel_interface(const Port& port) {
  return port.device.kind != DriverKind::ordinary;
}

// Devices that insist on as many transmit as receive queues; net_memif accepts none, but then never
// connects.
bool needs_transmit_queues(const Port& port) {
  const std::string_view driver = port.report.driver;
  return port.device.kind == DriverKind::af_xdp || driver == "net_tap" || driver == "net_memif";
}

void note_kernel_interface(Port& port) {
  const auto interface = kernel_interface(port.device.interface);
  if (!interface) {
    return;
  }
  port.report.mtu = interface->mtu;
  if (!interface->up) {
    port.report.notes.push_back("interface '" + port.device.interface + "' is down: 'ip link set " +
                                port.device.interface + " up'");
  }
  if (port.device.kind == DriverKind::af_packet && port.is_inline()) {
    port.report.notes.push_back(
        "this driver sends an outer 802.1ad tag on as 802.1Q (0x8100); use AF_XDP or a NIC of "
        "DPDK's own where service tags must pass unchanged");
  }
  if (interface->coalesces && port.device.kind == DriverKind::af_packet) {
    port.report.notes.push_back(
        "the kernel merges packets (GRO or LRO) before they are seen, and merged ones longer "
        "than " +
        std::to_string(port.report.longest_frame) + " bytes are cut: 'ethtool -K " +
        port.device.interface + " gro off lro off'");
  }
}

void decide_rss(Port& port, const EthdevOptions& options) {
  PortReport& report = port.report;
  if (port.device.kind == DriverKind::af_packet) {
    report.rss = RssState::kernel_symmetric;
    report.rss_fields = "addresses and ports";
    return;
  }
  if (port.device.kind == DriverKind::af_xdp) {
    report.rss = RssState::kernel_unknown;
    return;
  }
  port.rss_types = rss_types(options.rss, port.info);
  report.rss = port.rss_types != 0 ? RssState::symmetric : RssState::none;
}

DriverKind kind_of_driver(const char* driver_name) {
  const std::string_view name = driver_name == nullptr ? "" : driver_name;
  return name == "net_af_packet" ? DriverKind::af_packet
         : name == "net_af_xdp"  ? DriverKind::af_xdp
                                 : DriverKind::ordinary;
}

std::uint64_t receive_offloads(const Port& port) {
  std::uint64_t wanted = RTE_ETH_RX_OFFLOAD_SCATTER;
  if (port.report.rss == RssState::symmetric && port.report.queues > 1) {
    wanted |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
  }
  return wanted & port.info.rx_offload_capa;
}

int configure(Port& port, const rte_eth_conf& base, std::uint16_t transmit_queues) {
  rte_eth_conf conf = base;
  port.report.tx_queues = transmit_queues;
  return rte_eth_dev_configure(port.id, port.report.queues, transmit_queues, &conf);
}

// Offloads, RSS and the numbers of queues: a tap gets no transmit queue where the driver allows.
int apply_configuration(Port& port) {
  PortReport& report = port.report;
  rte_eth_conf conf = {};
  conf.rxmode.mtu = report.mtu;
  conf.rxmode.offloads = receive_offloads(port);
  conf.txmode.offloads =
      port.is_inline() ? RTE_ETH_TX_OFFLOAD_MULTI_SEGS & port.info.tx_offload_capa : 0;
  std::vector<std::uint8_t> key = symmetric_key(port.info.hash_key_size);
  if (report.queues == 1) {
    report.rss = RssState::single_queue;
    report.rss_fields.clear();
  } else if (report.rss == RssState::symmetric) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_key = key.data();
    conf.rx_adv_conf.rss_conf.rss_key_len = static_cast<std::uint8_t>(key.size());
    conf.rx_adv_conf.rss_conf.rss_hf = port.rss_types;
    report.rss_fields = rss_type_names(port.rss_types);
  }
  report.scatter = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
  if (port.is_inline() || needs_transmit_queues(port)) {
    return configure(port, conf, report.queues);
  }
  const int result = configure(port, conf, 0);
  return result == 0 ? 0 : configure(port, conf, report.queues);
}

int settle_descriptors(Port& port) {
  PortReport& report = port.report;
  const std::uint16_t wanted = port.options.rx_descriptors;
  report.rx_descriptors = wanted != 0 ? wanted : kDefaultRxDescriptors;
  report.tx_descriptors =
      port.options.tx_descriptors != 0 ? port.options.tx_descriptors : kDefaultTxDescriptors;
  if (const int result =
          rte_eth_dev_adjust_nb_rx_tx_desc(port.id, &report.rx_descriptors, &report.tx_descriptors);
      result != 0) {
    return result;
  }
  if (wanted != 0 && report.rx_descriptors != wanted) {
    report.notes.push_back("rx_descriptors " + std::to_string(wanted) + " became " +
                           std::to_string(report.rx_descriptors) + ", which the device can have");
  }
  if (report.tx_queues == 0) {
    report.tx_descriptors = 0;
  }
  return 0;
}

// Decides the longest frame and returns the room an mbuf must have for it.
std::uint32_t settle_frame_size(Port& port) {
  PortReport& report = port.report;
  if (port.device.kind == DriverKind::af_packet) {
    report.longest_frame = ring_frame_room(ring_frame_of(port.device));
    return data_bytes_for(port.device);
  }
  report.longest_frame = frame_length(report.mtu);
  return report.scatter
             ? kDefaultDataBytes
             : std::clamp(report.longest_frame + kTwoTags, kDefaultDataBytes, kMaxDataBytes);
}

// Drops frames for a full queue instead of stopping all queues for it (the meaning of rx_drop_en).
int set_up_receive_queue(Port& port, std::uint16_t queue, int socket, std::uint64_t offloads,
                         rte_mempool* pool) {
  rte_eth_rxconf conf = port.info.default_rxconf;
  conf.rx_drop_en = 1;
  conf.offloads = offloads;
  return rte_eth_rx_queue_setup(port.id, queue, port.report.rx_descriptors,
                                static_cast<unsigned>(socket), &conf, pool);
}

// A tap must not answer congestion with pause frames.
void stop_flow_control(const Port& port) {
  rte_eth_fc_conf flow = {};
  if (!port.is_inline() && rte_eth_dev_flow_ctrl_get(port.id, &flow) == 0 &&
      flow.mode != RTE_ETH_FC_NONE) {
    flow.mode = RTE_ETH_FC_NONE;
    rte_eth_dev_flow_ctrl_set(port.id, &flow);
  }
}

void verify_rss(Port& port) {
  if (port.report.rss != RssState::symmetric) {
    return;
  }
  const std::vector<std::uint8_t> wanted = symmetric_key(port.info.hash_key_size);
  std::vector<std::uint8_t> key(wanted.size());
  rte_eth_rss_conf conf = {};
  conf.rss_key = key.data();
  conf.rss_key_len = static_cast<std::uint8_t>(key.size());
  if (port.info.hash_key_size != 0 && rte_eth_dev_rss_hash_conf_get(port.id, &conf) == 0 &&
      key != wanted) {
    port.report.notes.push_back(
        "the device reports another hash key than the symmetric one it was given: the two "
        "directions of a flow may meet in different workers");
  }
}

}  // namespace

void PoolDemand::add_workers(const EthdevOptions& options) {
  mbufs_ += std::uint64_t{options.workers} * kCachedMbufs;
  packets_ += std::uint64_t{options.workers} * (2u * options.burst + options.extra_packets);
}

void PoolDemand::add_distribution(std::uint16_t workers) {
  mbufs_ += kCachedMbufs;
  packets_ += std::uint64_t{workers} * Distributor::kSlots + Distributor::kBurst;
}

void PoolDemand::add_port(DriverKind kind, std::uint16_t queues, std::uint16_t rx_descriptors,
                          std::uint16_t tx_descriptors, std::uint32_t data_bytes,
                          std::uint32_t longest_frame) {
  // AF_PACKET copies out of the kernel's ring and keeps no mbufs; AF_XDP fills a receive and a
  // completion ring.
  const std::uint32_t held = kind == DriverKind::af_packet ? 0
                             : kind == DriverKind::af_xdp  ? 2u * rx_descriptors
                                                           : rx_descriptors;
  mbufs_ += std::uint64_t{queues} * (held + tx_descriptors);
  data_bytes_ = std::max(data_bytes_, data_bytes);
  longest_frame_ = std::max(longest_frame_, longest_frame);
}

std::uint32_t frame_length(std::uint16_t mtu) {
  return mtu + kFrameOverhead;
}

std::uint32_t data_bytes_for(const DeviceRef& device) {
  if (device.kind != DriverKind::af_packet || device.interface.empty()) {
    return kDefaultDataBytes;
  }
  return std::clamp(ring_frame_of(device), kDefaultDataBytes, kMaxDataBytes);
}

Status inspect_device(Port& port, const EthdevOptions& options) {
  if (const int result = rte_eth_dev_info_get(port.id, &port.info); result != 0) {
    return device_failure(port, "the device does not tell its abilities", result);
  }
  PortReport& report = port.report;
  report.driver = port.info.driver_name != nullptr ? port.info.driver_name : "unknown";
  // A device attached by EAL itself shows its kind only now.
  port.device.kind = kind_of_driver(port.info.driver_name);
  if (on_kernel_interface(port) && port.device.interface.empty()) {
    char name[IF_NAMESIZE] = {};
    port.device.interface = if_indextoname(port.info.if_index, name) != nullptr ? name : "";
  }
  rte_ether_addr mac = {};
  if (rte_eth_macaddr_get(port.id, &mac) == 0) {
    char text[RTE_ETHER_ADDR_FMT_SIZE] = {};
    rte_ether_format_addr(text, sizeof text, &mac);
    report.mac = text;
  }
  report.socket = std::max(rte_eth_dev_socket_id(port.id), 0);
  decide_rss(port, options);
  if (hashes_ports_always(port.info) && options.rss == RssFields::ip_pair && options.workers > 1) {
    report.notes.push_back(
        "this driver spreads TCP and UDP by ports as well: fragments and the successive "
        "connections of a client may go to different workers");
  }
  std::uint16_t most = std::min(options.workers, port.info.max_rx_queues);
  if (port.is_inline() || needs_transmit_queues(port)) {
    most = std::min(most, port.info.max_tx_queues);
  }
  report.queues_supported =
      report.rss == RssState::none ? std::uint16_t{1} : std::max(most, std::uint16_t{1});
  return {};
}

Status configure_device(Port& port, PoolDemand& demand) {
  PortReport& report = port.report;
  if (on_kernel_interface(port) && port.info.max_rx_queues != report.queues) {
    return fail(ErrorKind::config,
                "port '" + port.options.name + "': the device opens " +
                    std::to_string(port.info.max_rx_queues) + " queues, but " +
                    std::to_string(report.queues) +
                    " are read, and packets of the others would be lost: leave qpairs and "
                    "queue_count out of the device string");
  }
  std::uint16_t mtu = 0;
  rte_eth_dev_get_mtu(port.id, &mtu);
  report.mtu = port.options.mtu != 0 ? port.options.mtu : mtu;
  if (const int result = apply_configuration(port); result != 0) {
    return device_failure(port, "the device refuses its configuration", result,
                          port.options.mtu != 0 ? "; try without 'mtu'" : "");
  }
  if (const int result = settle_descriptors(port); result != 0) {
    return device_failure(port, "the device refuses the descriptor numbers", result);
  }
  const std::uint32_t data_bytes = settle_frame_size(port);
  if (on_kernel_interface(port)) {
    note_kernel_interface(port);
  }
  demand.add_port(port.device.kind, report.queues, report.rx_descriptors, report.tx_descriptors,
                  data_bytes, report.longest_frame);
  return {};
}

Status set_up_queues(Port& port, rte_mempool* pool) {
  PortReport& report = port.report;
  // The driver takes the pool's first stretch of memory for all of it.
  if (port.device.kind == DriverKind::af_xdp && pool->nb_mem_chunks > 1) {
    return device_failure(port, "AF_XDP needs its packet memory in one piece", 0,
                          "; start EAL with --iova-mode=va");
  }
  const std::uint64_t offloads = receive_offloads(port) & port.info.rx_queue_offload_capa;
  for (std::uint16_t queue = 0; queue < report.queues; ++queue) {
    if (const int result = set_up_receive_queue(port, queue, report.socket, offloads, pool);
        result != 0) {
      return device_failure(port, "receive queue " + std::to_string(queue) + " cannot be set up",
                            result, on_kernel_interface(port) ? "" : "; try fewer rx_descriptors");
    }
  }
  for (std::uint16_t queue = 0; queue < report.tx_queues; ++queue) {
    if (const int result = rte_eth_tx_queue_setup(port.id, queue, report.tx_descriptors,
                                                  static_cast<unsigned>(report.socket), nullptr);
        result != 0) {
      return device_failure(port, "transmit queue " + std::to_string(queue) + " cannot be set up",
                            result);
    }
  }
  report.mbufs = pool->size;
  report.mbuf_data_bytes = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
  report.mempool_bytes = pool_memory_bytes(report.mbufs, report.mbuf_data_bytes, PoolUse::device,
                                           rte_eal_has_hugepages() != 0);
  return {};
}

Status start_device(Port& port) {
  if (const int result = rte_eth_dev_start(port.id); result != 0) {
    return device_failure(port, "the device does not start", result);
  }
  port.started = true;
  PortReport& report = port.report;
  if (port.device.kind == DriverKind::af_packet) {
    port.drops.watch(port.device.interface);
  }
  if (port.options.promiscuous) {
    const int result = rte_eth_promiscuous_enable(port.id);
    if (result != 0 && result != -ENOTSUP) {
      return device_failure(port, "promiscuous mode cannot be set", result);
    }
    if (result == -ENOTSUP) {
      report.notes.push_back("the driver has no promiscuous mode: it delivers what it delivers");
    }
  }
  report.promiscuous = rte_eth_promiscuous_get(port.id) == 1;
  stop_flow_control(port);
  const int vlan = rte_eth_dev_get_vlan_offload(port.id);
  report.vlan_strip = vlan > 0 && (vlan & RTE_ETH_VLAN_STRIP_OFFLOAD) != 0;
  if (report.vlan_strip) {
    report.notes.push_back("the device strips VLAN tags and cannot be told otherwise");
  }
  verify_rss(port);
  report.link = link_of(port);
  return {};
}

PortSteering steering_of(const Port& port) {
  PortSteering steering;
  steering.queues = port.report.queues;
  steering.exact = port.report.rss == RssState::symmetric && port.report.queues > 1;
  steering.rss_types = port.rss_types;
  const std::uint16_t size = port.info.reta_size;
  if (!steering.exact || size == 0 || !std::has_single_bit(size)) {
    return steering;
  }
  std::vector<rte_eth_rss_reta_entry64> table((size + RTE_ETH_RETA_GROUP_SIZE - 1u) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (rte_eth_rss_reta_entry64& group : table) {
    group.mask = UINT64_MAX;
  }
  const bool known = rte_eth_dev_rss_reta_query(port.id, table.data(), size) == 0;
  for (std::uint16_t i = 0; i < size; ++i) {
    // What drivers fill it with.
    const auto usual = static_cast<std::uint16_t>(i % steering.queues);
    steering.redirection.push_back(
        known ? table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] : usual);
  }
  return steering;
}

LinkInfo link_of(const Port& port) {
  if (on_kernel_interface(port)) {
    return kernel_link(port.device.interface);
  }
  rte_eth_link link = {};
  if (rte_eth_link_get_nowait(port.id, &link) != 0) {
    return {};
  }
  return {.up = link.link_status == RTE_ETH_LINK_UP,
          .speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed,
          .full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX};
}

}  // namespace imds::port
