#include "recipes.h"

#include <algorithm>

namespace imds::traces {

namespace {

const std::vector<Share>& ordinary() {
  static const std::vector<Share> shares = {{Kind::tls, 0.60},
                                            {Kind::web, 0.30},
                                            {Kind::quic, 0.0885},
                                            {Kind::dns, 0.0015},
                                            {Kind::imds, 0.01}};
  return shares;
}

std::vector<Recipe> make_recipes() {
  const auto profile = [](const char* name, const char* text, std::uint64_t packets,
                          std::uint64_t flows) {
    return Profile{name, text, packets, flows, {}};
  };
  return {
      {profile("mix", "60 % TLS, 30 % HTTP/1 with bodies, 9 % QUIC and DNS, 1 % IMDS, by bytes",
               1'310'720, 20'000),
       ordinary()},
      {profile("mix-vlan", "mix behind one VLAN tag or two (alias: vlan)", 1'310'720, 20'000),
       ordinary(), Link::vlan},
      {profile("mix-vxlan", "mix inside VXLAN (alias: vxlan)", 1'310'720, 20'000), ordinary(),
       Link::vxlan},
      {profile("imix", "frames of 64, 570 and 1518 bytes as 7 to 4 to 1, TLS and QUIC", 1'048'576,
               10'000),
       {{Kind::imix_tcp, 0.799}, {Kind::imix_udp, 0.2}, {Kind::imds, 0.001}}},
      {profile("small", "64-byte frames, next to none of interest", 1'048'576, 16'384),
       {{Kind::bare_acks, 0.5},
        {Kind::small_udp, 0.299},
        {Kind::chatter, 0.2},
        {Kind::imds, 0.001}}},
      {profile("http", "request heads of browsers and programs, next to none of interest", 262'144,
               4'096),
       {{Kind::heads, 0.999}, {Kind::imds, 0.001}}},
      {profile("imds", "clients of the metadata service: every request alerts", 131'072, 1'024),
       {{Kind::imds, 1.0}}},
      {profile("exchanges", "clients of the service that are given a token, a role and credentials",
               131'072, 1'024),
       {{Kind::exchange, 1.0}}},
      // Longer than a defragmenter remembers: fragments of one loop are no duplicates in the next.
      {profile("hostile",
               "requests out of order, overlapping, fragmented, tunnelled, encoded; and decoys",
               262'144, 2'048),
       {{Kind::hostile, 1.0}},
       Link::plain,
       0,
       45},
      {profile("elephant", "one download carries 95 % of the packets, mix the rest", 524'288, 501),
       ordinary(), Link::plain, 0.95},
  };
}

}  // namespace

std::span<const Recipe> recipes() {
  static const std::vector<Recipe> all = make_recipes();
  return all;
}

std::span<const Alias> aliases() {
  static constexpr Alias all[] = {{"vlan", "mix-vlan"}, {"vxlan", "mix-vxlan"}};
  return all;
}

const Recipe* find_recipe(std::string_view profile) {
  const auto all = recipes();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Recipe& r) { return r.profile.name == profile; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace imds::traces
