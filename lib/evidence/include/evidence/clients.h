// Which kind of client a user agent belongs to, by a table of patterns; and whether an account's
// credentials were to be expected. Both immutable once made, and shared by all workers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.h"
#include "event/exchange.h"

namespace imds::evidence {

struct ClientPattern {
  std::string user_agent;  // whole text, `*` for anything; ASCII case does not count
  std::string kind;        // "botocore", "curl", …
};

class ClientKinds {
 public:
  ClientKinds() = default;
  explicit ClientKinds(std::vector<ClientPattern> patterns) : patterns_(std::move(patterns)) {}

  // Of the first pattern that fits; a view into the table. data() == nullptr: none does.
  [[nodiscard]] std::string_view of(std::string_view user_agent) const;

 private:
  std::vector<ClientPattern> patterns_;
};

using event::AccountVerdict;

struct ExpectedAccount {
  std::uint64_t account = 0;
  std::vector<IpPrefix> networks;  // of the clients; empty: any
};

class ExpectedAccounts {
 public:
  ExpectedAccounts() = default;
  explicit ExpectedAccounts(std::vector<ExpectedAccount> accounts);

  [[nodiscard]] AccountVerdict judge(std::uint64_t account, const IpAddress& client) const;
  [[nodiscard]] bool empty() const { return accounts_.empty(); }

 private:
  std::vector<ExpectedAccount> accounts_;  // by account
};

}  // namespace imds::evidence
