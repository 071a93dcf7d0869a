// Packets held in memory and handed out again and again without copying: the source for measuring
// the pipeline itself.
//
// As a NIC's driver does, the source points a few mbufs that stay in the caches at packets that do
// not: these lie one behind the other, each on cache lines of its own, in huge pages where there
// are any. The first line of a packet is fetched ahead, as a NIC would have put it into a cache.
//
// Several queues: one source each, for one worker thread each. They share nothing that is written.
// All packets between two hosts, in both directions, are in one queue.
//
// Threads: as Source. Packets are the source's: whoever receives them must not change them. An mbuf
// that is freed instead of released finds its way back too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/cursor.h"
#include "base/result.h"
#include "base/time.h"
#include "port/capture.h"
#include "port/source.h"

struct rte_mempool;

namespace imds::port {

// Gives every loop other clients, and so new flows: in loop k, counted from 0, k * `step` is added
// to every IPv4 address in `clients`, whose host bits count up and wrap around. Checksums follow.
// Inside VXLAN it is the inner addresses.
struct ReplayRewrite {
  IpPrefix clients;  // IPv4
  std::uint32_t step = 1;
};

struct ReplayOptions {
  // Loops after the first carry later timestamps, as if the packets had been recorded again right
  // after the last of them.
  std::uint64_t loops = 1;  // 0: endless
  std::uint16_t queues = 1;
  std::optional<ReplayRewrite> rewrite{};
  bool huge_pages = true;        // where there are any
  std::uint64_t most_bytes = 0;  // of memory for packets; 0: what the system has available
  std::uint32_t mbufs = 4095;    // of each queue: packets in flight; with none left none come
};

class ReplaySource final : public Source {
 public:
  using EmitFrame = std::function<void(Timestamp, ByteSpan)>;  // copies; Ethernet, uncut
  using MakeFrames = std::function<void(const EmitFrame&)>;
  using Queues = std::vector<std::unique_ptr<ReplaySource>>;  // options.queues of them

  // All packets of `paths` (as CaptureReader::open). A damaged or empty capture is an Error here
  // (runtime). So are, for both, packets that do not fit into memory (environment): the message
  // says how much they need. EAL must be running and register_packet_meta() done.
  [[nodiscard]] static Result<Queues> from_captures(const std::vector<std::string>& paths,
                                                    const ReplayOptions& options);
  // All packets that `make` emits, in that order.
  [[nodiscard]] static Result<Queues> from_frames(const MakeFrames& make,
                                                  const ReplayOptions& options);
  ~ReplaySource() override;

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> burst) override;
  void release(std::span<rte_mbuf* const> burst) override;
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }
  // An endless queue never is, not even without packets.
  [[nodiscard]] bool exhausted() const override;

  // Of one loop, in this queue.
  [[nodiscard]] std::size_t packets() const { return packet_count_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // For packets and what is known of each; without mbufs.
  [[nodiscard]] std::uint64_t memory_bytes() const;

 private:
  struct Packets;
  class Loader;
  struct Packet;

  ReplaySource();
  [[nodiscard]] Status prepare(const ReplayOptions& options);
  [[nodiscard]] bool refill(std::size_t wanted);
  void rewrite(const Packet& packet, std::uint8_t* frame) const;
  template <bool kRewrite>
  [[nodiscard]] std::uint64_t fill(std::span<rte_mbuf*> burst);
  void chain(rte_mbuf* head, const Packet& packet);
  void begin_next_loop();

  std::unique_ptr<Packets> memory_;
  const Packet* packets_ = nullptr;
  std::uint8_t* data_ = nullptr;
  std::size_t packet_count_ = 0;
  std::size_t next_ = 0;
  std::int64_t loop_ns_ = 0;   // length of one loop, the same in all queues
  std::int64_t shift_ns_ = 0;  // of this loop's timestamps
  std::uint64_t loops_left_ = 1;
  bool endless_ = false;
  std::uint32_t step_ = 0;       // of this loop's addresses: 0 in the first
  std::uint32_t next_step_ = 0;  // and in all others
  std::uint32_t host_mask_ = 0;
  rte_mempool* pool_ = nullptr;
  std::vector<rte_mbuf*> idle_;  // the first idle_count_; last in, first out
  std::size_t idle_count_ = 0;
  std::size_t most_segments_ = 1;  // mbufs of the longest packet
  std::uint64_t bytes_ = 0;
};

}  // namespace imds::port
