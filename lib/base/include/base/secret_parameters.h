// Query parameters whose values are secrets unless an operator says otherwise: what configuration
// shows as the default is what masking does by default.
#pragma once

#include <string>
#include <vector>

namespace imds {

// Names in lower case; they are compared without regard to case.
[[nodiscard]] std::vector<std::string> default_secret_parameters();

}  // namespace imds
