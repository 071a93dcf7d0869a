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
enum Disguise : std::uint16_t {
  kTargetEncoded = 0x01,    // in the target: %, or a byte beyond ASCII
  kTargetSlashes = 0x02,    // in the path: a backslash, or // (the scheme's are none)
  kTargetDots = 0x04,       // a path segment that begins with a dot
  kTargetParameter = 0x08,  // ; in the path
  kTargetForm = 0x10,       // neither /path, *, http://host/path, https://host/path nor, with
                            // CONNECT, host:port
  kHostForm = 0x20,         // a host, in target or Host, that is bracketed, encoded, preceded by
                            // userinfo, ended by a dot, a number other than a plain dotted quad,
                            // or the name of a service that spells addresses
  kFolded = 0x40,           // a header continued on the next line
  kHeaderSpacing = 0x80,    // a header not written exactly "Name: value" around its colon
  kBareCr = 0x100,          // a CR without LF, which ends a line for some
};

struct RequestSketch {
  std::uint16_t disguise = 0;  // Disguise bits
  // The first line is a request line, as parse_request_head() would find. Without, nothing else
  // is set.
  bool valid = false;
  // As plan_request_body() on the parsed head gives, except when a header is folded (then parse).
  BodyPlan body;
};

// `raw_head` as for parse_request_head(). A superset trigger: text that a rule could find in the
// normalised target, host or header text stands literally in the raw head unless a bit says
// otherwise. (Line feeds between header lines aside: raw ones are CRLF.)
[[nodiscard]] RequestSketch sketch_request(ByteSpan raw_head);

// sketch_request().disguise != 0.
[[nodiscard]] bool has_disguise(ByteSpan raw_head);

}  // namespace imds::http
