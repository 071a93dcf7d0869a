// Where in a run of bytes might a request begin, if nobody can say where it should?
//
// A pure function of the bytes given. Nothing is kept or allocated.
#pragma once

#include <cstddef>
#include <optional>

#include "base/cursor.h"

namespace imds::http {

// Bytes at the end of a piece in which no request was found yet that may begin one: scan them again
// together with what follows.
inline constexpr std::size_t kRequestTail = 48;

struct FoundRequest {
  std::size_t begin = 0;  // of the method
  std::size_t next = 0;   // behind the request line, or the end if it is not complete
};

// The first request line that begins at or after `from`, anywhere in a line: a method token, a
// blank and what begins a target for sure (or, at the beginning of a line, a method known to RFCs
// and any target). A line that is complete must name an HTTP version. In front of a known method
// other token characters may stand ("aaaGET /"): the known one counts. Linear in the bytes up to
// what is found, but for the rest of each line that looks like one.
[[nodiscard]] std::optional<FoundRequest> find_request(ByteSpan bytes, std::size_t from);

}  // namespace imds::http
