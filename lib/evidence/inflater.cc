#include "evidence/inflater.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <new>
#include <zlib.h>

namespace imds::evidence {

namespace {

constexpr int kWindowBits = 15;
constexpr int kGzipOrZlib = 32;  // added to the window bits: the header says which

}  // namespace

// zlib takes its state at the start and its window with the first output, both from here.
struct Inflaters::Slot {
  z_stream stream{};
  bool ready = false;
  Coding coding = Coding::identity;
  // Of the coding deflate, the first two bytes: some senders leave out zlib's header.
  std::array<std::uint8_t, 2> first{};
  std::uint8_t first_count = 0;
  std::uint8_t first_left = 0;  // of those, not given to zlib yet
  bool is_settled = false;      // which of the two it is
  ByteSpan input;
  std::size_t used = 0;
  std::size_t state_size = 0;
  alignas(std::max_align_t) std::array<std::uint8_t, kBytesEach> memory;

  static void* allocate(void* self, unsigned items, unsigned size) {
    auto* const slot = static_cast<Slot*>(self);
    constexpr std::size_t kAlign = alignof(std::max_align_t);
    const std::size_t wanted = (std::size_t{items} * size + kAlign - 1) / kAlign * kAlign;
    if (wanted > slot->memory.size() - slot->used) {
      return nullptr;
    }
    void* const at = slot->memory.data() + slot->used;
    slot->used += wanted;
    return at;
  }
  static void release(void*, void*) {}  // all at once, with the slot
};

Inflaters::Inflaters(std::size_t count) : output_(kOutput) {
  count = std::clamp<std::size_t>(count, 1, UINT16_MAX - 1);
  slots_.reserve(count);
  free_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto slot = std::make_unique<Slot>();
    slot->stream.zalloc = Slot::allocate;
    slot->stream.zfree = Slot::release;
    slot->stream.opaque = slot.get();
    if (inflateInit2(&slot->stream, kWindowBits + kGzipOrZlib) != Z_OK) {
      throw std::bad_alloc();
    }
    slot->state_size = slot->used;
    slots_.push_back(std::move(slot));
    free_.push_back(static_cast<Handle>(count - i));
  }
}

Inflaters::~Inflaters() {
  for (const auto& slot : slots_) {
    inflateEnd(&slot->stream);
  }
}

Inflaters::Handle Inflaters::take(Coding coding) {
  if (free_.empty()) {
    return 0;
  }
  const Handle handle = free_.back();
  free_.pop_back();
  Slot& slot = *slots_[handle - 1];
  slot.coding = coding;
  slot.first_count = slot.first_left = 0;
  slot.is_settled = coding != Coding::deflate;
  slot.input = {};
  slot.ready = inflateReset2(&slot.stream, kWindowBits + kGzipOrZlib) == Z_OK;
  return handle;
}

void Inflaters::give_back(Handle& handle) {
  if (handle == 0) {
    return;
  }
  Slot& slot = *slots_[handle - 1];
  explicit_bzero(slot.memory.data() + slot.state_size, slot.used - slot.state_size);
  free_.push_back(handle);
  handle = 0;
}

void Inflaters::begin(Handle handle, ByteSpan input) {
  Slot& slot = *slots_[handle - 1];
  slot.input = input;
  while (!slot.is_settled && slot.first_count < slot.first.size() && !slot.input.empty()) {
    slot.first[slot.first_count++] = slot.input.front();
    slot.input = slot.input.subspan(1);
  }
  if (!slot.is_settled && slot.first_count == slot.first.size()) {
    // RFC 1950, 2.2: the method is 8 and the two bytes are a multiple of 31.
    const unsigned header = slot.first[0] * 256u + slot.first[1];
    const bool has_header = (slot.first[0] & 0x0f) == Z_DEFLATED && header % 31 == 0;
    if (!has_header) {
      slot.ready = inflateReset2(&slot.stream, -kWindowBits) == Z_OK;
    }
    slot.is_settled = true;
    slot.first_left = 2;
  }
}

Inflaters::Piece Inflaters::next(Handle handle, std::uint64_t most) {
  Slot& slot = *slots_[handle - 1];
  if (!slot.ready) {
    return {{}, true, Result::broken};
  }
  if (!slot.is_settled) {
    return {{}, true, Result::more};
  }
  const bool is_first = slot.first_left > 0;
  const ByteSpan input = is_first ? ByteSpan(slot.first).last(slot.first_left) : slot.input;
  slot.stream.next_in = const_cast<Bytef*>(input.data());
  slot.stream.avail_in = static_cast<uInt>(input.size());
  slot.stream.next_out = output_.data();
  slot.stream.avail_out = static_cast<uInt>(std::min<std::uint64_t>(most, output_.size()));
  const std::size_t room = slot.stream.avail_out;
  // With no room left one call tells whether there would be more.
  std::uint8_t beyond = 0;
  if (room == 0) {
    slot.stream.next_out = &beyond;
    slot.stream.avail_out = 1;
  }
  const int status = ::inflate(&slot.stream, Z_NO_FLUSH);
  const std::size_t left = slot.stream.avail_in;
  if (is_first) {
    slot.first_left = static_cast<std::uint8_t>(left);
  } else {
    slot.input = slot.input.last(left);
  }
  if (room == 0 && slot.stream.avail_out == 0) {
    return {{}, true, Result::full};
  }
  const std::size_t made = room == 0 ? 0 : room - slot.stream.avail_out;
  const ByteSpan bytes = ByteSpan(output_).first(made);
  const bool has_input = slot.first_left > 0 || !slot.input.empty();
  switch (status) {
    case Z_STREAM_END:
      // Gzip members may follow each other (RFC 1952, 2.2); anything else behind the data is not
      // part of it.
      if (slot.coding == Coding::gzip && (slot.input.empty() || slot.input.front() == 0x1f)) {
        slot.ready = inflateReset(&slot.stream) == Z_OK;
        return {bytes, slot.input.empty(), Result::more};
      }
      slot.ready = false;
      return {bytes, true, Result::ended};
    case Z_OK:
      return {bytes, !has_input && slot.stream.avail_out > 0, Result::more};
    case Z_BUF_ERROR:  // nothing to do without more input
      return {bytes, true, Result::more};
    default:
      slot.ready = false;
      return {bytes, true, Result::broken};
  }
}

void Inflaters::wipe_output(std::size_t size) {
  explicit_bzero(output_.data(), size);
}

}  // namespace imds::evidence
