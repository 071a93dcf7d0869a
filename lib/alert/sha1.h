// SHA-1 where it names things: Community ID and UUIDs of version 5 are defined by it. Not for
// security.
#pragma once

// OpenSSL's interface of 1.1.0: digests on the stack, which cannot fail. The one that replaced it
// looks a provider up and allocates for every digest, several times the work of hashing itself.
#define OPENSSL_API_COMPAT 0x10100000L

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <openssl/sha.h>

#include "base/cursor.h"

namespace imds::alert {

using Sha1Digest = std::array<std::uint8_t, SHA_DIGEST_LENGTH>;

// Fed with whole blocks, but for what comes last: OpenSSL's own buffer for what is left over,
// filled and wiped for every digest, would take as long as hashing what is hashed here.
class Sha1 {
 public:
  static constexpr std::size_t kBlock = SHA_CBLOCK;
  // What finish() writes behind the bytes it is given, at the most.
  static constexpr std::size_t kPadding = kBlock + 8;

  // What is known after whole blocks: enough to go on from there.
  using State = std::array<std::uint32_t, 5>;

  Sha1() { SHA1_Init(&context_); }
  // As after `size` bytes, a multiple of kBlock.
  Sha1(const State& state, std::uint64_t size) : size_(size) {
    context_.h0 = state[0];
    context_.h1 = state[1];
    context_.h2 = state[2];
    context_.h3 = state[3];
    context_.h4 = state[4];
    context_.Nl = 0;
    context_.Nh = 0;
    context_.num = 0;
  }
  [[nodiscard]] State state() const {
    return {context_.h0, context_.h1, context_.h2, context_.h3, context_.h4};
  }

  // `blocks` times kBlock bytes.
  void add_blocks(const std::uint8_t* data, std::size_t blocks) {
    if (blocks > 0) {
      SHA1_Update(&context_, data, blocks * kBlock);
      size_ += blocks * kBlock;
    }
  }
  // The last `size` bytes, behind which there is room for kPadding more.
  [[nodiscard]] Sha1Digest finish(std::uint8_t* data, std::size_t size) {
    const std::uint64_t bits = (size_ + size) * 8;
    const std::size_t padded = (size + 8) / kBlock * kBlock + kBlock;
    data[size] = 0x80;
    std::memset(data + size + 1, 0, padded - size - 1 - sizeof bits);
    store_be32(data + padded - 8, static_cast<std::uint32_t>(bits >> 32));
    store_be32(data + padded - 4, static_cast<std::uint32_t>(bits));
    SHA1_Update(&context_, data, padded);
    Sha1Digest digest;
    const State words = state();
    for (std::size_t i = 0; i < words.size(); ++i) {
      store_be32(&digest[4 * i], words[i]);
    }
    return digest;
  }

 private:
  SHA_CTX context_;
  std::uint64_t size_ = 0;
};

}  // namespace imds::alert
