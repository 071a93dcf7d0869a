// A small set of IP addresses that one thread keeps and any number of others ask: what the story
// knows of clients and every worker has to, at nearly no cost while there is nothing to know.
//
// Threads: add() and remove() by one owner; empty() and contains() by anyone at any time, without
// a lock. Who asks sees what was added a moment later; no memory is shared but words that are read
// and written whole. All memory (64 KiB) is part of the object.
// Limits: kCapacity addresses. They are kept as keyed hashes of 64 bits, so that contains() may be
// true by accident, about once in 2^60 questions, and nobody without the key can bring it about.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/address.h"
#include "base/siphash.h"

namespace imds {

class AddressSet {
 public:
  static constexpr std::size_t kCapacity = 1024;

  explicit AddressSet(const SipKey& secret) : secret_(secret) {}
  AddressSet(const AddressSet&) = delete;
  AddressSet& operator=(const AddressSet&) = delete;

  // Owner only. False: there is no room for it.
  bool add(const IpAddress& address) {
    const std::uint64_t tag = tag_of(address);
    if (place_of(tag, tag) != nullptr) {
      return true;
    }
    std::atomic<std::uint64_t>* const place = size() < kCapacity ? place_of(tag, kFree) : nullptr;
    if (place == nullptr) {
      return false;
    }
    place->store(tag, std::memory_order_relaxed);
    size_.store(size() + 1, std::memory_order_relaxed);
    return true;
  }
  // Owner only. What is not there stays away.
  void remove(const IpAddress& address) {
    const std::uint64_t tag = tag_of(address);
    if (std::atomic<std::uint64_t>* const place = place_of(tag, tag)) {
      place->store(kFree, std::memory_order_relaxed);
      size_.store(size() - 1, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool contains(const IpAddress& address) const {
    const std::uint64_t tag = tag_of(address);
    return place_of(tag, tag) != nullptr;
  }

 private:
  using Word = std::atomic<std::uint64_t>;
  static constexpr std::size_t kWays = 8;  // of one cache line
  static constexpr std::size_t kSets = 1024;
  static constexpr std::uint64_t kFree = 0;

  [[nodiscard]] std::uint64_t tag_of(const IpAddress& address) const {
    std::array<std::uint8_t, 17> bytes;
    std::memcpy(bytes.data(), address.bytes.data(), address.bytes.size());
    bytes.back() = static_cast<std::uint8_t>(address.family);
    const std::uint64_t hash = siphash128(secret_, bytes)[0];
    return hash == kFree ? 1 : hash;
  }
  // The word with `wanted` among those where `tag` may stand, or nullptr.
  [[nodiscard]] const Word* place_of(std::uint64_t tag, std::uint64_t wanted) const {
    const Word* const set = &words_[tag % kSets * kWays];
    for (std::size_t i = 0; i < kWays; ++i) {
      if (set[i].load(std::memory_order_relaxed) == wanted) {
        return &set[i];
      }
    }
    return nullptr;
  }
  [[nodiscard]] Word* place_of(std::uint64_t tag, std::uint64_t wanted) {
    return const_cast<Word*>(std::as_const(*this).place_of(tag, wanted));
  }

  SipKey secret_;
  alignas(64) std::atomic<std::size_t> size_{0};
  alignas(64) std::array<Word, kSets * kWays> words_{};
};

}  // namespace imds
