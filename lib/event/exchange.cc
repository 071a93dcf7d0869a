#include "event/exchange.h"

#include <array>

namespace imds::event {

namespace {

constexpr std::array<std::string_view, 5> kDelivered = {"", "credentials", "identity_document",
                                                        "role_info", "user_data"};
constexpr std::array<std::string_view, 5> kSources = {"", "key_id", "document", "arn",
                                                      "conflicting"};
constexpr std::array<std::string_view, 4> kVerdicts = {"", "yes", "no", "wrong_network"};
constexpr std::array<std::string_view, 11> kContents = {
    "",     "empty",      "json", "shell_script", "cloud_config", "cloud_init",
    "mime", "powershell", "gzip", "text",         "binary"};

template <typename Code>
std::string_view name_in(std::span<const std::string_view> names, Code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < names.size() ? names[index] : std::string_view();
}

}  // namespace

std::string_view name(Delivered delivered) {
  return name_in(kDelivered, delivered);
}
std::string_view name(AccountSource source) {
  return name_in(kSources, source);
}
std::string_view name(AccountVerdict verdict) {
  return name_in(kVerdicts, verdict);
}
std::string_view name(ContentKind kind) {
  return name_in(kContents, kind);
}

std::string_view account_text(std::uint64_t account, std::span<char, 12> room) {
  for (std::size_t i = room.size(); i > 0; --i) {
    room[i - 1] = static_cast<char>('0' + account % 10);
    account /= 10;
  }
  return {room.data(), room.size()};
}

std::span<const std::string_view> delivered_names() {
  return std::span(kDelivered).subspan(1);
}
std::span<const std::string_view> account_source_names() {
  return std::span(kSources).subspan(1);
}
std::span<const std::string_view> account_verdict_names() {
  return std::span(kVerdicts).subspan(1);
}
std::span<const std::string_view> content_kind_names() {
  return std::span(kContents).subspan(1);
}

}  // namespace imds::event
