// Maps an address to its AddressClass by longest prefix: one rte_lpm and one rte_lpm6, whose next
// hop is the id of a class that already stands for every covering prefix.
//
// Threads: immutable once created, so any number of workers look up in one Classifier. Create and
// destroy on a thread known to EAL; EAL must run. A reload that changes what an address maps to
// creates a new Classifier and drops the old one after the last worker has left it.
// Memory: DPDK heap on the socket asked for, about 64 MiB per address family in use;
// estimate_memory_bytes() tells before EAL starts. Lookups allocate nothing and cannot fail.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "classify/address_class.h"

namespace imds::classify {

using ClassId = std::uint32_t;
inline constexpr ClassId kNoClass = 0;  // no prefix covers the address
// rte_lpm6 keeps 21 bits of next hop, rte_lpm 24.
inline constexpr std::size_t kMaxClasses = std::size_t{1} << 21;

class Classifier {
 public:
  // Errors: config (two endpoints share a name or a prefix, more classes than kMaxClasses, more
  // than kMaxSuppressions suppressions), environment (DPDK memory exhausted; says how much is
  // needed). `socket` is a NUMA node, -1 for any.
  [[nodiscard]] static Result<std::unique_ptr<const Classifier>> create(const Options& options,
                                                                        int socket);
  // DPDK heap that create() will take, bytes; for EAL's -m. Needs no EAL.
  [[nodiscard]] static std::uint64_t estimate_memory_bytes(const Options& options);

  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  // Family none gives kNoClass.
  [[nodiscard]] ClassId class_id(const IpAddress& address) const {
    // Most addresses share no first 16 bits with any prefix and never touch the big tables.
    const unsigned slot = (unsigned{address.bytes[0]} << 8) | address.bytes[1];
    if (address.is_v4()) {
      return may_be_listed(listed_v4_, slot) ? search_v4(address) : default_v4_;
    }
    if (address.is_v6()) {
      return may_be_listed(listed_v6_, slot) ? search_v6(address) : default_v6_;
    }
    return kNoClass;
  }
  [[nodiscard]] const AddressClass& operator[](ClassId id) const { return classes_[id]; }
  [[nodiscard]] const AddressClass& lookup(const IpAddress& address) const {
    return classes_[class_id(address)];
  }
  // Whether class_id() is sure to be kNoClass, as nearly always: for the 4 or 16 bytes of an
  // address on the wire. May be false for such, too.
  [[nodiscard]] bool is_unlisted(AddressFamily family, const std::uint8_t* address) const {
    const unsigned slot = (unsigned{address[0]} << 8) | address[1];
    return family == AddressFamily::ipv4
               ? default_v4_ == kNoClass && !may_be_listed(listed_v4_, slot)
               : default_v6_ == kNoClass && !may_be_listed(listed_v6_, slot);
  }
  // IPv4 addresses in host order → class ids. `ids` has at least as many elements.
  void lookup_v4(std::span<const std::uint32_t> addresses, std::span<ClassId> ids) const;

  // Whether create() would make the same of these: then one Classifier serves both.
  [[nodiscard]] bool is_made_of(const Options& options) const;

  [[nodiscard]] std::size_t class_count() const { return classes_.size(); }
  // DPDK heap and own memory together, bytes.
  [[nodiscard]] std::uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Tables;
  struct Plan;
  // One bit per value of an address's first 16 bits.
  using Filter = std::array<std::uint64_t, 65536 / 64>;

  Classifier();
  static bool may_be_listed(const Filter& filter, unsigned slot) {
    return (filter[slot / 64] >> (slot % 64)) & 1u;
  }
  [[nodiscard]] ClassId search_v4(const IpAddress& address) const;
  [[nodiscard]] ClassId search_v6(const IpAddress& address) const;

  Filter listed_v4_{};
  Filter listed_v6_{};
  // Classes of the prefixes 0.0.0.0/0 and ::/0, which the LPM tables cannot hold.
  ClassId default_v4_ = kNoClass;
  ClassId default_v6_ = kNoClass;
  std::vector<AddressClass> classes_;
  std::unique_ptr<Tables> tables_;
  std::unique_ptr<const Plan> plan_;  // without classes
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace imds::classify
