#include "sigma/load.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "context.h"
#include "correlation_document.h"
#include "document.h"
#include "filter_document.h"
#include "link.h"
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
  // Piece by piece: clearing room for the largest file there may be would take longer than all
  // else.
  constexpr std::size_t kPiece = 64 << 10;
  std::string text;
  while (stream && text.size() <= kMaxFileSize) {
    const std::size_t before = text.size();
    text.resize(before + kPiece);
    stream.read(&text[before], kPiece);
    text.resize(before + static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad()) {
    return fail_with(file, "cannot read the rule file");
  }
  return text;
}

// Without its correlations and filters, what is wrong with them is refused like any rule.
Result<LoadedRules> linked(Result<LoadedRules> loaded, const LoadOptions& options) {
  if (!loaded) {
    return loaded;
  }
  for (Error& error : leave_out_same_ids(*loaded)) {
    if (!options.keep_going) {
      return tl::unexpected<Error>(std::move(error));
    }
    loaded->refused.push_back(std::move(error));
  }
  LoadedRules before = options.keep_going ? *loaded : LoadedRules{};
  Status done = link(*loaded);
  if (!done && options.keep_going) {
    before.refused.push_back(std::move(done.error()));
    before.correlations.clear();
    before.filters.clear();
    loaded = std::move(before);
    done = link(*loaded);
  }
  if (!done) {
    return pass_on(done);
  }
  return loaded;
}

Status read_document(const Context& context, const Node& document, LoadedRules& loaded) {
  if (document.find("correlation") != nullptr) {
    return read_correlation_document(context, document, loaded);
  }
  if (document.find("filter") != nullptr) {
    return read_filter_document(context, document, loaded);
  }
  return read_rule_document(context, document, loaded);
}

Result<LoadedRules> read_text(std::string_view text, const std::string& file_name,
                              const event::FieldTable& fields, const LoadOptions& options) {
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
  const Context context{file_name, source, fields, loaded.warnings, options};
  for (const Node& document : *documents) {
    if (document.is_null()) {
      continue;  // nothing between two separators
    }
    if (Status wanted = options.deadline.check(kReading); !wanted) {
      wanted.error().where = context.where(document.position);
      return pass_on(wanted);
    }
    if (Status read = read_document(context, document, loaded); !read) {
      if (!options.keep_going) {
        return pass_on(read);
      }
      loaded.refused.push_back(std::move(read.error()));
    }
  }
  if (loaded.rules.empty() && loaded.correlations.empty() && loaded.filters.empty() &&
      loaded.skipped.empty() && loaded.refused.empty()) {
    context.warn({}, "this file holds no rule");
  }
  return loaded;
}

Result<LoadedRules> read_rules(const fs::path& file, const event::FieldTable& fields,
                               const LoadOptions& options) {
  Result<std::string> text = read_file(file);
  Result<LoadedRules> loaded =
      text ? read_text(*text, file.string(), fields, options) : Result<LoadedRules>(pass_on(text));
  if (!loaded && options.keep_going) {
    LoadedRules nothing;
    nothing.refused.push_back(std::move(loaded.error()));
    return nothing;
  }
  return loaded;
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
                              const event::FieldTable& fields, const LoadOptions& options) {
  return linked(read_text(text, file_name, fields, options), options);
}

Result<LoadedRules> load_file(const fs::path& file, const event::FieldTable& fields,
                              const LoadOptions& options) {
  return linked(read_rules(file, fields, options), options);
}

Result<LoadedRules> load_paths(std::span<const fs::path> paths, const event::FieldTable& fields,
                               const LoadOptions& options) {
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
      Result<LoadedRules> loaded = read_rules(file, fields, options);
      if (!loaded) {
        return pass_on(loaded);
      }
      append(all.rules, loaded->rules);
      append(all.correlations, loaded->correlations);
      append(all.filters, loaded->filters);
      append(all.skipped, loaded->skipped);
      append(all.warnings, loaded->warnings);
      append(all.refused, loaded->refused);
    }
  }
  return linked(std::move(all), options);
}

}  // namespace imds::sigma
