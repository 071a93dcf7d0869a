// Helpers of this room's tests.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cursor.h"
#include "http/head.h"

namespace imds::http {

inline ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A heap copy of exactly this size, so that a sanitizer sees any read beyond it.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view text) : bytes_(text.begin(), text.end()) {}
  [[nodiscard]] ByteSpan span() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

// A parsed request that owns what its views point to.
struct ParsedRequest {
  explicit ParsedRequest(std::string_view text, std::size_t scratch_size = 65536)
      : raw(text), scratch(std::min(scratch_size, std::size_t{65536})) {
    status = parse_request_head(raw.span(), scratch, head);
  }
  ParsedRequest(const ParsedRequest&) = delete;
  ParsedRequest& operator=(const ParsedRequest&) = delete;

  [[nodiscard]] std::string header_text() const {
    std::vector<char> buffer(head.fields.bytes.size() + 2 * head.fields.count + 2);
    return std::string(write_header_text(head.fields, buffer).text);
  }

  ExactBytes raw;
  std::vector<char> scratch;
  RequestHead head;
  HeadStatus status = HeadStatus::not_http;
};

inline constexpr std::string_view kPlainRequest =
    "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n"
    "Host: 169.254.169.254\r\n"
    "User-Agent: Boto3/1.34 Python/3.11\r\n"
    "X-aws-ec2-metadata-token: AQAEA\r\n"
    "Accept: */*\r\n"
    "\r\n";

}  // namespace imds::http
