// The exchanges of one worker that are followed: requests that mattered and wait for their answers,
// and the answer being read. A fixed number of them; flows without one pay nothing.
//
// A new exchange always finds room: the one unused for longest is given up, and counted. Its flow
// finds out when it next looks. A flow is known by its address: it must stay where it is while it
// holds an exchange. Texts of requests lie in the worker's arena; what is given up or closed gives
// them back. One owner thread; counters may be read by anyone. After construction nothing is
// allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/counter.h"
#include "base/fixed_text.h"
#include "base/time.h"
#include "event/exchange.h"
#include "evidence/inflater.h"
#include "evidence/metadata_path.h"
#include "evidence/response_body.h"
#include "flow/arena.h"

namespace imds::detect {

struct FlowState;

// The parts of a noted target that says what it means, by their places in the noted texts, so that
// nobody has to take it apart again.
struct PlainTarget {
  static constexpr std::uint16_t kNone = 0xffff;
  bool is_set = false;
  std::uint16_t path_size = 0;       // from the target's beginning
  std::uint16_t query_size = kNone;  // behind the path and a question mark
  std::uint16_t domain_begin = 0;    // in the host
  std::uint16_t domain_size = kNone;
};

// A request that waits for its answer.
struct RequestNote {
  // Method, target, host, user agent and, where rules ask for them, headers: one behind the other.
  flow::HeadBuffer text;
  std::array<std::uint16_t, 5> ends{};
  evidence::Asked asked = evidence::Asked::other;
  std::uint8_t version = 0;  // see event::ExchangeFields
  bool forwarded = false;
  bool is_put = false;
  bool mattered = false;  // it matched, or went to an endpoint; else only its turn counts
  PlainTarget plain;
};

// The answer being read.
struct Answer {
  RequestNote request;
  bool has_request = false;
  bool is_open = false;    // its head was read, its end not
  bool is_at_end = false;  // nothing more of it will come, most likely
  bool delivery_told = false;
  bool token_told = false;
  std::uint16_t status = 0;  // 0: its head was not seen
  std::uint32_t token_ttl = 0;
  FixedText<32> server;
  FixedText<64> mime_type;
  evidence::ResponseBody body;
};

struct alignas(kCacheLine) Exchange {
  static constexpr std::size_t kMostWaiting = 8;

  // First, on few cache lines, what every packet of its flow looks at.
  const FlowState* owner = nullptr;  // nullptr: the slot is free
  std::uint8_t first = 0;
  std::uint8_t count = 0;
  std::uint16_t unnoted = 0;  // requests behind those, for which there was no room
  std::uint32_t answers = 0;  // heads read so far
  // An answer whose request was not seen yet waits since then.
  Timestamp held_since;
  std::uint32_t held_packets = 0;
  std::array<RequestNote, kMostWaiting> waiting;  // a ring
  Answer answer;

  [[nodiscard]] bool expects_answer() const { return count > 0 || unnoted > 0; }
  // Whether any of the requests that wait mattered, as far as they are known.
  [[nodiscard]] bool awaits_what_matters() const {
    bool matters = unnoted > 0;
    for (std::size_t i = 0; i < count; ++i) {
      matters = matters || waiting[(first + i) % kMostWaiting].mattered;
    }
    return matters;
  }
};

class Exchanges {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::size_t kMostSlots = 65535;  // a flow names its slot by 16 bits

  // 1 to kMostSlots slots; `arena` must outlive it. Throws std::bad_alloc.
  Exchanges(std::size_t slots, std::size_t inflaters, flow::Arena& arena);
  Exchanges(const Exchanges&) = delete;
  Exchanges& operator=(const Exchanges&) = delete;

  // The flow's, or a fresh one.
  [[nodiscard]] Exchange& open(FlowState& owner);
  // The flow's, now the one used last; nullptr if it holds none (any more).
  [[nodiscard]] Exchange* find(const FlowState& owner);
  // For find(), soon.
  void prefetch(std::uint16_t slot) const {
    if (slot < slots_.size()) {
      const auto* const begin = reinterpret_cast<const char*>(&slots_[slot]);
      for (std::size_t at = 0; at < offsetof(Exchange, answer); at += kCacheLine) {
        __builtin_prefetch(begin + at);
      }
    }
  }
  // Gives it back; harmless if the flow holds none.
  void close(FlowState& owner);

  // Puts a request at the end of those that wait. False: there is no room; its answer will be taken
  // for one without a request.
  bool add(Exchange& exchange, const RequestNote& note);
  // Gives up what the answer holds.
  void drop(Answer& answer);
  void drop(RequestNote& note) { arena_.release(note.text); }

  [[nodiscard]] evidence::Inflaters& inflaters() { return inflaters_; }

  struct Counters {
    Counter capacity;  // gauge, constant
    Counter open;      // gauge
    Counter evicted;   // given up for others
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void link(std::uint32_t slot);
  void unlink(std::uint32_t slot);
  void free_slot(std::uint32_t slot);

  flow::Arena& arena_;
  evidence::Inflaters inflaters_;
  // A slot's neighbours in the order of use: apart, as they are looked at for neighbours' sake.
  struct Neighbours {
    std::uint32_t older = 0;
    std::uint32_t newer = 0;
  };

  std::vector<Exchange> slots_;
  std::vector<Neighbours> order_;
  std::vector<std::uint32_t> free_;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  Counters counters_;
};

}  // namespace imds::detect
