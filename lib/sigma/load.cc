#include "sigma/load.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "context.h"
#include "document.h"
#include "rule_document.h"

namespace imds::sigma {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

tl::unexpected<Error> fail_with(const fs::path& file, std::string message) {
  return fail_at(ErrorKind::config, {file.string(), 0, 0}, std::move(message));
}

Result<std::string> read_file(const fs::path& file) {
  std::error_code problem;
  const fs::file_status status = fs::status(file, problem);
  if (!fs::exists(status)) {
    return fail_with(file, "no such rule file or folder");
  }
  if (!fs::is_regular_file(status)) {
    return fail_with(file, "expected a rule file, but this is no regular file");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return fail_with(file, "cannot open the rule file; check its permissions");
  }
  std::string text(kMaxFileSize + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) {
    return fail_with(file, "cannot read the rule file");
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

// Two rules with one id could not be told apart in alerts.
Result<LoadedRules> with_different_ids(Result<LoadedRules> loaded) {
  if (!loaded) {
    return loaded;
  }
  std::unordered_map<std::string_view, const Rule*> first;
  for (const Rule& rule : loaded->rules) {
    const auto [other, is_new] = first.emplace(rule.id, &rule);
    if (!is_new) {
      const SourcePosition there = other->second->where();
      return fail_at(ErrorKind::config, rule.where(),
                     "the rule id " + rule.id + " is already taken by " +
                         in_quotes(other->second->title) + " at " + there.file + ":" +
                         std::to_string(there.line) + "; give every rule an id of its own");
    }
  }
  return loaded;
}

Result<LoadedRules> read_text(std::string_view text, const std::string& file_name,
                              const event::FieldTable& fields) {
  if (text.size() > kMaxFileSize) {
    return fail_with(file_name, "the rule file is over 10 MiB; split it");
  }
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (Status checked = check_characters(text, file_name); !checked) {
    return pass_on(checked);
  }
  const std::string source(text);
  Result<std::vector<Node>> documents = parse_documents(source, file_name);
  if (!documents) {
    return pass_on(documents);
  }

  LoadedRules loaded;
  const Context context{file_name, source, fields, loaded.warnings};
  for (const Node& document : *documents) {
    if (document.is_null()) {
      continue;  // nothing between two separators
    }
    if (Status read = read_rule_document(context, document, loaded); !read) {
      return pass_on(read);
    }
  }
  if (loaded.rules.empty() && loaded.skipped.empty()) {
    context.warn({}, "this file holds no rule");
  }
  return loaded;
}

Result<LoadedRules> read_rules(const fs::path& file, const event::FieldTable& fields) {
  Result<std::string> text = read_file(file);
  if (!text) {
    return pass_on(text);
  }
  return read_text(*text, file.string(), fields);
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

Result<std::vector<fs::path>> list_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code problem;
  fs::recursive_directory_iterator entry(folder, problem);
  for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    std::error_code ignored;  // an entry that vanished is no file
    if (is_hidden(entry->path())) {
      if (entry->is_directory(ignored)) {
        entry.disable_recursion_pending();
      }
      continue;
    }
    const fs::path extension = entry->path().extension();
    if ((extension == ".yml" || extension == ".yaml") && !entry->is_directory(ignored)) {
      files.push_back(entry->path());
    }
  }
  if (problem) {
    return fail_with(folder, "cannot list the rule folder: " + problem.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Result<LoadedRules> load_text(std::string_view text, const std::string& file_name,
                              const event::FieldTable& fields) {
  return with_different_ids(read_text(text, file_name, fields));
}

Result<LoadedRules> load_file(const fs::path& file, const event::FieldTable& fields) {
  return with_different_ids(read_rules(file, fields));
}

Result<LoadedRules> load_paths(std::span<const fs::path> paths, const event::FieldTable& fields) {
  LoadedRules all;
  for (const fs::path& path : paths) {
    std::vector<fs::path> files{path};
    std::error_code unreadable;
    if (fs::is_directory(path, unreadable)) {
      Result<std::vector<fs::path>> listed = list_folder(path);
      if (!listed) {
        return pass_on(listed);
      }
      files = std::move(*listed);
      if (files.empty()) {
        Warning warning;
        warning.where.file = path.string();
        warning.message = "this rule folder holds no *.yml or *.yaml file";
        all.warnings.push_back(std::move(warning));
      }
    }
    for (const fs::path& file : files) {
      Result<LoadedRules> loaded = read_rules(file, fields);
      if (!loaded) {
        return pass_on(loaded);
      }
      append(all.rules, loaded->rules);
      append(all.skipped, loaded->skipped);
      append(all.warnings, loaded->warnings);
    }
  }
  return with_different_ids(std::move(all));
}

}  // namespace imds::sigma
