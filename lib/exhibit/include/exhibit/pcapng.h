// The blocks of a pcapng file (IETF draft-ietf-opsawg-pcapng) that evidence needs: section header,
// interface description and enhanced packet, in this machine's byte order, with nanoseconds.
//
// Pure functions that append to a buffer; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/cursor.h"

namespace imds::exhibit {

// Room that a file keeps for its section header and interfaces when its size is bounded.
inline constexpr std::size_t kFileOverhead = 16384;
inline constexpr std::size_t kLongestComment = 95;

// `application` and `comment` are plain ASCII, at most 200 bytes; longer ones are cut.
void append_section_header(std::vector<std::uint8_t>& out, std::string_view application,
                           std::string_view comment);
// The n-th interface of a section is number n - 1. `name`: at most 64 bytes, else cut.
void append_interface(std::vector<std::uint8_t>& out, std::uint16_t link, std::string_view name);

struct PacketBlock {
  std::uint32_t interface = 0;
  std::int64_t time_ns = 0;
  std::uint32_t original_length = 0;
  ByteSpan bytes;
  std::string_view comment;  // at most kLongestComment bytes, else cut; empty: none
};
void append_packet(std::vector<std::uint8_t>& out, const PacketBlock& packet);
// What append_packet() appends for a frame of `size` bytes, at most.
[[nodiscard]] std::size_t longest_packet_block(std::size_t size);

}  // namespace imds::exhibit
