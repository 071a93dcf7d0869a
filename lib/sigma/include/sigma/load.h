// Rule files to rule trees. All or nothing: the first thing wrong with any rule is returned as an
// error of kind `config` with file, line, column and what was expected, and no rule is returned.
//
// Limits, each an error when passed: 10 MiB a file, 1,000,000 YAML nodes a file (aliases count as
// often as they are used), YAML nesting 32, conditions of 16 KiB, and the kMax… of rule.h.
//
// Threads: any; nothing is shared. Load time only: allocates freely.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "event/fields.h"
#include "sigma/correlation.h"
#include "sigma/rule.h"

namespace imds::sigma {

// A well-formed rule or filter for a logsource the inspector does not serve, such as product
// windows; its detection was not looked at. Or a correlation that refers to one.
struct SkippedRule {
  SourcePosition where;
  std::string id;     // may be empty
  std::string title;  // may be empty
  std::string reason;
  std::string name;  // may be empty
};

// Legal, but probably not what the author meant: an unused selection, a near-miss attribute name.
struct Warning {
  SourcePosition where;
  std::string message;
};

struct LoadOptions {
  // Values of the placeholders that the modifier `expand` names, as rules would write them.
  std::map<std::string, std::vector<std::string>> placeholders;
  // Not all or nothing: what is wrong with a rule or a file is put into LoadedRules::refused, and
  // the rest is loaded. For `--check`, which tells everything at once; never to run what is left.
  bool keep_going = false;
  // Asked before each document and each regular expression, as these are compiled while reading.
  Deadline deadline;
};

struct LoadedRules {
  std::vector<Rule> rules;                // in order of paths, then of documents; ids are unique
  std::vector<Correlation> correlations;  // each after all those it refers to
  std::vector<Filter> filters;            // in order of paths, then of documents
  std::vector<SkippedRule> skipped;
  std::vector<Warning> warnings;
  std::vector<Error> refused;  // only with LoadOptions::keep_going
};

// `file_name` stands in positions; one or more YAML documents.
[[nodiscard]] Result<LoadedRules> load_text(std::string_view text, const std::string& file_name,
                                            const event::FieldTable& fields,
                                            const LoadOptions& options = {});

[[nodiscard]] Result<LoadedRules> load_file(const std::filesystem::path& file,
                                            const event::FieldTable& fields,
                                            const LoadOptions& options = {});

// Files as given; a folder stands for every *.yml and *.yaml in it and in its subfolders, sorted
// by path, names that begin with a dot left out. A folder without any is a warning and no rule.
[[nodiscard]] Result<LoadedRules> load_paths(std::span<const std::filesystem::path> paths,
                                             const event::FieldTable& fields,
                                             const LoadOptions& options = {});

}  // namespace imds::sigma
