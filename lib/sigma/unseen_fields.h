// Fields of public rules that packets cannot have, for errors that say why.
#pragma once

#include <string_view>

namespace imds::sigma {

// Why no event has such a field: "it is a device's verdict, which no packet tells". Empty: not
// known. Names compare without regard to case.
[[nodiscard]] std::string_view why_unseen(std::string_view field);

}  // namespace imds::sigma
