#include "packet/tcp_options.h"

namespace imds::packet {

bool tcp_options_add_up_one_by_one(ByteSpan options) {
  for (std::size_t i = 0; i < options.size();) {
    constexpr std::uint8_t kEndOfOptions = 0;
    constexpr std::uint8_t kNoOperation = 1;
    if (options[i] == kEndOfOptions) {
      return true;
    }
    if (options[i] == kNoOperation) {
      ++i;
      continue;
    }
    if (i + 1 >= options.size() || options[i + 1] < 2 || options[i + 1] > options.size() - i) {
      return false;
    }
    i += options[i + 1];
  }
  return true;
}

}  // namespace imds::packet
