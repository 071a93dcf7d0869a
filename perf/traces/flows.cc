#include "flows.h"

#include <algorithm>
#include <vector>

#include "maker.h"

namespace imds::traces {

namespace {

constexpr std::int64_t kLifeNs = 10 * kNanosPerSecond;
constexpr std::uint64_t kMostFlows = 100'000'000;
constexpr std::uint64_t kMostGenerations = 1024;  // of 2048 that the addresses have room for
// Of a connection in its life, for every N: traces of different N differ in nothing else.
constexpr std::uint64_t kPacketsPerFlow = 20;
constexpr std::uint64_t kMostPackets = 1'200'000;  // of a trace, unless more are asked for
// A generation's clients: 8192 addresses and 16 ports each.
constexpr std::uint32_t kClients = 0x0a000000;  // 10.0.0.0/8
constexpr std::uint32_t kStep = 8192;
constexpr std::uint64_t kPortsPerClient = 16;
constexpr std::uint64_t kMostInGeneration = kStep * kPortsPerClient;

// N flows as `generations` times `per_generation`; with N not divisible, a few more than N.
struct Shape {
  std::uint64_t generations;
  std::uint64_t per_generation;
};

Shape shape_of(std::uint64_t flows, std::uint64_t packets) {
  const auto ceil_divide = [](std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; };
  const std::uint64_t affordable = std::max<std::uint64_t>(1, packets / kPacketsPerFlow);
  Shape shape{};
  const std::uint64_t wanted =
      std::clamp(affordable, std::max<std::uint64_t>(1, ceil_divide(flows, kMostGenerations)),
                 std::min(flows, kMostInGeneration));
  shape.generations = ceil_divide(flows, wanted);
  shape.per_generation = ceil_divide(flows, shape.generations);
  return shape;
}

struct Event {
  std::int64_t time_ns;  // since the loop began
  std::uint32_t flow;
  std::uint32_t packet;
  std::uint32_t age;  // loops since its connection began
};

// When the packets of a connection come, as parts of its life: the handshake at once, the end at
// the end, the rest anywhere between.
std::vector<double> times_in_life(Random& random, std::size_t packets) {
  constexpr std::size_t kAtOnce = 6;  // handshake and hellos
  constexpr std::size_t kAtEnd = 3;
  constexpr double kMoment = 0.0005;  // 5 ms
  std::vector<double> times(packets);
  for (std::size_t i = 0; i < packets; ++i) {
    times[i] = i < kAtOnce             ? static_cast<double>(i) * kMoment / 10
               : i + kAtEnd >= packets ? 1.0 - static_cast<double>(packets - i) * kMoment / 10
                                       : kMoment + random.fraction() * (1 - 2 * kMoment);
  }
  std::sort(times.begin(), times.end());
  return times;
}

class FlowsTrace {
 public:
  FlowsTrace(std::uint64_t flows, std::uint64_t packets, std::uint64_t seed)
      : shape_(shape_of(flows, packets)),
        loop_ns_(kLifeNs / static_cast<std::int64_t>(shape_.generations)),
        maker_(seed) {
    for (std::uint64_t i = 0; i < shape_.per_generation; ++i) {
      add(maker_.short_tls(client(i), port(i), kPacketsPerFlow), kLifeNs, true);
    }
    constexpr std::uint64_t kOfInterest = 2000;  // one in so many packets, by and by
    const std::uint64_t interesting = std::max<std::uint64_t>(1, events_.size() / kOfInterest / 20);
    for (std::uint64_t i = 0; i < interesting; ++i) {
      // Complete within a loop, so that each loop alerts alike.
      const std::uint64_t which = maker_.random().between(0, shape_.per_generation - 1);
      Conversation one = maker_.imds_of(
          client(which), kFirstInterestingPort + static_cast<std::uint16_t>(i % 8192));
      alerts_.add(one.alerts);
      add(std::move(one), loop_ns_ / 10, false);
    }
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
      return a.time_ns != b.time_ns ? a.time_ns < b.time_ns
             : a.flow != b.flow     ? a.flow < b.flow
                                    : a.packet < b.packet;
    });
  }

