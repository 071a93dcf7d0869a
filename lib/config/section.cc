#include "section.h"

#include <algorithm>

#include "checks.h"
#include "config/load.h"
#include "wording.h"

namespace imds::config {
namespace {

constexpr std::size_t kMaxTextBytes = 4096;

std::string got(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "no value";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "keys and values";
    case Node::Kind::scalar:
      break;
  }
  return (node.quoted ? "the text " : "") + quote(node.text);
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// The place in the schema a misplaced key belongs to, such as "workers.rss" for "rss".
std::string elsewhere(std::string_view key) {
  for (const std::string& path : schema_keys()) {
    const std::size_t dot = path.rfind('.');
    if (dot != std::string::npos && std::string_view(path).substr(dot + 1) == key) {
      return path;
    }
  }
  return {};
}

}  // namespace

void Context::fail(Place place, std::string message) {
  if (keys != nullptr) {
    return;
  }
  if (error && (error->where.line < place.line ||
                (error->where.line == place.line && error->where.column <= place.column))) {
    return;
  }
  error = Error{ErrorKind::config, std::move(message), {file, place.line, place.column}};
}

Origin Context::origin(Place place) const {
  return {{file, place.line, place.column}};
}

std::string Context::beside(const std::string& path) const {
  if (path.empty() || path.front() == '/' || folder.empty()) {
    return path;
  }
  return folder + (folder.back() == '/' ? "" : "/") + path;
}

void Value::fail(const std::string& expected) const {
  context_.fail(place_, path_ + ": " + expected + ", got " + got(node_));
}

void Value::text(std::string& out, TextCheck check) const {
  if (node_.kind != Node::Kind::scalar) {
    fail("expected a text");
    return;
  }
  if (node_.text.size() > kMaxTextBytes || has_control_character(node_.text)) {
    fail("expected a text of at most " + std::to_string(kMaxTextBytes) +
         " bytes without control characters");
    return;
  }
  const std::string expected = check != nullptr ? check(node_.text) : std::string();
  if (!expected.empty()) {
    fail(expected);
    return;
  }
  out = node_.text;
}

void Value::boolean(bool& out) const {
  if (node_.kind != Node::Kind::scalar || node_.quoted ||
      (node_.text != "true" && node_.text != "false")) {
    fail("expected true or false");
    return;
  }
  out = node_.text == "true";
}

void Value::prefix(IpPrefix& out) const {
  if (node_.kind != Node::Kind::scalar) {
    fail("expected an address or prefix such as 10.0.0.0/8 or fd00::/8");
    return;
  }
  std::string why;
  const std::optional<IpPrefix> prefix = IpPrefix::parse(node_.text, &why);
  if (!prefix) {
    context_.fail(place_, path_ + ": " + quote(node_.text) + " is not a prefix: " + why);
    return;
  }
  out = *prefix;
}

std::optional<std::string_view> Value::scalar() const {
  if (node_.kind != Node::Kind::scalar) {
    return std::nullopt;
  }
  return node_.text;
}

std::optional<std::uint64_t> Value::whole_number(std::uint64_t least, std::uint64_t most) const {
  if (node_.kind == Node::Kind::scalar && !node_.quoted) {
    const std::optional<std::uint64_t> value = parse_whole_number(node_.text);
    if (value && *value >= least && *value <= most) {
      return value;
    }
  }
  fail("expected a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

std::optional<std::size_t> Value::one_of(std::span<const std::string_view> names) const {
  if (node_.kind == Node::Kind::scalar) {
    const auto found = std::find(names.begin(), names.end(), node_.text);
    if (found != names.end()) {
      return static_cast<std::size_t>(found - names.begin());
    }
  }
  const std::vector<std::string> words(names.begin(), names.end());
  fail("expected one of " + join(words));
  return std::nullopt;
}

bool Value::is_list(std::size_t most) const {
  if (node_.kind != Node::Kind::list) {
    fail("expected a list");
    return false;
  }
  if (node_.items.size() > most) {
    context_.fail(place_, path_ + ": expected at most " + std::to_string(most) + " elements, got " +
                              std::to_string(node_.items.size()));
    return false;
  }
  return true;
}

std::string Section::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

std::optional<Value> Section::value(std::string_view key) {
  known_.emplace_back(key);
  if (context_.keys != nullptr) {
    context_.keys->push_back(path_of(key));
  }
  for (const Entry& entry : map_.entries) {
    if (entry.key == key) {
      const bool empty = entry.value.kind == Node::Kind::null;
      return Value(entry.value, path_of(key), context_,
                   empty ? entry.key_place : entry.value.place);
    }
  }
  return std::nullopt;
}

void Section::fail(const std::string& message) const {
  context_.fail(place_, path_ + ": " + message);
}

void Section::refuse(std::initializer_list<std::string_view> beginnings, std::string_view advice) {
  for (const Entry& entry : map_.entries) {
    for (const std::string_view beginning : beginnings) {
      if (std::string_view(entry.key).starts_with(beginning)) {
        context_.fail(entry.key_place, path_of(quote(entry.key)) + ": " + std::string(advice));
        refused_.insert(entry.key);
      }
    }
  }
}

void Section::finish() const {
  for (const Entry& entry : map_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end() ||
        refused_.contains(entry.key)) {
      continue;
    }
    std::string message = "unknown key " + quote(entry.key) +
                          (path_.empty() ? std::string(" at the top level") : " in " + path_);
    if (const std::string_view near = nearest(entry.key, known_); !near.empty()) {
      message += "; did you mean '" + std::string(near) + "'?";
    } else if (const std::string path = elsewhere(entry.key); !path.empty()) {
      message += "; did you mean '" + path + "'?";
    } else {
      message += ".";
    }
    context_.fail(entry.key_place, message + " Valid keys: " + join(known_));
    return;  // the first is enough
  }
}

}  // namespace imds::config
