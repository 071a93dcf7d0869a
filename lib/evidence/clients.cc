#include "evidence/clients.h"

#include <algorithm>

#include "base/text.h"

namespace imds::evidence {

std::string_view ClientKinds::of(std::string_view user_agent) const {
  if (user_agent.empty()) {
    return {};
  }
  const char first = ascii_lower(user_agent.front());
  for (const ClientPattern& pattern : patterns_) {
    const char wanted = pattern.user_agent.front();
    if ((wanted == '*' || ascii_lower(wanted) == first) &&
        matches_wildcards(user_agent, pattern.user_agent, LetterCase::ignored)) {
      return pattern.kind;
    }
  }
  return {};
}

ExpectedAccounts::ExpectedAccounts(std::vector<ExpectedAccount> accounts)
    : accounts_(std::move(accounts)) {
  std::sort(
      accounts_.begin(), accounts_.end(),
      [](const ExpectedAccount& a, const ExpectedAccount& b) { return a.account < b.account; });
}

AccountVerdict ExpectedAccounts::judge(std::uint64_t account, const IpAddress& client) const {
  if (accounts_.empty()) {
    return AccountVerdict::none;
  }
  const auto found = std::lower_bound(
      accounts_.begin(), accounts_.end(), account,
      [](const ExpectedAccount& a, std::uint64_t wanted) { return a.account < wanted; });
  if (found == accounts_.end() || found->account != account) {
    return AccountVerdict::no;
  }
  const std::vector<IpPrefix>& networks = found->networks;
  const bool here =
      networks.empty() || std::any_of(networks.begin(), networks.end(),
                                      [&](const IpPrefix& p) { return p.contains(client); });
  return here ? AccountVerdict::yes : AccountVerdict::wrong_network;
}

}  // namespace imds::evidence
