#include "rules/rule_set.h"

#include <utility>

#include "base/text.h"
#include "compiler.h"
#include "program.h"

namespace imds::rules {
namespace {

// Strings shown per rule before the rest is only counted.
constexpr std::size_t kShownKeys = 8;

std::string event_names(std::uint32_t events) {
  std::string out;
  for (std::size_t i = 0; i < event::kEventTypeCount; ++i) {
    const auto type = static_cast<event::EventType>(i);
    if ((events & event::bit(type)) != 0) {
      out += (out.empty() ? "" : ", ") + std::string(event::name(type));
    }
  }
  return out.empty() ? "none: its condition can hold for no event" : out;
}

template <typename Items, typename Show>
void add_keys(std::string& out, const std::string& what, const Items& items, const Show& show) {
  if (items.empty()) {
    return;
  }
  out += (out.empty() ? "" : "; ") + what + " ";
  for (std::size_t i = 0; i < items.size() && i < kShownKeys; ++i) {
    out += (i == 0 ? "" : ", ") + show(items[i]);
  }
  if (items.size() > kShownKeys) {
    out += " and " + std::to_string(items.size() - kShownKeys) + " more";
  }
}

std::string index_text(const RuleIndex& index) {
  if (!index.unindexed_because.empty()) {
    return "unindexed, every HTTP head is parsed: " + index.unindexed_because;
  }
  std::string out;
  const auto quoted = [](const std::string& s) { return "'" + escape_for_terminal(s) + "'"; };
  const auto prefix = [](const IpPrefix& p) { return p.to_string(); };
  add_keys(out, "strings", index.literals, quoted);
  add_keys(out, "destinations", index.destinations, prefix);
  add_keys(out, "sources", index.sources, prefix);
  if (index.endpoint) {
    out += std::string(out.empty() ? "" : "; ") + "configured endpoints";
  }
  return "indexed by " + out;
}

std::string database_text(const std::string& name, const match::Database& database) {
  return name + ": " + std::to_string(database.pattern_count()) + " strings, " +
         std::to_string(database.size_bytes()) + " bytes, " + database.info();
}

}  // namespace

RuleSet::RuleSet(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
RuleSet::~RuleSet() = default;

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(const std::vector<sigma::Rule>& rules,
                                                        const CompileOptions& options) {
  Result<std::unique_ptr<const Program>> program = Compiler(rules, options).compile();
  if (!program) {
    return pass_on(program);
  }
  return std::shared_ptr<const RuleSet>(new RuleSet(std::move(*program)));
}

std::uint32_t RuleSet::generation() const {
  return program_->options.generation;
}
std::size_t RuleSet::size() const {
  return program_->infos.size();
}
const RuleInfo& RuleSet::info(std::size_t rule) const {
  return program_->infos[rule];
}
const RuleIndex& RuleSet::index(std::size_t rule) const {
  return program_->indexes[rule];
}
bool RuleSet::listens_to(event::EventType type) const {
  return program_->plans[static_cast<std::size_t>(type)].listens;
}
bool RuleSet::parses_every_head() const {
  return program_->parses_every_head;
}
bool RuleSet::needs_raw_scan() const {
  return !program_->raw.empty();
}
std::size_t RuleSet::longest_raw_literal() const {
  return program_->longest_raw_literal;
}
const std::vector<IpPrefix>& RuleSet::destination_prefixes() const {
  return program_->destinations;
}
const std::vector<IpPrefix>& RuleSet::source_prefixes() const {
  return program_->sources;
}
const std::vector<std::string>& RuleSet::warnings() const {
  return program_->warnings;
}

std::vector<std::string> RuleSet::describe() const {
  std::vector<std::string> lines;
  for (std::size_t rule = 0; rule < size(); ++rule) {
    const RuleInfo& about = info(rule);
    lines.push_back(about.id + " [" + about.level + "] " + escape_for_terminal(about.title) + " (" +
                    escape_for_terminal(about.file) + ")");
    lines.push_back("  events: " + event_names(about.events));
    if ((about.events & event::bit(event::EventType::http_request)) != 0) {
      lines.push_back("  http_request: " + index_text(index(rule)));
    }
  }
  std::size_t exact_strings = 0;
  std::size_t exact_bytes = 0;
  for (const TextField& field : program_->text) {
    exact_strings += field.anchored.size() + field.direct.size();
    exact_bytes += field.anchors.size_bytes();
  }
  lines.push_back(database_text("head prefilter", program_->head));
  lines.push_back(database_text("raw stream prefilter", program_->raw));
  lines.push_back("exact matching: " + std::to_string(program_->atoms.size()) + " comparisons, " +
                  std::to_string(exact_strings) + " of them strings, databases of " +
                  std::to_string(exact_bytes) + " bytes");
  return lines;
}

}  // namespace imds::rules
