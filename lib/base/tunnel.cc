#include "base/tunnel.h"

namespace imds {

namespace {

constexpr std::array<std::string_view, kTunnelKindCount> kNames = {
    "",         "mpls",  "ethernet_pseudowire", "pppoe",  "gre",    "nvgre", "erspan",
    "ip_in_ip", "vxlan", "vxlan_gpe",           "geneve", "teredo", "gtp_u", "l2tp_v2",
    "l2tp_v3",  "nsh",
};

}  // namespace

std::string_view name(TunnelKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace imds
