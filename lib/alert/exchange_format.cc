#include "exchange_format.h"

#include <array>
#include <utility>

#include "alert/record.h"
#include "base/text.h"
#include "base/time.h"
#include "event/exchange.h"

namespace imds::alert {

namespace {

using Json = nlohmann::ordered_json;

template <typename Code>
std::string word(std::uint8_t code) {
  return std::string(event::name(static_cast<Code>(code)));
}

std::string expiration_text(const imds_alert_exchange& exchange) {
  constexpr std::int64_t kLast = INT64_MAX / kNanosPerSecond;
  return exchange.expiration > 0 && exchange.expiration <= kLast
             ? to_rfc3339(Timestamp{exchange.expiration * kNanosPerSecond})
             : std::string();
}

std::string account_text(const imds_alert_exchange& exchange) {
  std::array<char, 12> room;
  return exchange.account_source != 0
             ? std::string(event::account_text(exchange.aws_account_id, room))
             : std::string();
}

std::string version_text(const imds_alert_exchange& exchange) {
  return exchange.imds_version == 0 ? "" : exchange.imds_version == 1 ? "v1" : "v2";
}

template <typename Text>
std::string valid(const Text& text) {
  return to_valid_utf8(view(text));
}

}  // namespace

void put_response(Json& root, const imds_alert_exchange& exchange) {
  if (exchange.http_status != 0) {
    root["http"]["response"]["status_code"] = exchange.http_status;
  }
  if (exchange.mime_type.length > 0) {
    root["http"]["response"]["mime_type"] = valid(exchange.mime_type);
  }
  if (exchange.has_body_bytes != 0) {
    root["http"]["response"]["body"]["bytes"] = exchange.body_bytes;
  }
}

void put_exchange(Json& imds, const imds_alert_exchange& exchange) {
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) {
      imds[key] = value;
    }
  };
  put("client_kind", valid(exchange.client_kind));
  put("version", version_text(exchange));
  put("forwarded", exchange.forwarded != 0 ? "yes" : "");
  put("server", valid(exchange.server));
  if (exchange.token_length > 0) {
    imds["token"]["length"] = exchange.token_length;
  }
  if (exchange.token_ttl > 0) {
    imds["token"]["ttl"] = exchange.token_ttl;
  }
  put("delivered", word<event::Delivered>(exchange.delivered));
  put("content_kind", word<event::ContentKind>(exchange.content));
  put("aws_account_id", account_text(exchange));
  put("account_source", word<event::AccountSource>(exchange.account_source));
  put("account_expected", word<event::AccountVerdict>(exchange.account_expected));
  put("access_key_id", valid(exchange.access_key_id));
  put("role", valid(exchange.role));
  put("region", valid(exchange.region));
  put("expiration", expiration_text(exchange));
}

void for_each_exchange_word(
    const imds_alert_exchange& exchange,
    const std::function<void(const char* key, const std::string& value)>& visit) {
  const std::pair<const char*, std::string> words[] = {
      {"client_kind", valid(exchange.client_kind)},
      {"delivered", word<event::Delivered>(exchange.delivered)},
      {"aws_account_id", account_text(exchange)},
      {"account_expected", word<event::AccountVerdict>(exchange.account_expected)},
      {"access_key_id", valid(exchange.access_key_id)},
      {"role", valid(exchange.role)}};
  for (const auto& [key, value] : words) {
    if (!value.empty()) {
      visit(key, value);
    }
  }
}

std::string answer_line(const imds_alert_exchange& exchange) {
  std::string out;
  if (exchange.http_status == 0 && exchange.delivered == 0 && exchange.access_key_id.length == 0) {
    return out;
  }
  const auto add = [&out](const char* what, const std::string& value) {
    if (!value.empty()) {
      out += (out.empty() ? "" : "  ") + std::string(what) + value;
    }
  };
  add("status ", exchange.http_status != 0 ? std::to_string(exchange.http_status) : "");
  add("server ", escape_for_terminal(view(exchange.server)));
  add("client ", escape_for_terminal(view(exchange.client_kind)));
  add("token of ",
      exchange.token_length > 0 ? std::to_string(exchange.token_length) + " bytes" : "");
  add("ttl ", exchange.token_ttl > 0 ? std::to_string(exchange.token_ttl) + " s" : "");
  add("delivered ", word<event::Delivered>(exchange.delivered));
  add("account ", account_text(exchange));
  add("expected ", word<event::AccountVerdict>(exchange.account_expected));
  add("key ", escape_for_terminal(view(exchange.access_key_id)));
  add("role ", escape_for_terminal(view(exchange.role)));
  add("until ", expiration_text(exchange));
  return out;
}

}  // namespace imds::alert
