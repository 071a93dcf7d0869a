// Conditions, selections and values of Sigma rules: the input's first line is a condition, every
// further line a line of the selection `a`. Whatever loads compiles, and what compiles judges an
// event as often as asked with the same verdict.
#include <string>

#include "fuzz.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"
#include "sigma/load.h"
#include "sigma_parts.h"

namespace {

using namespace imds;

constexpr std::size_t kMost = 600;  // bytes; compiling regular expressions takes long

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') {
      out += c;
    }
  }
  return out + "'";
}

// `key: value` lines, both quoted, so that the input reaches the selection and not YAML.
std::string rule(std::string_view input) {
  std::string condition(input.substr(0, input.find('\n')));
  input.remove_prefix(std::min(condition.size() + 1, input.size()));
  std::string selection;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    const std::size_t colon = line.find(": ");
    selection += "    " + in_quotes(line.substr(0, colon)) + ": " +
                 in_quotes(colon == std::string_view::npos ? "x" : line.substr(colon + 2)) + "\n";
  }
  return "title: a\nid: 11111111-1111-4111-8111-111111111111\nlevel: low\n"
         "logsource: {category: network}\ndetection:\n  a:\n" +
         (selection.empty() ? "    url: x\n" : selection) +
         "  b_1: {url|contains: meta}\n  b_2: [word]\n  _c: {destination.port: 80}\n"
         "  condition: " +
         in_quotes(condition) + "\n";
}

std::size_t hits(rules::Evaluator& evaluator) {
  rules::RuleHits found;
  evaluator.evaluate(fuzz::request(), found);
  return found.count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kMost) {
    return 0;
  }
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  sigma::LoadOptions options;
  options.placeholders["p"] = {"meta", "us*r"};
  const auto loaded = sigma::load_text(rule(input), "input.yml", fuzz::fields(), options);
  if (!loaded) {
    fuzz::require(loaded.error().kind == ErrorKind::config, "a bad rule is a configuration error");
    fuzz::require(loaded.error().where.line > 0, "an error says where");
    return 0;
  }
  auto compiled = rules::RuleSet::compile(loaded->rules);
  if (!compiled) {
    return 0;
  }
  auto evaluator = rules::Evaluator::create(*compiled);
  fuzz::require(evaluator.has_value(), "what compiles can be evaluated");
  const std::size_t first = hits(*evaluator);
  fuzz::require(first == hits(*evaluator), "the same event has the same verdict");
  return 0;
}
