// The words of each enumeration, index = enumerator; the keys of the tunnel ports.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "config/config.h"

namespace imds::config {

inline constexpr std::array<std::string_view, 3> kPortDriverNames = {"af_packet", "af_xdp",
                                                                     "device"};
inline constexpr std::array<std::string_view, 2> kPortModeNames = {"tap", "inline"};
inline constexpr std::array<std::string_view, 3> kDistributeNames = {"auto", "off", "on"};
inline constexpr std::array<std::string_view, 2> kRssModeNames = {"ip", "5tuple"};
inline constexpr std::array<std::string_view, 3> kHugePagesNames = {"auto", "required", "off"};
inline constexpr std::array<std::string_view, 5> kLogLevelNames = {"trace", "debug", "info",
                                                                   "warning", "error"};
inline constexpr std::array<std::string_view, 5> kThrottleTrackNames = {
    "rule", "source", "destination", "both", "flow"};
inline constexpr std::array<std::string_view, 4> kThrottleTypeNames = {"limit", "threshold", "both",
                                                                       "none"};
// Sigma's.
inline constexpr std::array<std::string_view, 5> kRuleLevelNames = {"informational", "low",
                                                                    "medium", "high", "critical"};

template <typename Enum>
std::span<const std::string_view> names_of();

// In the file `driver` goes with `interface`; PortDriver::device is said by the key `device`.
template <>
inline std::span<const std::string_view> names_of<PortDriver>() {
  return std::span(kPortDriverNames).first(2);
}
template <>
inline std::span<const std::string_view> names_of<PortMode>() {
  return kPortModeNames;
}
template <>
inline std::span<const std::string_view> names_of<Distribute>() {
  return kDistributeNames;
}
template <>
inline std::span<const std::string_view> names_of<RssMode>() {
  return kRssModeNames;
}
template <>
inline std::span<const std::string_view> names_of<HugePages>() {
  return kHugePagesNames;
}
template <>
inline std::span<const std::string_view> names_of<LogLevel>() {
  return kLogLevelNames;
}
template <>
inline std::span<const std::string_view> names_of<ThrottleTrack>() {
  return kThrottleTrackNames;
}
template <>
inline std::span<const std::string_view> names_of<ThrottleType>() {
  return kThrottleTypeNames;
}

// The port lists of `tunnels.ports` by their keys. `Ports` is TunnelPorts, const or not.
template <typename Ports>
auto named_lists(Ports& ports) {
  using List = std::remove_reference_t<decltype((ports.vxlan))>;
  return std::to_array<std::pair<std::string_view, List*>>({
      {"vxlan", &ports.vxlan},
      {"vxlan_gpe", &ports.vxlan_gpe},
      {"geneve", &ports.geneve},
      {"teredo", &ports.teredo},
      {"gtp_u", &ports.gtp_u},
      {"l2tp", &ports.l2tp},
      {"mpls", &ports.mpls},
  });
}

}  // namespace imds::config
