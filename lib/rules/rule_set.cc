#include "rules/rule_set.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "compiler.h"
#include "program.h"
#include "story_rules.h"

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

RuleSetSize::Scan scan_size(const match::Database& database) {
  return {database.pattern_count(), database.size_bytes(), database.info()};
}

std::string scan_text(const std::string& name, const RuleSetSize::Scan& scan) {
  return name + ": " + std::to_string(scan.strings) + " strings, " + std::to_string(scan.bytes) +
         " bytes, " + scan.info;
}

}  // namespace

RuleSet::RuleSet(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
RuleSet::~RuleSet() = default;

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(const std::vector<sigma::Rule>& rules,
                                                        const CompileOptions& options,
                                                        const std::vector<sigma::Filter>& filters) {
  Result<std::unique_ptr<const Program>> program = Compiler(rules, options, filters).compile();
  if (!program) {
    return pass_on(program);
  }
  return std::shared_ptr<const RuleSet>(new RuleSet(std::move(*program)));
}

Result<std::shared_ptr<const RuleSet>> RuleSet::compile(const std::vector<sigma::Rule>& rules,
                                                        const CompileOptions& options) {
  return compile(rules, options, {});
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
std::size_t RuleSet::filter_count() const {
  return program_->filters.titles.size();
}
const std::string& RuleSet::filter_title(std::size_t filter) const {
  return program_->filters.titles[filter];
}
bool RuleSet::listens_to(event::EventType type) const {
  return program_->plans[static_cast<std::size_t>(type)].listens;
}
bool RuleSet::compares(event::FieldId field) const {
  const std::vector<Atom>& atoms = program_->atoms.all();
  return std::any_of(atoms.begin(), atoms.end(), [&](const Atom& atom) {
    return atom.field == field || (atom.kind == Atom::Kind::reference && atom.other_field == field);
  });
}
namespace {

// Whether some comparison that is made of answers is of all headers, or of a single one.
bool answers_compare(const Program& program, event::FieldId all, event::FieldId single) {
  const TypePlan& plan = program.plans[static_cast<std::size_t>(event::EventType::http_response)];
  const auto is_either = [&](event::FieldId field) { return field == all || field == single; };
  const auto refers = [&](AtomId id) {
    const Atom& atom = program.atoms[id];
    return is_either(atom.field) || is_either(atom.other_field);
  };
  return std::any_of(plan.fields.begin(), plan.fields.end(), is_either) ||
         std::any_of(plan.references.begin(), plan.references.end(), refers);
}

}  // namespace

bool RuleSet::answers_need_request_headers() const {
  const TypePlan& plan = program_->plans[static_cast<std::size_t>(event::EventType::http_response)];
  return !plan.request_headers.empty() ||
         answers_compare(*program_, event::FieldId::request_headers,
                         event::FieldId::request_header);
}
bool RuleSet::answers_need_response_headers() const {
  const TypePlan& plan = program_->plans[static_cast<std::size_t>(event::EventType::http_response)];
  return !plan.response_headers.empty() ||
         answers_compare(*program_, event::FieldId::response_headers,
                         event::FieldId::response_header);
}
bool RuleSet::has_story_rules() const {
  return !program_->story.rules.empty();
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
const RawStarts& RuleSet::raw_starts() const {
  return program_->raw_starts;
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

Status RuleSet::check(const sigma::Rule& rule) {
  AtomTable atoms;
  Result<BuiltExpression> built = build_expression(rule, atoms, StoryFields::assumed);
  if (!built) {
    return pass_on(built);
  }
  if (built->compares_story) {
    if (auto whole = read_story_rule(rule, atoms); !whole) {
      return pass_on(whole);
    }
  }
  if (rule.awaits_answer) {
    if (auto part = read_request_part(rule, atoms); !part) {
      return pass_on(part);
    }
  }
  return {};
}

std::vector<std::string> RuleSet::describe() const {
  std::vector<std::string> lines;
  for (std::size_t rule = 0; rule < size(); ++rule) {
    const std::vector<std::string> part = describe_rule(rule);
    lines.insert(lines.end(), part.begin(), part.end());
  }
  const std::vector<std::string> databases = describe_databases();
  lines.insert(lines.end(), databases.begin(), databases.end());
  return lines;
}

std::vector<std::string> RuleSet::describe_rule(std::size_t rule) const {
  const RuleInfo& about = info(rule);
  std::vector<std::string> lines;
  lines.push_back(about.id + " [" + about.level + "] " + escape_for_terminal(about.title) + " (" +
                  escape_for_terminal(about.file) + ")");
  lines.push_back("  events: " + event_names(about.events));
  if (about.in_story) {
    lines.push_back(
        "  judged in the story, which knows imds.stage, imds.timeline and imds.reached");
  }
  if (about.awaits_answer) {
    lines.push_back("  requests whose answers are read for it: " + index_text(index(rule)));
  } else if ((about.events & event::bit(event::EventType::http_request)) != 0) {
    lines.push_back("  http_request: " + index_text(index(rule)));
  }
  return lines;
}

RuleSetSize RuleSet::compiled_size() const {
  RuleSetSize size;
  size.head = scan_size(program_->head);
  size.raw = scan_size(program_->raw);
  size.comparisons = program_->atoms.size();
  for (const ColumnTables& column : program_->columns) {
    size.exact_strings += column.text.anchored.size() + column.text.direct.size();
    size.regexes += column.text.regex.size();
    size.exact_bytes += column.text.anchors.size_bytes() + column.text.regexes.size_bytes();
  }
  return size;
}

std::vector<std::string> RuleSet::describe_databases() const {
  const RuleSetSize size = compiled_size();
  return {scan_text("head prefilter", size.head), scan_text("raw stream prefilter", size.raw),
          "exact matching: " + std::to_string(size.comparisons) + " comparisons, " +
              std::to_string(size.exact_strings) + " of them strings, " +
              std::to_string(size.regexes) + " regular expressions, databases of " +
              std::to_string(size.exact_bytes) + " bytes"};
}

}  // namespace imds::rules
