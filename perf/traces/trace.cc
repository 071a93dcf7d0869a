#include "trace.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <vector>

#include "conversations.h"

namespace imds::traces {

namespace {

// How much of a trace each kind of conversation makes up, in bytes, and how many run at a time.
struct Share {
  Kind kind;
  double bytes;
};
struct Recipe {
  Profile profile;
  std::size_t concurrent;
  std::vector<Share> shares;
};

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = {
      {{"small", "64-byte frames, TCP and UDP, nothing of interest but a handful of requests",
        262'144},
       16'384,
       {{Kind::small_tcp, 0.749}, {Kind::small_udp, 0.25}, {Kind::imds, 0.001}}},
      {{"mix-lite", "60 % TLS, 30 % HTTP with bodies, 9 % UDP, 1 % IMDS by bytes", 262'144},
       2'000,
       {{Kind::tls, 0.60}, {Kind::http, 0.30}, {Kind::udp, 0.09}, {Kind::imds, 0.01}}},
      {{"http", "request heads only, one per packet, next to none of interest", 262'144},
       2'000,
       {{Kind::heads, 0.999}, {Kind::imds, 0.001}}},
      {{"imds", "nothing but clients of the metadata service: every request alerts", 65'536},
       500,
       {{Kind::imds, 1.0}}},
  };
  return all;
}

const Recipe& recipe_of(const Profile& profile) {
  return *std::find_if(recipes().begin(), recipes().end(),
                       [&](const Recipe& r) { return r.profile.name == profile.name; });
}

// Decides which kind of conversation comes next: the one furthest behind its share.
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
  void made(std::size_t which, const Conversation& conversation) {
    for (const support::Bytes& frame : conversation.frames) {
      made_[which] += static_cast<double>(frame.size());
    }
  }

 private:
  const std::vector<Share>& shares_;
  std::vector<double> made_;
};

struct Running {
  Conversation conversation;
  std::size_t next = 0;
};

}  // namespace

std::span<const Profile> profiles() {
  static const std::vector<Profile> all = [] {
    std::vector<Profile> out;
    for (const Recipe& recipe : recipes()) {
      out.push_back(recipe.profile);
    }
    return out;
  }();
  return all;
}

const Profile* find_profile(std::string_view name) {
  const auto all = profiles();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Profile& p) { return p.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Summary generate(const Profile& profile, std::uint64_t packets, std::uint64_t seed,
                 const Emit& emit) {
  constexpr std::size_t kMostInARow = 4;  // packets of one conversation
  constexpr std::int64_t kStepNs = 1000;
  const Recipe& recipe = recipe_of(profile);
  ConversationMaker maker(seed);
  Chooser chooser(recipe.shares);
  Summary summary;
  std::uint64_t planned = 0;
  std::vector<Running> running;
  Timestamp time{1'760'000'000 * kNanosPerSecond};

  const auto begin_conversation = [&] {
    const std::size_t which = chooser.next();
    Running added{maker.make(recipe.shares[which].kind)};
    chooser.made(which, added.conversation);
    planned += added.conversation.frames.size();
    ++summary.flows;
    for (const auto& [event, count] : added.conversation.alerts) {
      summary.alerts[event] += count;
    }
    running.push_back(std::move(added));
  };

  for (;;) {
    while (running.size() < recipe.concurrent && planned < packets) {
      begin_conversation();
    }
    if (running.empty()) {
      return summary;
    }
    const std::size_t chosen = maker.random()() % running.size();
    Running& one = running[chosen];
    for (std::size_t i = 1 + maker.random()() % kMostInARow;
         i > 0 && one.next < one.conversation.frames.size(); --i) {
      const support::Bytes& frame = one.conversation.frames[one.next++];
      emit(time, frame);
      time.ns += kStepNs;
      ++summary.packets;
      summary.bytes += frame.size();
    }
    if (one.next == one.conversation.frames.size()) {
      std::swap(one, running.back());
      running.pop_back();
    }
  }
}

}  // namespace imds::traces
