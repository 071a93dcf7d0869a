#include "evidence/dns_stream.h"

#include <algorithm>
#include <cstring>

namespace imds::evidence {

DnsStreams::DnsStreams(std::size_t slots)
    : slots_(slots), bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(slots * kSlotBytes)) {}

std::uint8_t* DnsStreams::bytes_of(const Slot& slot) {
  return &bytes_[static_cast<std::size_t>(&slot - slots_.data()) * kSlotBytes];
}

// There are few, and nearly always none in use.
DnsStreams::Slot* DnsStreams::find(std::uint64_t stream) {
  if (counters_.open.get() == 0) {
    return nullptr;
  }
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.size > 0 && slot.stream == stream;
  });
  return found == slots_.end() ? nullptr : &*found;
}

void DnsStreams::release(Slot& slot) {
  slot.size = 0;
  counters_.open.set(counters_.open.get() - 1);
}

bool DnsStreams::next(Piece& piece, ByteSpan& message) {
  Slot* slot = find(piece.stream);
  if (slot != nullptr && slot->next_sequence != piece.sequence) {
    counters_.given_up.add();
    release(*slot);
    slot = nullptr;
  }
  if (piece.bytes.empty()) {
    return false;
  }
  if (slot != nullptr) {
    return continue_slot(*slot, piece, message);
  }
  if (!may_start_dns(piece.bytes, piece.kind)) {
    piece.consume(piece.bytes.size());
    return false;
  }
  if (piece.bytes.size() >= kLengthSize) {
    const std::size_t size = load_be16(piece.bytes.data());
    if (piece.bytes.size() - kLengthSize >= size) {
      message = piece.bytes.subspan(kLengthSize, size);
      piece.consume(kLengthSize + size);
      return true;
    }
  }
  begin_slot(piece);
  return false;
}

// True: the message is complete.
bool DnsStreams::continue_slot(Slot& slot, Piece& piece, ByteSpan& message) {
  std::uint8_t* const held = bytes_of(slot);
  const auto take = [&](std::size_t most) {
    const std::size_t count = std::min(most, piece.bytes.size());
    std::memcpy(held + slot.size, piece.bytes.data(), count);
    slot.size += static_cast<std::uint32_t>(count);
    piece.consume(count);
  };
  if (slot.size < kLengthSize) {
    take(kLengthSize - slot.size);
  }
  if (slot.size >= kLengthSize && !piece.bytes.empty()) {
    take(kLengthSize + load_be16(held) - slot.size);
  }
  slot.next_sequence = piece.sequence;
  slot.used_at = ++uses_;
  const ByteSpan all(held, slot.size);
  if (!may_start_dns(all, piece.kind)) {
    release(slot);
    piece.consume(piece.bytes.size());
    return false;
  }
  if (slot.size < kLengthSize || slot.size < kLengthSize + load_be16(held)) {
    return false;
  }
  message = all.subspan(kLengthSize);
  counters_.copied.add();
  release(slot);  // the bytes stay until another message needs the slot
  return true;
}

void DnsStreams::begin_slot(Piece& piece) {
  const auto oldest =
      std::min_element(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) {
        return (a.size > 0 ? a.used_at : 0) < (b.size > 0 ? b.used_at : 0);
      });
  if (oldest == slots_.end()) {
    return;
  }
  if (oldest->size > 0) {
    counters_.evicted.add();
    release(*oldest);
  }
  std::memcpy(bytes_of(*oldest), piece.bytes.data(), piece.bytes.size());
  oldest->stream = piece.stream;
  oldest->size = static_cast<std::uint32_t>(piece.bytes.size());
  oldest->used_at = ++uses_;
  piece.consume(piece.bytes.size());
  oldest->next_sequence = piece.sequence;
  counters_.open.set(counters_.open.get() + 1);
}

}  // namespace imds::evidence
