// What a request says, as the fields that rules compare.
//
// Threads: any. Allocates nothing: all views point into what was given and the buffers, which must
// outlive them.
#pragma once

#include <span>
#include <string_view>

#include "event/event.h"
#include "http/head.h"

namespace imds::detect {

// Method, target in both readings, and the host it asks for (`host` stands in where the target
// names none). `buffer` holds the normalised reading: twice the bytes of target and host and
// http::kNormaliseSlack always suffice; what does not fit is cut.
void set_target(event::HttpRequestFields& out, std::string_view method, std::string_view target,
                std::string_view host, std::span<char> buffer);

// Host, user agent, all headers and the version of a head of HTTP/1. `buffer` as for
// http::write_header_text().
void set_headers(event::HttpRequestFields& out, const http::RequestHead& head,
                 std::span<char> buffer);

}  // namespace imds::detect
