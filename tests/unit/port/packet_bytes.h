// Bytes to put into packets, and to compare those that come out.
#pragma once

#include <cstddef>
#include <cstdint>

#include <rte_mbuf.h>

#include "support/packet_builder.h"

namespace imds::port {

// Neighbours differ, and no period is a power of two.
inline support::Bytes pattern(std::size_t size) {
  support::Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  }
  return bytes;
}

// Of all segments.
inline support::Bytes bytes_of(const rte_mbuf* packet) {
  support::Bytes out;
  for (; packet != nullptr; packet = packet->next) {
    const auto* data = rte_pktmbuf_mtod(packet, const std::uint8_t*);
    out.insert(out.end(), data, data + packet->data_len);
  }
  return out;
}

}  // namespace imds::port
