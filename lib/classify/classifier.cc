#include "classify/classifier.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include <rte_errno.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>

#include "prefix_plan.h"

namespace imds::classify {

namespace {

constexpr std::uint64_t kGroupBytes = std::uint64_t{256} * 4;
constexpr std::uint64_t kFirstLevelBytes = std::uint64_t{RTE_LPM_TBL24_NUM_ENTRIES} * 4;
// What DPDK's allocator and its own bookkeeping (rte_lpm6 keeps its rules in an rte_hash) add.
constexpr std::uint64_t kTableOverheadBytes = std::uint64_t{64} * 1024;
constexpr std::uint64_t kRuleBytes = 8;
constexpr std::uint64_t kRule6Bytes = 128;

struct TableSize {
  std::uint32_t rules;
  std::uint32_t groups;
};

TableSize size_of(std::span<const PlannedPrefix> prefixes) {
  return {static_cast<std::uint32_t>(prefixes.size()),
          std::max(count_tbl8_groups(prefixes), std::uint32_t{1})};
}

std::uint64_t table_bytes(std::span<const PlannedPrefix> prefixes, std::uint64_t rule_bytes) {
  if (prefixes.empty()) {
    return 0;
  }
  const TableSize size = size_of(prefixes);
  return kFirstLevelBytes + size.groups * (kGroupBytes + 32) + size.rules * rule_bytes +
         kTableOverheadBytes;
}

std::uint64_t tables_bytes(const PrefixPlan& plan) {
  return table_bytes(plan.v4, kRuleBytes) + table_bytes(plan.v6, kRule6Bytes);
}

// DPDK names tables process-wide, and a reload holds two Classifiers for a while.
std::string unique_name(const char* kind) {
  static std::atomic<unsigned> serial{0};
  return std::string("imds_") + kind + '_' + std::to_string(serial.fetch_add(1));
}

tl::unexpected<Error> table_failure(const char* family, std::uint64_t bytes) {
  if (rte_errno == ENOMEM) {
    return fail(ErrorKind::environment,
                std::string("no memory for the ") + family + " address table, which takes " +
                    std::to_string((bytes >> 20) + 1) +
                    " MiB of DPDK memory: reserve more hugepages or raise EAL's -m");
  }
  return fail(ErrorKind::environment, std::string("cannot create the ") + family +
                                          " address table: " + rte_strerror(rte_errno));
}

tl::unexpected<Error> insert_failure(const IpPrefix& prefix, int error) {
  return fail(ErrorKind::environment, "cannot enter " + prefix.to_string() +
                                          " into the address table: " + rte_strerror(-error));
}

void list(const IpPrefix& prefix, std::span<std::uint64_t> filter) {
  const unsigned first = (unsigned{prefix.address.bytes[0]} << 8) | prefix.address.bytes[1];
  const unsigned slots = prefix.length >= 16 ? 1 : 1u << (16 - prefix.length);
  for (unsigned slot = first; slot < first + slots; ++slot) {
    filter[slot / 64] |= std::uint64_t{1} << (slot % 64);
  }
}

}  // namespace

struct Classifier::Tables {
  struct Free {
    void operator()(rte_lpm* lpm) const { rte_lpm_free(lpm); }
    void operator()(rte_lpm6* lpm) const { rte_lpm6_free(lpm); }
  };
  std::unique_ptr<rte_lpm, Free> v4;
  std::unique_ptr<rte_lpm6, Free> v6;

