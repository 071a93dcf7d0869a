// One worker's part of keeping evidence: which packets are kept, where in which file they will
// stand, and copies of them into the lane to the writer.
//
// The worker says which frame is at hand; detection says, in between, that an alert was raised
// (tell()), and at the end what the packet's flow is (after()). From its first alert on all packets
// of a flow are kept, up to a limit of packets and bytes. Of flows that may yet alert, the last
// packets are remembered in a small store: heads split over segments are there when their alert
// comes.
//
// A packet's file and number are decided when it is copied, so they are true unless the disk fails
// afterwards. What is not kept is counted by reason, and the alert names no packet then.
//
// A flow is known by its mark's address: that must stay where it is until close().
//
// Threads: one owner, the lane's producer. After the constructor nothing allocates, locks or waits;
// with Options::wait (captures, read faster than disks write) it waits for the writer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/cursor.h"
#include "base/time.h"
#include "event/kept_packets.h"
#include "exhibit/lane.h"

namespace imds::exhibit {

// A frame as it was received. Its bytes stay where they are while it is at hand.
struct Frame {
  ByteSpan bytes;
  Timestamp time;
  std::uint32_t original_length = 0;
  std::uint16_t link = 1;  // LINKTYPE_
  std::uint16_t port = 0;
  // Ids of tags the NIC took off, the one nearest to the payload and one in front of it; or -1.
  std::int32_t stripped_vlan = -1;
  std::int32_t stripped_outer_vlan = -1;
  bool is_test = false;  // never kept
};

// In every flow's state: which exchange of the recorder it is.
struct Mark {
  static constexpr std::uint16_t kNone = 0xffff;
  static constexpr std::uint16_t kRemembered = 0xfffe;  // packets of it are in the small store
  std::uint16_t exchange = kNone;
};

class Recorder {
 public:
  struct Options {
    std::uint32_t run = 1;
    std::uint64_t file_bytes = std::uint64_t{64} << 20;
    std::uint32_t exchange_packets = 256;
    std::uint32_t exchange_bytes = 256u << 10;
    std::uint32_t exchanges_per_minute = 600;
    std::size_t exchanges = 1024;  // followed at once, at most 65534
    bool wait = false;
  };
  // `lane` must outlive it. Throws std::bad_alloc.
  Recorder(const Options& options, Lane& lane);

  // The worker: the frame that is inspected from here on, and its end.
  void take_up(const Frame& frame) {
    frame_ = frame;
    is_at_hand_ = !frame.is_test;
    number_ = 0;
    noted_ = nullptr;
    flags_ = 0;
  }
  void put_down() { is_at_hand_ = false; }

  // While it lives, events are of flows that the frame at hand does not belong to.
  class Aside {
   public:
    explicit Aside(Recorder* recorder) : recorder_(recorder) {
      if (recorder_ != nullptr) {
        was_ = recorder_->is_at_hand_;
        recorder_->is_at_hand_ = false;
      }
    }
    ~Aside() {
      if (recorder_ != nullptr) {
        recorder_->is_at_hand_ = was_;
      }
    }
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

   private:
    Recorder* recorder_;
    bool was_ = false;
  };

  // Of the frame at hand: its payload begins where a message may begin.
  void may_begin_message() { flags_ |= kMayBeginMessage; }
  // An alert was raised, by the frame at hand if there is one. `mark`: of its flow; nullptr: it is
  // of none. What the alert may say.
  [[nodiscard]] event::KeptPackets tell(Mark* mark, bool is_claim);
  // Everything that the frame at hand had to tell is told. `may_alert`: its flow may yet.
  void after(Mark& mark, bool may_alert);
  // Whether the flow's next packets are to be kept.
  [[nodiscard]] bool keeps(const Mark& mark) const;
  // The flow is over.
  void close(Mark& mark);

  static constexpr std::size_t kRememberedFrames = 128;
  static constexpr std::size_t kLongestRemembered = 2048;

 private:
  struct Exchange {
    const Mark* owner = nullptr;
    std::uint32_t packets = 0;
    std::uint32_t bytes = 0;
    event::KeptPackets kept;
  };
  struct Remembered {
    const Mark* owner = nullptr;
    Frame frame;
    std::uint8_t flags = 0;
  };

  [[nodiscard]] Exchange* find(const Mark& mark);
  [[nodiscard]] Exchange* open(Mark& mark);
  [[nodiscard]] bool may_begin();
  [[nodiscard]] bool is_full(const Exchange& exchange, std::size_t more) const;
  void keep_at_hand(Exchange& exchange);
  void keep(Exchange& exchange, const Frame& frame, std::uint8_t flags);
  void keep_remembered(const Mark& mark, Exchange& exchange);
  void remember(Mark& mark);
  void forget_remembered(const Mark& mark);
  [[nodiscard]] std::uint32_t put(const Frame& frame, std::uint8_t flags);
  [[nodiscard]] bool turn_page(std::size_t bytes);
  void count(NotKept reason) { lane_.counters.not_kept[static_cast<std::size_t>(reason)].add(); }

  Options options_;
  Lane& lane_;
  std::vector<Exchange> exchanges_;
  std::size_t next_exchange_ = 0;  // the one begun longest ago, or free
  std::vector<Remembered> remembered_;
  std::vector<std::uint8_t> remembered_bytes_;
  std::size_t next_remembered_ = 0;

  // The file being filled.
  std::uint32_t file_ = 1;
  std::uint32_t packets_in_file_ = 0;
  std::uint64_t bytes_in_file_;

  // The minute in which exchanges are counted.
  std::int64_t minute_ns_ = 0;
  std::uint32_t begun_ = 0;

  // At hand.
  Frame frame_;
  bool is_at_hand_ = false;
  std::uint8_t flags_ = 0;
  std::uint32_t number_ = 0;  // 0: not kept so far
  std::uint32_t number_file_ = 0;
  const Exchange* noted_ = nullptr;  // has its number
};

}  // namespace imds::exhibit
