// Whole numbers as rules write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace imds::sigma {

// Decimal, or hexadecimal after 0x; not negative. A leading zero is refused: YAML 1.1 reads octal,
// 1.2 decimal.
[[nodiscard]] std::optional<std::int64_t> parse_number(std::string_view text);

}  // namespace imds::sigma
