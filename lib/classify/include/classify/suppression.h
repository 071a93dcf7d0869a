// Which configured suppression, if any, covers a flow.
//
// Threads: immutable once created; shared by all workers. Indices are those of
// Options::suppressions, stable for counters. match() allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tunnel.h"
#include "classify/address_class.h"
#include "packet/view.h"

namespace imds::classify {

class SuppressionSet {
 public:
  // Errors, kind config: a suppression without any criterion or name, two with one name, an
  // endpoint that is not configured, a VLAN range that is empty or beyond 4095, more than
  // kMaxSuppressions.
  [[nodiscard]] static Result<SuppressionSet> create(const Options& options);

  // The first suppression in configured order that covers a flow with this client, VLAN stack and
  // endpoint index (kNoEndpoint: neither side is one). A VLAN criterion holds if any tag of the
  // stack, outer or inner, is listed, or if id 0 is listed and the stack is empty. An outer
  // criterion holds if the packet came in a tunnel and either outer address is in a listed prefix;
  // it is compared only once all else holds.
  [[nodiscard]] std::optional<std::uint16_t> match(const AddressClass& client,
                                                   const packet::VlanStack& vlans,
                                                   std::uint16_t endpoint,
                                                   const Tunnel& tunnel) const;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const std::string& name(std::size_t index) const { return entries_[index].name; }
  [[nodiscard]] bool needs_vlan(std::size_t index) const { return entries_[index].by_vlan; }
  // A suppression that can never match because this earlier one covers all of it; for a warning.
  [[nodiscard]] std::optional<std::size_t> shadowed_by(std::size_t index) const {
    return entries_[index].shadowed_by;
  }

 private:
  struct Entry {
    std::string name;
    bool by_vlan = false;
    std::array<std::uint64_t, 4096 / 64> vlans{};
    std::vector<IpPrefix> outer;  // empty: no criterion
    std::optional<std::size_t> shadowed_by;

    [[nodiscard]] bool has(std::uint16_t id) const { return (vlans[id / 64] >> (id % 64)) & 1u; }
    [[nodiscard]] bool lists(const packet::VlanStack& stack) const;
    [[nodiscard]] bool lists(const Tunnel& tunnel) const;
  };

  std::vector<Entry> entries_;
  SuppressionBits any_source_;                // entries without a source criterion
  SuppressionBits no_endpoint_;               // entries that hold where no endpoint is touched
  std::vector<SuppressionBits> by_endpoint_;  // entries that hold for endpoint i
};

}  // namespace imds::classify
