#include "trace.h"

#include <algorithm>
#include <vector>

#include "flows.h"
#include "maker.h"
#include "recipes.h"

namespace imds::traces {

namespace {

// Which kind of conversation comes next: the one furthest behind its share.
class Chooser {
 public:
  explicit Chooser(const std::vector<Share>& shares) : shares_(shares), made_(shares.size()) {}

  [[nodiscard]] std::size_t next() const {
    std::size_t best = 0;
    for (std::size_t i = 1; i < shares_.size(); ++i) {
      if (made_[i] / shares_[i].bytes < made_[best] / shares_[best].bytes) {
        best = i;
      }
    }
    return best;
  }
  void made(std::size_t which, std::uint64_t bytes) { made_[which] += static_cast<double>(bytes); }

 private:
  const std::vector<Share>& shares_;
  std::vector<double> made_;
};

// Plays conversations at the same time: a few packets of one, then of another, chosen at random.
class Scheduler {
 public:
  Scheduler(const Recipe& recipe, std::uint64_t packets, std::uint64_t seed, const Emit& emit)
      : recipe_(recipe), emit_(emit), packets_(packets), maker_(seed), chooser_(recipe.shares) {
    maker_.set_link(recipe.link);
    const double scale =
        std::min(1.0, static_cast<double>(packets) / static_cast<double>(recipe.profile.packets));
    concurrent_ = std::max<std::size_t>(
        1, static_cast<std::size_t>(scale * static_cast<double>(recipe.profile.flows)));
  }

  Summary run() {
    if (recipe_.elephant > 0) {
      elephant_ = maker_.elephant(
          static_cast<std::uint64_t>(recipe_.elephant * static_cast<double>(packets_)));
      planned_ = elephant_.size();
      ++summary_.flows;
    }
    for (;;) {
      while (running_.size() < concurrent_ && planned_ < packets_) {
        begin_conversation();
      }
      summary_.concurrent = std::max<std::uint64_t>(
          summary_.concurrent, running_.size() + (elephant_.is_done() ? 0 : 1));
      if (!elephant_.is_done() &&
          (running_.empty() || maker_.random().fraction() < recipe_.elephant)) {
        play_some(elephant_);
      } else if (!running_.empty()) {
        const std::size_t chosen = maker_.random().between(0, running_.size() - 1);
        play_some(running_[chosen]);
        if (running_[chosen].is_done()) {
          std::swap(running_[chosen], running_.back());
          running_.pop_back();
        }
      } else {
        return summary_;
      }
    }
  }

 private:
  void begin_conversation() {
    const std::size_t which = chooser_.next();
    Conversation added = maker_.make(recipe_.shares[which].kind);
    chooser_.made(which, added.bytes());
    planned_ += added.size();
    ++summary_.flows;
    summary_.alerts.add(added.alerts);
    running_.push_back(std::move(added));
  }

  void play_some(Conversation& one) {
    constexpr std::size_t kMostInARow = 4;
    for (std::size_t i = maker_.random().between(1, kMostInARow); i > 0 && !one.is_done(); --i) {
      one.write(one.next++, maker_.noise(), frame_);
      emit_(Timestamp{kBegin.ns + since_start_ns_}, frame_);
      ++summary_.packets;
      summary_.bytes += frame_.size();
      since_start_ns_ += time_to_next();
    }
  }

  [[nodiscard]] std::int64_t time_to_next() const {
    constexpr std::size_t kOnWire = 24;  // preamble, FCS and gap
    constexpr std::int64_t kGbitPerSecond = 10;
    return recipe_.seconds != 0
               ? recipe_.seconds * kNanosPerSecond / static_cast<std::int64_t>(packets_)
               : static_cast<std::int64_t>(frame_.size() + kOnWire) * 8 / kGbitPerSecond;
  }

  static constexpr Timestamp kBegin{1'760'000'000 * kNanosPerSecond};

  const Recipe& recipe_;
  const Emit& emit_;
  std::uint64_t packets_;
  std::size_t concurrent_ = 1;
  Maker maker_;
  Chooser chooser_;
  Conversation elephant_;
  std::vector<Conversation> running_;
  std::uint64_t planned_ = 0;
  std::int64_t since_start_ns_ = 0;
  support::Bytes frame_;
  Summary summary_;
};

}  // namespace

void Alerts::add(std::string_view event, std::string_view rule, std::uint64_t count) {
  by_event[std::string(event)] += count;
  by_rule[std::string(rule)] += count;
}

void Alerts::add(const Alerts& other) {
  for (const auto& [event, count] : other.by_event) {
    by_event[event] += count;
  }
  for (const auto& [rule, count] : other.by_rule) {
    by_rule[rule] += count;
  }
}

std::uint64_t Alerts::total() const {
  std::uint64_t sum = 0;
  for (const auto& [rule, count] : by_rule) {
    sum += count;
  }
  return sum;
}

std::span<const Profile> profiles() {
  static const std::vector<Profile> all = [] {
    std::vector<Profile> out;
    for (const Recipe& recipe : recipes()) {
      out.push_back(recipe.profile);
    }
    for (const std::string_view name : {"flows-10k", "flows-1M", "flows-10M"}) {
      out.push_back(flows_profile(name, *flows_of_name(name)));
    }
    return out;
  }();
  return all;
}

std::optional<Profile> find_profile(std::string_view name) {
  for (const Alias& alias : aliases()) {
    if (alias.name == name) {
      name = alias.profile;
    }
  }
  if (const Recipe* recipe = find_recipe(name)) {
    return recipe->profile;
  }
  if (const auto flows = flows_of_name(name)) {
    return flows_profile(name, *flows);
  }
  return std::nullopt;
}

Summary generate(const Profile& profile, std::uint64_t packets, std::uint64_t seed,
                 const Emit& emit) {
  const Recipe* recipe = find_recipe(profile.name);
  return recipe != nullptr ? Scheduler(*recipe, packets, seed, emit).run()
                           : generate_flows(profile, packets, seed, emit);
}

}  // namespace imds::traces
