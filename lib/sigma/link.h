// What can be told only when all files are read: what references mean, what stands behind a
// correlation, which rules alert on their own.
#pragma once

#include <vector>

#include "base/result.h"
#include "sigma/load.h"

namespace imds::sigma {

// Two documents with one id could not be told apart in alerts: of each id the first stays. An error
// for each that was left out: rules, then correlations, then filters.
[[nodiscard]] std::vector<Error> leave_out_same_ids(LoadedRules& loaded);

// Errors, with the position of the reference: unknown, ambiguous, a cycle, a group-by field that no
// event of a rule carries, an alias without a field for one of the rules. A rule that alerts but
// has no level is warned about. Correlations that refer to skipped rules become skipped themselves.
[[nodiscard]] Status link(LoadedRules& loaded);

}  // namespace imds::sigma
