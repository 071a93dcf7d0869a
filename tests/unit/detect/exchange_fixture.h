// Conversations with a metadata service, and what is found in them, as lines of text.
#pragma once

#include <string>
#include <vector>

#include "fixture.h"

namespace imds::detect {

// Every event of an exchange alerts.
inline constexpr std::string_view kEveryAnswer = R"(
title: Every answer
id: 33333333-3333-4333-8333-333333333333
level: low
logsource: {product: imds-inspector}
detection:
  answer: {imds.event: [http_response, token_issued, credentials_delivered]}
  condition: answer
---
title: A path
id: 44444444-4444-4444-8444-444444444444
level: low
logsource: {category: network}
detection:
  path: {url|contains: /latest/}
  condition: path
)";

inline constexpr std::string_view kSecretValue = "FAKE-SECRET-ACCESS-KEY-0123456789abcdefgh";
inline constexpr std::string_view kTokenValue = "FAKE-SESSION-TOKEN-0123456789abcdefghijkl";

inline std::string credentials_json(std::string_view id = "ASIAQNZGKIQY56JQ7WML") {
  return "{\n  \"Code\" : \"Success\",\n  \"AccessKeyId\" : \"" + std::string(id) +
         "\",\n  \"SecretAccessKey\" : \"" + std::string(kSecretValue) + "\",\n  \"Token\" : \"" +
         std::string(kTokenValue) + "\",\n  \"Expiration\" : \"2025-10-08T18:00:00Z\"\n}";
}

inline std::string get(std::string_view target, std::string_view more = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: 169.254.169.254\r\n" +
         "User-Agent: curl/8.0\r\n" + std::string(more) + "\r\n";
}

inline std::string ok(std::string_view body, std::string_view more = {}) {
  return "HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Type: text/plain; charset=utf-8\r\n" +
         std::string(more) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

inline std::string chunked(std::string_view body, std::size_t size) {
  std::string out = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t at = 0; at < body.size(); at += size) {
    const std::string_view part = body.substr(at, size);
    std::string length;
    for (std::size_t left = part.size(); left > 0; left /= 16) {
      length.insert(length.begin(), kHex[left % 16]);
    }
    out += length + "\r\n" + std::string(part) + "\r\n";
  }
  return out + "0\r\n\r\n";
}

inline const std::string kRolePath = "/latest/meta-data/iam/security-credentials/deploy";

// "credentials_delivered 200 GET /x credentials key=… account=… [words]".
inline std::string line_of(const event::Finding& f) {
  std::string out(event::name(f.type));
  const auto add = [&out](const char* what, std::string_view value) {
    if (!value.empty()) {
      out += ' ' + std::string(what) + std::string(value);
    }
  };
  if (f.has_exchange) {
    const event::FindingExchange& x = f.exchange;
    add("", x.status != 0 ? std::to_string(x.status) : "");
    add("", f.method.view());
    add("", f.target.view());
    add("", event::name(x.delivered));
    add("", event::name(x.content));
    add("key=", x.access_key_id.view());
    add("role=", x.role.view());
    add("account=",
        x.account_source != event::AccountSource::none ? std::to_string(x.account) : "");
    add("expected=", event::name(x.account_expected));
    add("token=", x.token_length > 0 ? std::to_string(x.token_length) : "");
    add("ttl=", x.token_ttl > 0 ? std::to_string(x.token_ttl) : "");
    add("v", x.version > 0 ? std::to_string(x.version) : "");
    add("", x.forwarded ? "forwarded" : "");
    add("bytes=", x.has_body_bytes ? std::to_string(x.body_bytes) : "");
  }
  for (const event::VisibilityName& word : event::visibility_names()) {
    if ((f.visibility & word.bit) != 0) {
      add("+", word.name);
    }
  }
  return out;
}

// Of the answers only.
inline std::vector<std::string> answers(Bench& bench) {
  std::vector<std::string> out;
  for (const event::Finding& finding : bench.take()) {
    if (finding.type == event::EventType::http_response ||
        finding.type == event::EventType::token_issued ||
        finding.type == event::EventType::credentials_delivered) {
      out.push_back(line_of(finding));
    }
  }
  return out;
}

}  // namespace imds::detect
