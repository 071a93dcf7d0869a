// From rule trees to a Program, in steps: expressions over shared atoms; for every rule and type
// of event a necessary set of atoms; then the tables and databases.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "expression.h"
#include "index.h"
#include "program.h"
#include "sigma/correlation.h"
#include "sigma/rule.h"

namespace imds::rules {

class Compiler {
 public:
  // All of them must outlive the compiler.
  Compiler(const std::vector<sigma::Rule>& rules, const CompileOptions& options,
           const std::vector<sigma::Filter>& filters);
  [[nodiscard]] Result<std::unique_ptr<const Program>> compile();

 private:
  [[nodiscard]] Status read_rules();
  [[nodiscard]] Status read_filters();
  void add_info(const sigma::Rule& rule);
  [[nodiscard]] Status add_story_rule(std::size_t rule);

  // Which rules have to run for which atoms, and on which events a rule can hold at all.
  void plan_type(event::EventType type);
  [[nodiscard]] bool is_asked(std::size_t rule, event::EventType type) const;
  [[nodiscard]] const Expression& asked(std::size_t rule, event::EventType type) const;
  [[nodiscard]] Cover candidates(const Expression& expression, event::EventType type) const;
  void plan_fields(TypePlan& plan, event::EventType type,
                   const std::vector<std::uint16_t>& listeners) const;

  // What indexes a rule before a head is parsed.
  void index_heads(std::size_t rule);
  void index_raw(std::size_t rule);
  void name_connections(std::size_t rule);
  [[nodiscard]] std::string unindexed_reason(const Expression& expression) const;
  void warn_of_absent_fields(const sigma::Rule& rule, std::size_t index);

  void emit_steps();
  std::uint32_t emit(const Expression& expression, std::uint32_t if_true, std::uint32_t if_false);

  [[nodiscard]] Status build_field_tables();
  [[nodiscard]] Status build_text_field(TextField& field, const std::vector<AtomId>& atoms);
  [[nodiscard]] Status build_regexes(TextField& field);
  void build_address_field(AddressField& field, const std::vector<AtomId>& atoms);
  [[nodiscard]] Status build_scan(const std::set<std::string>& literals, match::Database& out);

  const std::vector<sigma::Rule>& rules_;
  const std::vector<sigma::Filter>& filters_;
  std::unique_ptr<Program> program_;
  std::vector<Expression> expressions_;             // per rule, what the story knows assumed
  std::vector<Expression> request_parts_;           // per rule; set for those that await answers
  std::vector<Expression> story_expressions_;       // per rule of the program's `story`
  std::vector<Expression> filter_expressions_;      // per filter
  std::vector<HeadKey> head_keys_;                  // per atom
  std::vector<std::vector<std::string>> raw_keys_;  // per atom
  std::vector<double> candidate_costs_;             // per atom
  std::set<std::string> head_literals_;
  std::set<std::string> raw_literals_;
  std::set<IpPrefix> destinations_;
  std::set<IpPrefix> sources_;
};

}  // namespace imds::rules
