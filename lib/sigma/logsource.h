// Which of the inspector's events a rule's logsource means.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "context.h"
#include "sigma/rule.h"

namespace imds::sigma {

struct Service {
  Logsource logsource;
  std::uint32_t events = 0;  // event::bit of each; 0: not served
  // Its rules may compare fields of the answers to its requests, too.
  bool has_answers = false;
  std::string not_served;  // then, why
};

// `node` is the value of `logsource` in `document`. Errors: not a map of texts, or none of
// category, product and service given.
[[nodiscard]] Result<Service> read_logsource(const Context& context, const Node& node,
                                             const Node& document);

}  // namespace imds::sigma
