#include "base/tunnel.h"

#include <algorithm>
#include <cstring>

namespace imds {

namespace {

constexpr std::array<std::string_view, kTunnelKindCount> kNames = {
    "",          "mpls",     "ethernet_pseudowire",
    "pppoe",     "gre",      "nvgre",
    "erspan",    "ip_in_ip", "vxlan",
    "vxlan_gpe", "geneve",   "teredo",
    "gtp_u",     "l2tp_v2",  "l2tp_v3",
    "nsh",       "ether_ip",
};

constexpr std::size_t longest_path_text() {
  std::size_t longest = 0;
  for (const std::string_view name : kNames) {
    longest = std::max(longest, name.size());
  }
  return kMaxTunnels * (longest + 1) - 1;
}
static_assert(longest_path_text() <= kMaxTunnelPathText);

}  // namespace

std::string_view name(TunnelKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view path_text(const TunnelPath& path, std::array<char, kMaxTunnelPathText>& room) {
  char* out = room.data();
  for (std::size_t i = 0; i < std::min<std::size_t>(path.count, kMaxTunnels); ++i) {
    if (i > 0) {
      *out++ = '/';
    }
    const std::string_view text = name(path.kinds[i]);
    std::memcpy(out, text.data(), text.size());
    out += text.size();
  }
  return {room.data(), static_cast<std::size_t>(out - room.data())};
}

}  // namespace imds
