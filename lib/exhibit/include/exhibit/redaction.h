// Overwrites in a frame everything that may be secret, in place, and puts its checksums right: the
// file can be attached to a ticket.
//
// Default deny: headers of link, network and transport layers stay; of payloads only what is known
// to be harmless does. That is the head of an HTTP message without secrets (message.h), if the
// frame's flags say that one may begin here, messages of DHCP and DNS that claimed an address, ARP,
// and neighbour discovery. A packet that cannot be read to its transport, and every fragment, is
// cut behind the last header that could be read, as by a capture's snap length. Bytes behind the
// packet (Ethernet padding) become zero.
//
// Checksums of TCP, UDP and ICMP are changed by what the bytes under them have changed: right ones
// stay right, wrong ones wrong. Those of encapsulating layers are right then, too, as the sum of
// the bytes inside has not changed. A datagram in a tunnel that has no checksum of its own is cut.
//
// Threads: pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "packet/decode.h"

namespace imds::exhibit {

struct Redacted {
  std::size_t size = 0;         // bytes of the frame to be kept
  std::size_t overwritten = 0;  // bytes of those that were replaced
  bool is_cut = false;          // size is less than it was
};

// `flags`: FrameFlag bits. `original_length`: of the frame on the wire.
[[nodiscard]] Redacted redact(std::span<std::uint8_t> frame, std::uint16_t link,
                              std::uint32_t original_length, std::uint8_t flags,
                              const packet::DecodeOptions& options);

}  // namespace imds::exhibit