  Status fill_v4(std::span<const PlannedPrefix> prefixes, int socket);
  Status fill_v6(std::span<const PlannedPrefix> prefixes, int socket);
};

struct Classifier::Plan {
  PrefixPlan prefixes;
};

Status Classifier::Tables::fill_v4(std::span<const PlannedPrefix> prefixes, int socket) {
  if (prefixes.empty()) {
    return {};
  }
  const TableSize size = size_of(prefixes);
  const rte_lpm_config config{.max_rules = size.rules, .number_tbl8s = size.groups, .flags = 0};
  v4.reset(rte_lpm_create(unique_name("lpm").c_str(), socket, &config));
  if (!v4) {
    return table_failure("IPv4", table_bytes(prefixes, kRuleBytes));
  }
  for (const PlannedPrefix& p : prefixes) {
    const int error =
        rte_lpm_add(v4.get(), p.prefix.address.v4_host_order(), p.prefix.length, p.class_id);
    if (error != 0) {
      return insert_failure(p.prefix, error);
    }
  }
  return {};
}

Status Classifier::Tables::fill_v6(std::span<const PlannedPrefix> prefixes, int socket) {
  if (prefixes.empty()) {
    return {};
  }
  const TableSize size = size_of(prefixes);
  const rte_lpm6_config config{.max_rules = size.rules, .number_tbl8s = size.groups, .flags = 0};
  v6.reset(rte_lpm6_create(unique_name("lpm6").c_str(), socket, &config));
  if (!v6) {
    return table_failure("IPv6", table_bytes(prefixes, kRule6Bytes));
  }
  for (const PlannedPrefix& p : prefixes) {
    const int error =
        rte_lpm6_add(v6.get(), p.prefix.address.bytes.data(), p.prefix.length, p.class_id);
    if (error != 0) {
      return insert_failure(p.prefix, error);
    }
  }
  return {};
}

Classifier::Classifier() : tables_(std::make_unique<Tables>()) {}
Classifier::~Classifier() = default;

Result<std::unique_ptr<const Classifier>> Classifier::create(const Options& options, int socket) {
  auto plan = plan_prefixes(options);
  if (!plan) {
    return pass_on(plan);
  }
  std::unique_ptr<Classifier> made(new Classifier);
  if (auto filled = made->tables_->fill_v4(plan->v4, socket); !filled) {
    return pass_on(filled);
  }
  if (auto filled = made->tables_->fill_v6(plan->v6, socket); !filled) {
    return pass_on(filled);
  }
  for (const PlannedPrefix& p : plan->v4) {
    list(p.prefix, made->listed_v4_);
  }
  for (const PlannedPrefix& p : plan->v6) {
    list(p.prefix, made->listed_v6_);
  }
  made->default_v4_ = plan->default_v4;
  made->default_v6_ = plan->default_v6;
  made->memory_bytes_ =
      tables_bytes(*plan) + sizeof(Classifier) + plan->classes.size() * sizeof(AddressClass);
  made->classes_ = std::move(plan->classes);
  plan->classes.clear();
  made->plan_.reset(new Plan{std::move(*plan)});
  return made;
}

bool Classifier::is_made_of(const Options& options) const {
  auto plan = plan_prefixes(options);
  if (!plan || plan->classes != classes_) {
    return false;
  }
  plan->classes.clear();
  return *plan == plan_->prefixes;
}

std::uint64_t Classifier::estimate_memory_bytes(const Options& options) {
  const auto plan = plan_prefixes(options);
  return plan ? tables_bytes(*plan) : 0;  // create() will tell what is wrong
}

ClassId Classifier::search_v4(const IpAddress& address) const {
  std::uint32_t id = kNoClass;
  return rte_lpm_lookup(tables_->v4.get(), address.v4_host_order(), &id) == 0 ? id : default_v4_;
}

ClassId Classifier::search_v6(const IpAddress& address) const {
  std::uint32_t id = kNoClass;
  return rte_lpm6_lookup(tables_->v6.get(), address.bytes.data(), &id) == 0 ? id : default_v6_;
}

void Classifier::lookup_v4(std::span<const std::uint32_t> addresses, std::span<ClassId> ids) const {
  constexpr std::size_t kChunk = 64;
  std::array<std::uint32_t, kChunk> listed;
  std::array<std::uint32_t, kChunk> place;
  std::array<std::uint32_t, kChunk> hops;
  for (std::size_t begin = 0; begin < addresses.size(); begin += kChunk) {
    const std::size_t end = std::min(begin + kChunk, addresses.size());
    unsigned count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      ids[i] = default_v4_;
      listed[count] = addresses[i];
      place[count] = static_cast<std::uint32_t>(i);
      count += may_be_listed(listed_v4_, addresses[i] >> 16) ? 1 : 0;
    }
    if (count == 0) {
      continue;
    }
    rte_lpm_lookup_bulk(tables_->v4.get(), listed.data(), hops.data(), count);
    for (unsigned k = 0; k < count; ++k) {
      if ((hops[k] & RTE_LPM_LOOKUP_SUCCESS) != 0) {
        constexpr std::uint32_t kHopMask = 0x00ffffff;
        ids[place[k]] = hops[k] & kHopMask;
      }
    }
  }
}

}  // namespace imds::classify