  Summary play(const Emit& emit) {
    Summary summary;
    support::Bytes frame;
    const Timestamp begin{1'760'000'000 * kNanosPerSecond};
    for (const Event& event : events_) {
      Conversation& conversation = conversations_[event.flow];
      const IpAddress client = conversation.ends.client;
      conversation.ends.client = generation(client, event.age);
      conversation.write(event.packet, maker_.noise(), frame);
      conversation.ends.client = client;
      emit(Timestamp{begin.ns + event.time_ns}, frame);
      ++summary.packets;
      summary.bytes += frame.size();
    }
    summary.flows = conversations_.size();
    summary.concurrent = shape_.generations * shape_.per_generation;
    summary.loops_to_fill = shape_.generations;
    summary.alerts = alerts_;
    return summary;
  }

 private:
  static constexpr std::uint16_t kFirstPort = 32'768;
  static constexpr std::uint16_t kFirstInterestingPort = 50'000;

  static IpAddress client(std::uint64_t i) {
    return IpAddress::v4(kClients + static_cast<std::uint32_t>(i / kPortsPerClient));
  }
  static std::uint16_t port(std::uint64_t i) {
    return static_cast<std::uint16_t>(kFirstPort + i % kPortsPerClient * 1000 +
                                      i / kPortsPerClient % 1000);
  }
  // The client as many generations before this one.
  static IpAddress generation(const IpAddress& client, std::uint32_t age) {
    const std::uint32_t host = client.v4_host_order() - kClients - age * kStep;
    return IpAddress::v4(kClients | (host & 0x00ffffff));
  }

  // Begins anywhere in the loop; or, if it must not go on in the next, early enough.
  void add(Conversation conversation, std::int64_t life_ns, bool may_wrap) {
    Random& random = maker_.random();
    const std::vector<double> times = times_in_life(random, conversation.packets.size());
    const auto latest = static_cast<double>(may_wrap ? loop_ns_ : loop_ns_ - life_ns);
    const auto begin = static_cast<std::int64_t>(random.fraction() * latest);
    for (std::size_t i = 0; i < times.size(); ++i) {
      const std::int64_t at =
          begin + static_cast<std::int64_t>(times[i] * static_cast<double>(life_ns));
      events_.push_back({at % loop_ns_, static_cast<std::uint32_t>(conversations_.size()),
                         static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(at / loop_ns_)});
    }
    conversations_.push_back(std::move(conversation));
  }

  Shape shape_;
  std::int64_t loop_ns_;
  Maker maker_;
  std::vector<Conversation> conversations_;
  std::vector<Event> events_;
  Alerts alerts_;
};

}  // namespace

std::optional<std::uint64_t> flows_of_name(std::string_view name) {
  constexpr std::string_view kPrefix = "flows-";
  if (name.substr(0, kPrefix.size()) != kPrefix) {
    return std::nullopt;
  }
  name.remove_prefix(kPrefix.size());
  std::uint64_t factor = 1;
  if (!name.empty() && (name.back() == 'k' || name.back() == 'M')) {
    factor = name.back() == 'k' ? 1000 : 1'000'000;
    name.remove_suffix(1);
  }
  std::uint64_t number = 0;
  for (const char c : name) {
    if (c < '0' || c > '9' || number > kMostFlows) {
      return std::nullopt;
    }
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (name.empty() || number == 0 || number > kMostFlows / factor) {
    return std::nullopt;
  }
  return number * factor;
}

Profile flows_profile(std::string_view name, std::uint64_t flows) {
  Profile out;
  out.name = name;
  out.text = std::to_string(flows) +
             " TCP connections at once, a tenth of them new per second (any N: 1 to 100M)";
  out.packets = std::min(kMostPackets, flows * kPacketsPerFlow);
  out.flows = flows;
  out.rewrite.clients = {IpAddress::v4(kClients), 8};
  out.rewrite.step = kStep;
  return out;
}

Summary generate_flows(const Profile& profile, std::uint64_t packets, std::uint64_t seed,
                       const Emit& emit) {
  return FlowsTrace(profile.flows, packets, seed).play(emit);
}

}  // namespace imds::traces
