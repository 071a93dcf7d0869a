// Which configured suppression, if any, covers an alert.
//
// Two questions, because an event may hit several rules: which suppressions hold for the event, and
// which of those is about a given rule. Both are asked only once a rule has hit.
//
// Threads: immutable once created; shared by all workers. Indices are those of
// Options::suppressions, stable for counters. Asking allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/tunnel.h"
#include "classify/address_class.h"
#include "packet/view.h"

namespace imds::classify {

// User agents longer than this match none: they would cost time, and nobody expects them.
inline constexpr std::size_t kMaxUserAgent = 1024;

// What is asked about. Views; `client` and the others must outlive the call.
struct Subject {
  const AddressClass& client;
  const packet::VlanStack& vlans;
  std::uint16_t endpoint = kNoEndpoint;  // kNoEndpoint: neither side is one
  const Tunnel& tunnel;
  IpAddress server{};
  MacAddress server_mac{};        // zero: not known
  std::string_view user_agent{};  // data() == nullptr: none
  Timestamp time{};
  bool nowhere = false;  // the client's address tells no place: it is never outside
};

class SuppressionSet {
 public:
  // Errors, kind config: a suppression without any criterion or name, two with one name, an
  // endpoint that is not configured, a VLAN range that is empty or beyond 4095, more than
  // kMaxSuppressions.
  [[nodiscard]] static Result<SuppressionSet> create(const Options& options);

  // The suppressions that hold for an event, whatever rule it hit. A VLAN criterion holds if any
  // tag of the stack, outer or inner, is listed, or if id 0 is listed and the stack is empty. An
  // outer criterion holds if the packet came in a tunnel and either outer address is in a listed
  // prefix.
  [[nodiscard]] SuppressionBits covering(const Subject& subject) const;
  // The first of them in configured order that is about this rule.
  [[nodiscard]] std::optional<std::uint16_t> first_for(const SuppressionBits& covering,
                                                       std::uint16_t rule) const;

  // Whether any of them is about every rule, so that the event is as if it had not been.
  [[nodiscard]] bool covers_all_rules(const SuppressionBits& covering) const;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const std::string& name(std::size_t index) const { return entries_[index].name; }
  [[nodiscard]] bool needs_vlan(std::size_t index) const { return entries_[index].by_vlan; }
  // A suppression that can never match because this earlier one covers all of it; for a warning.
  [[nodiscard]] std::optional<std::size_t> shadowed_by(std::size_t index) const {
    return entries_[index].shadowed_by;
  }
  // Why it can never match (any more), to be put behind "never matches, because "; empty if it can.
  [[nodiscard]] const std::string& never_because(std::size_t index) const {
    return entries_[index].never_because;
  }

 private:
  struct Entry {
    std::string name;
    bool by_vlan = false;
    bool by_rule = false;
    bool by_responder = false;
    std::array<std::uint64_t, 4096 / 64> vlans{};
    std::vector<IpPrefix> outer;  // empty: no criterion; so the others
    std::vector<IpPrefix> destinations;
    std::vector<IpPrefix> responder_addresses;
    std::vector<MacAddress> responder_macs;
    std::vector<std::string> user_agents;
    std::vector<std::uint64_t> rules;  // a bit each
    Timestamp from;
    Timestamp until;
    std::vector<DailyHours> daily;
    std::optional<std::size_t> shadowed_by;
    std::string never_because;

    [[nodiscard]] bool has(std::uint16_t id) const { return (vlans[id / 64] >> (id % 64)) & 1u; }
    [[nodiscard]] bool lists(const packet::VlanStack& stack) const;
    [[nodiscard]] bool lists(const Tunnel& tunnel) const;
    [[nodiscard]] bool lists_responder(const Subject& subject) const;
    [[nodiscard]] bool lists_user_agent(std::string_view user_agent) const;
    [[nodiscard]] bool lists(Timestamp time) const;
    [[nodiscard]] bool lists_rule(std::uint16_t rule) const;
    [[nodiscard]] bool holds(const Subject& subject) const;
  };

  static Entry make_entry(const Options& options, std::size_t index);

  std::vector<Entry> entries_;
  SuppressionBits any_source_;                // entries without a source criterion
  SuppressionBits outside_;                   // entries about clients in none of their sources
  SuppressionBits no_endpoint_;               // entries that hold where no endpoint is touched
  std::vector<SuppressionBits> by_endpoint_;  // entries that hold for endpoint i
};

}  // namespace imds::classify
