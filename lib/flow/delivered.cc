#include "flow/delivered.h"

#include <algorithm>
#include <cstring>

namespace imds::flow {

Delivered::Delivered(std::size_t bytes, const MemorySource& memory, std::uint64_t begin)
    : memory_(bytes, memory), units_(bytes / kUnit), begin_(begin), position_(begin) {}

std::uint8_t* Delivered::at(std::uint64_t position) const {
  return static_cast<std::uint8_t*>(memory_.data()) + position % units_ * kUnit;
}

void Delivered::record(Mark& mark, std::uint32_t sequence, ByteSpan first, ByteSpan second) {
  const std::size_t most = units_ * kUnit / 4 - sizeof(Header);
  first = first.first(std::min(first.size(), most));
  second = second.first(std::min(second.size(), most - first.size()));
  const std::size_t size = first.size() + second.size();
  const std::uint64_t needed = (sizeof(Header) + size + kUnit - 1) / kUnit;
  // No record crosses the ring's end, nor has the mark that means none.
  for (std::uint64_t left = units_ - position_ % units_;
       left < needed || static_cast<Mark>(position_) == 0; left = units_ - position_ % units_) {
    position_ += left < needed ? left : 1;
  }
  const Header header{position_, sequence, static_cast<std::uint32_t>(size), mark};
  std::uint8_t* const out = at(position_);
  std::memcpy(out, &header, sizeof header);
  if (!first.empty()) {
    std::memcpy(out + sizeof header, first.data(), first.size());
  }
  if (!second.empty()) {
    std::memcpy(out + sizeof header + first.size(), second.data(), second.size());
  }
  mark = static_cast<Mark>(position_);
  position_ += needed;
  // The ring is larger than the caches: where the next head will be copied is fetched ahead.
  constexpr std::uint64_t kUsualHead = 12;  // units
  for (std::uint64_t i = 0; i < std::min(kUsualHead, units_ - position_ % units_); ++i) {
    __builtin_prefetch(at(position_) + i * kUnit, 1);
  }
}

std::optional<Delivered::Record> Delivered::find(Mark mark) const {
  if (mark == 0) {
    return std::nullopt;
  }
  // The latest position with these low bits.
  const auto behind = static_cast<Mark>(static_cast<Mark>(position_) - mark);
  if (behind == 0 || behind > position_ - begin_ || behind > units_) {
    return std::nullopt;
  }
  const std::uint64_t position = position_ - behind;
  Header header;
  const std::uint8_t* const in = at(position);
  std::memcpy(&header, in, sizeof header);
  const std::size_t room = (units_ - position % units_) * kUnit;
  if (header.position != position || sizeof header + header.size > room) {
    return std::nullopt;
  }
  return Record{header.sequence, {in + sizeof header, header.size}, header.previous};
}

}  // namespace imds::flow
