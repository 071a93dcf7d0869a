// Configuration text: accepted, or refused with file and position; what is accepted is valid.
#include "config/load.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace imds;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto parsed = config::parse(text, "input.yaml");
  if (!parsed) {
    fuzz::require(parsed.error().kind == ErrorKind::config, "bad text is a configuration error");
    fuzz::require(parsed.error().to_string().starts_with("input.yaml"), "errors name the file");
    return 0;
  }
  fuzz::require(config::validate(*parsed).has_value(), "what was accepted is still valid");
  fuzz::require(parsed->workers.count >= 1 && parsed->workers.count <= config::kMaxWorkers,
                "workers are within bounds");
  return 0;
}
