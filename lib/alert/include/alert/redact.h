// Masks secrets in text that came from a request line, before it enters an alert record: the
// password of a userinfo part, and the values of query parameters with listed names. Sees through
// percent-encoding of any depth, also where one URL is the parameter of another. When in doubt it
// masks: losing a few characters of evidence is better than keeping a credential.
//
// Threads: a Redactor is immutable and may be shared. mask() does not allocate.
#pragma once

#include <bitset>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace imds::alert {

struct RedactionOptions {
  // Names of query parameters whose values are masked; ASCII case does not matter.
  std::vector<std::string> query_parameters = default_query_parameters();

  [[nodiscard]] static std::vector<std::string> default_query_parameters();
};

// What stands in place of a masked value.
inline constexpr std::string_view kRedacted = "REDACTED";

// The longest text mask() takes: the cap of a finding's fields.
inline constexpr std::size_t kMaxMaskable = 1024;

class Redactor {
 public:
  explicit Redactor(const RedactionOptions& options = {});

  // What the text is, which decides where a secret in it ends.
  enum class Form {
    target,  // a request-target as sent: origin, absolute or authority form
    path,    // a normalised path, already decoded: after a secret's name nothing can be told apart
    domain,  // a host name that should have no userinfo, but might
  };
  struct Masked {
    std::size_t length = 0;  // bytes written to `out`
    bool cut = false;        // `out` (or kMaxMaskable) was too small for all of it
  };
  // `cut`: `text` is only the beginning of what was sent, so what would end a secret may be
  // missing.
  [[nodiscard]] Masked mask(std::string_view text, Form form, bool cut, std::span<char> out) const;

 private:
  static constexpr std::size_t kHints = 1024;
  [[nodiscard]] static std::size_t hint(std::string_view name);
  [[nodiscard]] bool is_listed(std::string_view name) const;

  std::vector<std::string> names_;  // lower case, sorted
  std::bitset<kHints> hints_;       // of the names
};

}  // namespace imds::alert
