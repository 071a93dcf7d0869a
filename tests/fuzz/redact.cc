// Masking: a secret written as the value of a listed parameter never shows, whatever stands around
// it and however the name is written.
//
// Input: a byte (form, encoding), then what stands before the parameter, a line feed, and after it.
#include "alert/redact.h"

#include <array>

#include "fuzz.h"

namespace {

using namespace imds;

constexpr std::string_view kSecret = "Zx9SecretZx9";

// In half of the cases a letter of the name is percent-encoded, perhaps twice.
std::string name_of(std::uint8_t choice) {
  constexpr std::array<std::string_view, 6> kNames = {"token",    "Token",     "t%6fken",
                                                      "TOKEN%3d", "t%256fken", "x-amz-credential"};
  return std::string(kNames[choice % kNames.size()]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const alert::Redactor redactor;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  const std::string_view around = fuzz::as_text(input.rest());
  if (around.find(kSecret) != std::string_view::npos) {
    return -1;  // not a value of ours: nothing says it is one
  }
  const std::size_t line = std::min(around.find('\n'), around.size());
  const std::string before(around.substr(0, line));
  const std::string after(around.substr(std::min(line + 1, around.size())));

  std::string text = "/" + before + "?" + name_of(choice >> 2) + "=";
  text.append(kSecret).append("&").append(after);
  const bool cut = text.size() > alert::kMaxMaskable;
  text.resize(std::min(text.size(), alert::kMaxMaskable));
  constexpr std::array kForms = {alert::Redactor::Form::target, alert::Redactor::Form::path,
                                 alert::Redactor::Form::domain};
  std::array<char, alert::kMaxMaskable> out{};
  const auto masked = redactor.mask(text, kForms[choice % 2], cut, out);
  fuzz::require(masked.length <= out.size(), "masked text fits");
  const std::string_view shown(out.data(), masked.length);
  fuzz::require(shown.find(kSecret) == std::string_view::npos, "the secret does not show");
  // Arbitrary text, for its own sake.
  const std::string_view plain = around.substr(0, alert::kMaxMaskable);
  (void)redactor.mask(plain, kForms[choice % 3], plain.size() < around.size(), out);
  return 0;
}
