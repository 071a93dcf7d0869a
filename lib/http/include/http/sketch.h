// What is read of every request head, in one quick pass without parsing it: whether it is
// disguised, and how its body is framed. Heads that neither a literal nor this finds interesting
// are not looked at again.
//
// A pure function of the head's bytes; nothing is kept or allocated.
#pragma once

#include <cstdint>

#include "base/cursor.h"
#include "http/body.h"

namespace imds::http {

// Reasons a head has to be parsed and normalised before its literals can be trusted: bits.
enum Disguise : std::uint8_t {
  kTargetEncoded = 0x01,    // % in the target
  kTargetSlashes = 0x02,    // a backslash, or // other than the scheme's
  kTargetDots = 0x04,       // a segment that begins with a dot
  kTargetParameter = 0x08,  // ; in the target
  kHostForm = 0x10,         // a host, in target or Host, that is bracketed, percent-encoded, or a
                            // number in any form but the plain dotted quad
  kFolded = 0x20,           // a header continued on the next line
};

struct RequestSketch {
  std::uint8_t disguise = 0;  // Disguise bits
  // Framing by the headers that stand there. `exact` is false when something odd needs the
  // parser: use plan_request_body() on the parsed head then.
  BodyPlan body;
  bool exact = true;
};

// `raw_head` as for parse_request_head(). A superset trigger: what it does not flag, normalising
// would not change in a way a rule could see.
[[nodiscard]] RequestSketch sketch_request(ByteSpan raw_head);

// sketch_request().disguise != 0.
[[nodiscard]] bool has_disguise(ByteSpan raw_head);

}  // namespace imds::http
