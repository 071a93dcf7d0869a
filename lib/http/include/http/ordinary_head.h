// Heads in the form that nearly all clients and servers give them: found, sketched and parsed in
// one pass.
//
// A function of the head's bytes; nothing is allocated. Results are views into them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cursor.h"
#include "http/body.h"
#include "http/head.h"

namespace imds::http {

struct OrdinaryHead {
  std::size_t size = 0;  // bytes, empty line included; 0: the head is not complete, or not ordinary
  std::uint16_t disguise = 0;  // Disguise bits (sketch.h): of the target, and kHostForm
  BodyPlan body;
};

// Whether `bytes` begin with a whole head of at most `limit` bytes in the plainest form: one of the
// usual methods, one blank, a path that normalising leaves as it is, HTTP/1.1 or 1.0; "Name: value"
// with one blank, no value empty, nothing folded; a plain Host, if any; each line ended by CR LF.
//
// If so, `out` is what parse_request_head() makes of the head, sketch_request() finds no disguise
// in it and the same body, and HeadEndFinder the same end. If not, `out` is unspecified, and the
// head may be anything: those functions have to tell.
[[nodiscard]] OrdinaryHead read_ordinary_head(ByteSpan bytes, std::uint32_t limit,
                                              RequestHead& out);

// The same of a response: HTTP/1.1 or 1.0, one blank, three digits; its header lines as above. The
// head's size, or 0. `out` is what parse_response_head() makes of it.
[[nodiscard]] std::size_t read_ordinary_answer(ByteSpan bytes, std::uint32_t limit,
                                               ResponseHead& out);

}  // namespace imds::http
