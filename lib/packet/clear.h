// Emptying a PacketView. Private to the room.
#pragma once

#include <emmintrin.h>
#include <type_traits>
#include <utility>

#include "packet/view.h"

namespace imds::packet {

// Makes `view` empty; a value-initialised PacketView is all zero bits. Written out because GCC
// turns the assignment (or a loop) into `rep stos`, which costs more than decoding the packet.
template <std::size_t... Chunk>
void clear_chunks(void* view, std::index_sequence<Chunk...>) {
  auto* chunks = static_cast<__m128i*>(view);
  (_mm_storeu_si128(chunks + Chunk, _mm_setzero_si128()), ...);
}

inline void clear(PacketView& view) {
  static_assert(std::is_trivially_copyable_v<PacketView>);
  constexpr std::size_t kChunk = sizeof(__m128i);
  static_assert(sizeof(PacketView) % kChunk == 0);
  clear_chunks(&view, std::make_index_sequence<sizeof(PacketView) / kChunk>{});
}

}  // namespace imds::packet
