#include "flow/arena.h"

#include <cstring>

namespace imds::flow {

namespace {

constexpr std::uint32_t kNone = 0xffffffff;
constexpr std::uint32_t kClassBits = 2;
constexpr std::uint32_t kClassMask = (1u << kClassBits) - 1;

std::size_t total_bytes(const Arena::Options& options) {
  std::size_t total = 0;
  for (std::size_t c = 0; c < Arena::kClasses; ++c) {
    total += options.blocks[c] * Arena::kBlockSize[c];
  }
  return total;
}

}  // namespace

Arena::Arena(const Options& options, const MemorySource& memory)
    : memory_(total_bytes(options) + kCacheLine, memory) {
  std::size_t base = 0;
  for (std::size_t c = 0; c < kClasses; ++c) {
    base_[c] = base;
    base += options.blocks[c] * kBlockSize[c];
    free_[c].reserve(options.blocks[c]);
    for (std::uint32_t i = options.blocks[c]; i > 0; --i) {
      free_[c].push_back(i - 1);
    }
  }
  counters_.bytes_capacity.set(base);
}

std::uint8_t* Arena::address(std::uint32_t block) const {
  const std::uint32_t size_class = block & kClassMask;
  return static_cast<std::uint8_t*>(memory_.data()) + base_[size_class] +
         std::size_t{block >> kClassBits} * kBlockSize[size_class];
}

std::uint32_t Arena::take_block(std::size_t least_bytes) {
  for (std::uint32_t c = 0; c < kClasses; ++c) {
    if (kBlockSize[c] >= least_bytes && !free_[c].empty()) {
      const std::uint32_t index = free_[c].back();
      free_[c].pop_back();
      counters_.bytes_in_use.add(kBlockSize[c]);
      counters_.bytes_peak.raise_to(counters_.bytes_in_use.get());
      return (index << kClassBits) | c;
    }
  }
  return kNone;
}

void Arena::give_block(std::uint32_t block) {
  const std::uint32_t size_class = block & kClassMask;
  free_[size_class].push_back(block >> kClassBits);
  counters_.bytes_in_use.set(counters_.bytes_in_use.get() - kBlockSize[size_class]);
}

AppendResult Arena::append(HeadBuffer& buffer, ByteSpan bytes) {
  if (bytes.empty()) {
    return AppendResult::ok;
  }
  if (bytes.size() > kLargest - buffer.length_) {
    counters_.too_long.add();
    return AppendResult::head_too_long;
  }
  const std::size_t needed = buffer.length_ + bytes.size();
  const bool has_block = buffer.block_ != HeadBuffer::kNoBlock;
  if (!has_block || needed > kBlockSize[buffer.block_ & kClassMask]) {
    const std::uint32_t larger = take_block(needed);
    if (larger == kNone) {
      counters_.full.add();
      return AppendResult::arena_full;
    }
    if (has_block) {
      std::memcpy(address(larger), address(buffer.block_), buffer.length_);
      explicit_bzero(address(buffer.block_), buffer.length_);
      give_block(buffer.block_);
    }
    buffer.block_ = larger;
  }
  std::memcpy(address(buffer.block_) + buffer.length_, bytes.data(), bytes.size());
  buffer.length_ = static_cast<std::uint32_t>(needed);
  return AppendResult::ok;
}

ByteSpan Arena::bytes(const HeadBuffer& buffer) const {
  if (buffer.block_ == HeadBuffer::kNoBlock) {
    return {};
  }
  return {address(buffer.block_), buffer.length_};
}

void Arena::wipe(HeadBuffer& buffer) {
  if (buffer.block_ != HeadBuffer::kNoBlock) {
    explicit_bzero(address(buffer.block_), buffer.length_);
  }
  release(buffer);
}

void Arena::release(HeadBuffer& buffer) {
  if (buffer.block_ != HeadBuffer::kNoBlock) {
    give_block(buffer.block_);
  }
  buffer = HeadBuffer{};
}

}  // namespace imds::flow
