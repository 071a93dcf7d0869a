// Sigma files: loaded or refused with a position; what loads compiles or is refused likewise, and
// what compiles judges an event.
#include <memory>

#include "fuzz.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "sigma_parts.h"

namespace {

using namespace imds;

// Compiling with Hyperscan takes long; that it takes long for long patterns is known.
constexpr std::size_t kMostCompiled = 2000;

void judge(const sigma::LoadedRules& loaded) {
  auto compiled = rules::RuleSet::compile(loaded.rules, {}, loaded.filters);
  if (!compiled) {
    fuzz::require(!compiled.error().message.empty(), "an error says something");
    return;
  }
  auto evaluator = rules::Evaluator::create(*compiled);
  fuzz::require(evaluator.has_value(), "what compiles can be evaluated");
  rules::RuleHits hits;
  evaluator->evaluate(fuzz::request(), hits);
  fuzz::require(hits.count <= (*compiled)->size(), "no more rules hit than there are");
}

// Whatever a correlation refers to is there, and before it.
void check_links(const sigma::LoadedRules& loaded) {
  for (std::size_t c = 0; c < loaded.correlations.size(); ++c) {
    const sigma::Correlation& correlation = loaded.correlations[c];
    for (const sigma::Reference& reference : correlation.rules) {
      const bool is_rule = reference.kind == sigma::Reference::Kind::rule;
      fuzz::require(reference.index < (is_rule ? loaded.rules.size() : c), "references go back");
    }
    for (const auto* fields : {&correlation.group_by, &correlation.value}) {
      for (const sigma::CorrelatedField& field : *fields) {
        fuzz::require(field.fields.size() == correlation.rules.size(), "a field for every rule");
      }
    }
    fuzz::require(correlation.threshold.least >= 1 &&
                      correlation.threshold.least <= correlation.threshold.most,
                  "some count is accepted");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = sigma::load_text(text, "input.yml", fuzz::fields());
  if (!loaded) {
    const Error& error = loaded.error();
    fuzz::require(error.kind == ErrorKind::config, "a bad rule is a configuration error");
    fuzz::require(error.to_string().find("input.yml") != std::string::npos, "errors name the file");
    return 0;
  }
  check_links(*loaded);
  if (size <= kMostCompiled) {
    judge(*loaded);
  }
  return 0;
}
