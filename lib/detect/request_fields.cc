#include "detect/request_fields.h"

#include "http/target.h"

namespace imds::detect {

void set_target(event::HttpRequestFields& out, std::string_view method, std::string_view target,
                std::string_view host, std::span<char> buffer) {
  const http::Target parts = http::split_target(method, target, host);
  const http::NormalisedTarget normal = http::normalise_target(parts, buffer);
  out.method = method;
  out.target = {parts.text, normal.target};
  out.path = {parts.path, normal.path};
  out.query = {parts.query, normal.query};
  out.domain = {parts.host, normal.domain};
}

void set_headers(event::HttpRequestFields& out, const http::RequestHead& head,
                 std::span<char> buffer) {
  out.host = head.fields.host;
  out.user_agent = head.fields.user_agent;
  out.headers = http::write_header_text(head.fields, buffer).text;
  out.version = head.version_text;
}

}  // namespace imds::detect
