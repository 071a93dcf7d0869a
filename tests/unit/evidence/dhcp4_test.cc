#include "evidence/dhcp4.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/evidence_messages.h"

namespace imds::evidence {
namespace {

using support::Bytes;
using support::classless_route;
using support::dhcp_message;
using support::dhcp_option;
using support::joined;
using Lines = std::vector<std::string>;

Lines routes(const Bytes& bytes, Dhcp4Option option, bool* well = nullptr) {
  Lines out;
  const Dhcp4Message message(bytes);
  const bool ended = message.for_each_route(option, [&](const Dhcp4Route& route) {
    out.push_back(route.prefix.to_string() + " via " + route.gateway.to_string());
  });
  if (well != nullptr) {
    *well = ended;
  }
  return out;
}

Bytes with_options(const Bytes& options) {
  return dhcp_message({.options = options});
}

TEST(Dhcp4, ReadsClasslessRoutesOfEveryLength) {
  const Bytes list = joined({classless_route("0.0.0.0", 0, "10.0.0.1"),
                             classless_route("169.254.169.254", 32, "10.0.0.2"),
                             classless_route("169.254.0.0", 16, "0.0.0.0"),
                             classless_route("10.128.0.0", 9, "10.0.0.3")});
  const Lines expected = {"0.0.0.0/0 via 10.0.0.1", "169.254.169.254/32 via 10.0.0.2",
                          "169.254.0.0/16 via 0.0.0.0", "10.128.0.0/9 via 10.0.0.3"};
  EXPECT_EQ(routes(with_options(dhcp_option(121, list)), Dhcp4Option::classless_route), expected);
  EXPECT_EQ(routes(with_options(dhcp_option(249, list)), Dhcp4Option::classless_route_microsoft),
            expected);
  EXPECT_EQ(routes(with_options(dhcp_option(249, list)), Dhcp4Option::classless_route), Lines{});
}

TEST(Dhcp4, ReadsStaticRoutesAsClassfulNetworks) {
  const Bytes list =
      joined({support::address_bytes("169.254.169.254"), support::address_bytes("10.0.0.2"),
              support::address_bytes("10.9.8.7"), support::address_bytes("10.0.0.3")});
  EXPECT_EQ(routes(with_options(dhcp_option(33, list)), Dhcp4Option::static_route),
            (Lines{"169.254.0.0/16 via 10.0.0.2", "10.0.0.0/8 via 10.0.0.3"}));
}

TEST(Dhcp4, RoutersAreDefaultRoutes) {
  const Bytes list =
      joined({support::address_bytes("10.0.0.1"), support::address_bytes("10.0.0.2")});
  EXPECT_EQ(routes(with_options(dhcp_option(3, list)), Dhcp4Option::router),
            (Lines{"0.0.0.0/0 via 10.0.0.1", "0.0.0.0/0 via 10.0.0.2"}));
}

// RFC 3396: the parts of an option are one, wherever they stand.
TEST(Dhcp4, PutsSplitOptionsTogether) {
  const Bytes list = classless_route("169.254.169.254", 32, "10.0.0.2");
  for (std::size_t at = 1; at < list.size(); ++at) {
    const Bytes first(list.begin(), list.begin() + static_cast<long>(at));
    const Bytes second(list.begin() + static_cast<long>(at), list.end());
    const Bytes apart = joined({dhcp_option(121, first),
                                dhcp_option(1, Bytes(4, 255)),
                                {0, 0},
                                dhcp_option(121, {}),
                                dhcp_option(121, second)});
    EXPECT_EQ(routes(with_options(apart), Dhcp4Option::classless_route),
              Lines{"169.254.169.254/32 via 10.0.0.2"})
        << at;
  }
}

TEST(Dhcp4, ReadsOverloadedFields) {
  const Bytes list = classless_route("169.254.169.254", 32, "10.0.0.2");
  const Bytes first(list.begin(), list.begin() + 3);
  const Bytes second(list.begin() + 3, list.begin() + 5);
  const Bytes third(list.begin() + 5, list.end());
  support::DhcpMessage message;
  message.options = joined({dhcp_option(52, {3}), dhcp_option(121, first)});
  message.file = joined({dhcp_option(121, second), {255}});
  message.server_name = joined({dhcp_option(121, third), {255}});
  const Bytes bytes = dhcp_message(message);
  EXPECT_EQ(routes(bytes, Dhcp4Option::classless_route), Lines{"169.254.169.254/32 via 10.0.0.2"});
  EXPECT_TRUE(Dhcp4Message(bytes).is_overloaded());
  // Without option 52 they are a name and a file, whatever they hold.
  message.options = dhcp_option(121, first);
  EXPECT_EQ(routes(dhcp_message(message), Dhcp4Option::classless_route).size(), 0u);
}

TEST(Dhcp4, TellsWhatKindOfMessageItIs) {
  const auto gives = [](unsigned operation, unsigned type) {
    return Dhcp4Message(dhcp_message({.operation = operation, .type = type})).gives();
  };
  EXPECT_TRUE(gives(2, 2));
  EXPECT_TRUE(gives(2, 5));
  EXPECT_TRUE(gives(2, 0)) << "BOOTP";
  EXPECT_FALSE(gives(2, 6)) << "a refusal";
  EXPECT_FALSE(gives(1, 1));
  EXPECT_FALSE(gives(1, 5)) << "a client says that it is a server's message";
  const Dhcp4Message message(
      dhcp_message({.your_address = "169.254.169.254", .relay = "10.0.0.1"}));
  EXPECT_EQ(message.your_address().to_string(), "169.254.169.254");
  EXPECT_TRUE(message.is_relayed());
  EXPECT_EQ(message.client_mac().to_string(), support::kClientMac);
  EXPECT_TRUE(Dhcp4Message(dhcp_message({.has_magic = false})).gives());
}

TEST(Dhcp4, SurvivesEveryTruncation) {
  const Bytes whole =
      with_options(joined({dhcp_option(52, {3}),
                           dhcp_option(121, classless_route("169.254.169.254", 32, "10.0.0.2"))}));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    EXPECT_EQ(Dhcp4Message(cut).ok(), size >= 236) << size;
    EXPECT_EQ(routes(cut, Dhcp4Option::classless_route).size(), size + 1 >= whole.size() ? 1u : 0u)
        << size;
  }
}

TEST(Dhcp4, TellsLyingLengths) {
  EXPECT_TRUE(Dhcp4Message(with_options({121, 200, 32})).options_malformed());
  EXPECT_FALSE(Dhcp4Message(with_options({})).options_malformed());
  bool well = true;
  const Bytes good = classless_route("10.0.0.0", 8, "10.0.0.2");
  EXPECT_EQ(routes(with_options(dhcp_option(121, joined({good, {33, 1, 2, 3, 4, 5, 6, 7, 8}}))),
                   Dhcp4Option::classless_route, &well)
                .size(),
            1u);
  EXPECT_FALSE(well);
  well = true;
  EXPECT_EQ(routes(with_options(dhcp_option(121, joined({good, {8, 10}}))),
                   Dhcp4Option::classless_route, &well)
                .size(),
            1u);
  EXPECT_FALSE(well);
}

}  // namespace
}  // namespace imds::evidence
