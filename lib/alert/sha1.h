// SHA-1 where it names things: Community ID and UUIDs of version 5 are defined by it. Not for
// security.
#pragma once

// OpenSSL's interface of 1.1.0: digests on the stack, which cannot fail. The one that replaced it
// looks a provider up and allocates for every digest, several times the work of hashing itself.
#define OPENSSL_API_COMPAT 0x10100000L

#include <array>
#include <cstdint>
#include <span>

#include <openssl/sha.h>

namespace imds::alert {

using Sha1Digest = std::array<std::uint8_t, SHA_DIGEST_LENGTH>;

class Sha1 {
 public:
  Sha1() { SHA1_Init(&context_); }
  void add(const void* data, std::size_t size) { SHA1_Update(&context_, data, size); }
  [[nodiscard]] Sha1Digest finish() {
    Sha1Digest digest;
    SHA1_Final(digest.data(), &context_);
    return digest;
  }

 private:
  SHA_CTX context_;
};

}  // namespace imds::alert
