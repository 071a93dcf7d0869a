// Two workers that give each other what belongs to the other, and packets for them.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "fragments.h"
#include "pipeline/handover.h"
#include "port/steering.h"

namespace imds::pipeline {

inline port::PortSteering symmetric(std::uint16_t queues, std::uint64_t types = 0) {
  port::PortSteering port;
  port.queues = queues;
  port.exact = true;
  port.rss_types = types;
  for (std::uint16_t i = 0; i < 128; ++i) {
    port.redirection.push_back(i % queues);
  }
  return port;
}

// Two workers and what is between them.
class Pair {
 public:
  explicit Pair(const port::PortSteering& port) {
    steering_.ports() = {port, port};
    (void)Shared::get();
    handover_ = Handover::create(2, steering_).value();
    for (unsigned w = 0; w < 2; ++w) {
      Options options = small_options();
      options.index = w;
      options.handover = handover_.get();
      rigs_.push_back(std::make_unique<Rig>(options));
    }
  }
  ~Pair() {
    for (const auto& rig : rigs_) {
      rig->worker().finish();
      const WorkerCounters& c = rig->worker().counters();
      EXPECT_EQ(c.packets.get() + c.taken_over.get(), rig->disposed());
    }
    EXPECT_EQ(rigs_[0]->count(Disposition::handed_over) + rigs_[1]->count(Disposition::handed_over),
              rigs_[0]->worker().counters().taken_over.get() +
                  rigs_[1]->worker().counters().taken_over.get());
  }

  Rig& rig(unsigned w) { return *rigs_[w]; }
  void poll(unsigned w, ListSource& source) {
    port::Source* const sources[] = {&source};
    while (!source.exhausted()) {
      rigs_[w]->worker().poll(sources);
    }
  }
  void poll(unsigned w) { rigs_[w]->worker().poll({}); }
  // The worker a packet of these ends belongs to.
  [[nodiscard]] unsigned owner(const Ends& ends, unsigned client_port = 0) const {
    return steering_.queue_of(
        0, {*IpAddress::parse(ends.source), *IpAddress::parse(ends.destination), 6,
            static_cast<std::uint16_t>(client_port), 80});
  }
  [[nodiscard]] Handover& handover() { return *handover_; }

 private:
  port::Steering steering_;
  std::unique_ptr<Handover> handover_;
  std::vector<std::unique_ptr<Rig>> rigs_;
};

// A source that belongs to worker `w`.
inline Ends ends_of(const Pair& pair, unsigned w) {
  for (unsigned i = 1; i < 200; ++i) {
    Ends ends{"10.0.0." + std::to_string(i), "169.254.169.254"};
    if (pair.owner(ends) == w) {
      return ends;
    }
  }
  throw std::logic_error("the hash does not spread");
}

// The same packet inside VXLAN, as a mirror of a cloud network delivers it.
inline support::Bytes mirrored(const support::Bytes& frame, unsigned source_port = 50000) {
  return support::PacketBuilder()
      .ethernet()
      .ipv4("172.16.0.1", "172.16.0.2")
      .udp(source_port, 4789)
      .tunnel(support::vxlan(42))
      .bytes(frame)
      .build();
}

}  // namespace imds::pipeline
