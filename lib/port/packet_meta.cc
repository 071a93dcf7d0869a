#include "port/packet_meta.h"

#include <string>

#include <rte_errno.h>

namespace imds::port {

int packet_meta_offset = -1;

Status register_packet_meta() {
  if (packet_meta_offset >= 0) {
    return {};
  }
  const rte_mbuf_dynfield field = {.name = "imds_dynfield_packet_meta",
                                   .size = sizeof(PacketMeta),
                                   .align = alignof(PacketMeta),
                                   .flags = 0};
  const int offset = rte_mbuf_dynfield_register(&field);
  if (offset < 0) {
    return fail(ErrorKind::environment,
                "no room for the packet metadata in DPDK's packet buffers (" +
                    std::string(rte_strerror(rte_errno)) +
                    "): another library or driver option has taken the dynamic fields");
  }
  packet_meta_offset = offset;
  return {};
}

}  // namespace imds::port
