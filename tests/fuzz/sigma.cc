// Sigma files: loaded or refused with a position; what loads compiles or is refused likewise, and
// what compiles judges an event.
#include <memory>

#include "event/fields.h"
#include "fuzz.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"
#include "sigma/load.h"

namespace {

using namespace imds;

// Compiling with Hyperscan takes long; that it takes long for long patterns is known.
constexpr std::size_t kMostCompiled = 2000;

const event::FieldTable& fields() {
  static const event::FieldTable table =
      event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml").value();
  return table;
}

event::Event request() {
  event::Event event;
  event.type = event::EventType::http_request;
  event.flow.source.ip = IpAddress::v4(0x0a000001);
  event.flow.destination.ip = IpAddress::v4(0xa9fea9fe);
  event.http.method = "GET";
  event.http.target = {"/latest/%6deta-data/", "/latest/meta-data/"};
  event.http.path = event.http.target;
  event.http.domain = {"169.254.169.254", "169.254.169.254"};
  event.http.headers = "Host: 169.254.169.254\n";
  return event;
}

void judge(const std::vector<sigma::Rule>& rules) {
  auto compiled = rules::RuleSet::compile(rules);
  if (!compiled) {
    fuzz::require(!compiled.error().message.empty(), "an error says something");
    return;
  }
  auto evaluator = rules::Evaluator::create(*compiled);
  fuzz::require(evaluator.has_value(), "what compiles can be evaluated");
  rules::RuleHits hits;
  evaluator->evaluate(request(), hits);
  fuzz::require(hits.count <= (*compiled)->size(), "no more rules hit than there are");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = sigma::load_text(text, "input.yml", fields());
  if (!loaded) {
    const Error& error = loaded.error();
    fuzz::require(error.kind == ErrorKind::config, "a bad rule is a configuration error");
    fuzz::require(error.to_string().find("input.yml") != std::string::npos, "errors name the file");
    return 0;
  }
  if (size <= kMostCompiled) {
    judge(loaded->rules);
  }
  return 0;
}
