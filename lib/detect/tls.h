// Whether a stream's first bytes are TLS, in which no plain string can stand.
//
// A pure function of the bytes; nothing is kept or allocated.
#pragma once

#include "base/cursor.h"

namespace imds::detect {

// `bytes` begin with a record (RFC 8446, 5.1; RFC 5246, 6.2) that holds a ClientHello or
// ServerHello whose lengths agree, or application data without text in it; where it ends within
// them, another record begins, and so on. Records may run on behind `bytes`. False as well if there
// are too few bytes to tell.
[[nodiscard]] bool is_tls(ByteSpan bytes);

}  // namespace imds::detect
