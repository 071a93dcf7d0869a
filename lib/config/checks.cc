#include "checks.h"

#include <algorithm>
#include <charconv>

namespace imds::config {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_name_character(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
}

template <typename Predicate>
bool all(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool is_short_name(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && all(text, is_name_character);
}

}  // namespace

std::string check_name(std::string_view text) {
  return is_short_name(text, 32) ? "" : "expected 1 to 32 letters, digits, '_', '.' or '-'";
}

std::string check_hostname(std::string_view text) {
  return text.empty() || is_short_name(text, 64)
             ? ""
             : "expected a host name of at most 64 letters, digits, '_', '.' or '-'";
}

std::string check_interface(std::string_view text) {
  // IFNAMSIZ is 16 with the final NUL. A comma would end it in a DPDK device string.
  const bool good =
      !text.empty() && text.size() <= 15 && text != "." && text != ".." && all(text, [](char c) {
        return c > ' ' && c != '/' && c != ':' && c != ',' && c != '=' && c != 0x7f;
      });
  return good ? "" : "expected the name of a kernel interface, 1 to 15 characters such as eth1";
}

bool is_pci_address(std::string_view text) {
  text = text.substr(0, text.find(','));
  // [domain:]bus:device.function
  if (text.size() == 12 && text[4] == ':' && all(text.substr(0, 4), is_hex)) {
    text.remove_prefix(5);
  }
  return text.size() == 7 && text[2] == ':' && text[5] == '.' && all(text.substr(0, 2), is_hex) &&
         all(text.substr(3, 2), is_hex) && text[6] >= '0' && text[6] <= '7';
}

std::string check_device(std::string_view text) {
  const std::string_view driver = text.substr(0, text.find(','));
  const bool vdev = driver.starts_with("net_") && driver.size() > 4 && driver.size() <= 64 &&
                    all(driver, is_name_character);
  return is_pci_address(text) || vdev ? ""
                                      : "expected a PCI address such as 0000:3b:00.0 or a DPDK "
                                        "virtual device such as net_memif0,role=client";
}

std::string check_shared_memory_name(std::string_view text) {
  return text.starts_with('/') && is_short_name(text.substr(1), 64)
             ? ""
             : "expected '/' and 1 to 64 letters, digits, '_', '.' or '-', such as /imds-inspector";
}

std::string check_not_empty(std::string_view text) {
  return text.empty() ? "expected a text that is not empty" : "";
}

std::string check_rule_id(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  bool good = text.size() == kForm.size();
  for (std::size_t i = 0; good && i < kForm.size(); ++i) {
    good = kForm[i] == '-' ? text[i] == '-' : is_hex(text[i]);
  }
  return good ? ""
              : "expected the id of a rule, a UUID such as 866049a2-f864-4ac3-8dbf-20bd71e33544";
}

std::string check_tag(std::string_view text) {
  const std::size_t dot = text.find('.');
  const bool good =
      is_short_name(text, 128) && dot != std::string_view::npos && dot > 0 && dot + 1 < text.size();
  return good ? "" : "expected a tag of rules, namespace and name such as attack.t1552.005";
}

std::string check_user_agent(std::string_view text) {
  return text.size() <= 256 && text.find_first_not_of('*') != std::string_view::npos
             ? ""
             : "expected a user agent of at most 256 bytes, such as Cloud-Init/*";
}

std::string check_dns_pattern(std::string_view text) {
  const bool good = text.size() <= 253 && !text.ends_with('.') &&
                    text.find_first_not_of("*.") != std::string_view::npos &&
                    all(text, [](char c) { return is_name_character(c) || c == '*'; });
  return good ? "" : "expected a name in DNS such as metadata.google.internal or instance-data.*";
}

std::optional<std::uint64_t> parse_whole_number(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::uint64_t value = 0;
  const auto [rest, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || rest != end) {
    return std::nullopt;
  }
  return value;
}

}  // namespace imds::config
