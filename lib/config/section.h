// Reading a YAML tree by schema. The schema (schema.cc) is code that asks a Section for each key
// it may have; the same code, run without a file, lists the keys.
//
// Every reader leaves its target as it is, that is at the default, when the key is absent or
// wrong; wrong ones are reported to the Context, which keeps the error nearest the beginning of
// the file.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "config/config.h"
#include "names.h"
#include "yaml.h"

namespace imds::config {

struct Context {
  std::string file;                          // name in messages
  std::string folder;                        // what relative paths are joined to; may be empty
  std::optional<Error> error;                // the one nearest the beginning
  std::vector<std::string>* keys = nullptr;  // set: only list the schema's keys

  void fail(Place place, std::string message);
  [[nodiscard]] Origin origin(Place place) const;
  // `path` joined to the folder unless it is absolute or empty.
  [[nodiscard]] std::string beside(const std::string& path) const;
};

class Section;

// What is wrong with a text: "expected …"; empty when nothing is.
using TextCheck = std::string (*)(std::string_view);

// One value and the path that names it in messages, such as "ports[1].name".
class Value {
 public:
  Value(const Node& node, std::string path, Context& context, Place place)
      : node_(node), path_(std::move(path)), context_(context), place_(place) {}

  void fail(const std::string& expected) const;  // "path: expected …, got …"
  [[nodiscard]] Context& context() const { return context_; }
  [[nodiscard]] Origin origin() const { return context_.origin(place_); }

  void text(std::string& out, TextCheck check = nullptr) const;
  void boolean(bool& out) const;
  void prefix(IpPrefix& out) const;
  // A scalar's text without any judgement, for formats of their own; nullopt for lists and maps.
  [[nodiscard]] std::optional<std::string_view> scalar() const;

  template <std::unsigned_integral T>
  void integer(T& out, std::uint64_t least, std::uint64_t most) const {
    if (const auto value = whole_number(least, most)) {
      out = static_cast<T>(*value);
    }
  }

  template <typename Enum>
  void choice(Enum& out) const {
    const auto index = one_of(names_of<Enum>());
    if (index) {
      out = static_cast<Enum>(*index);
    }
  }

  // Calls `read(element, target)` for each element of a list; replaces what `out` held.
  template <typename T, typename Read>
  void list(std::vector<T>& out, std::size_t most, Read read) const {
    if (context_.keys != nullptr) {
      T example{};
      read(Value(node_, path_ + "[]", context_, place_), example);
      return;
    }
    if (node_.kind == Node::Kind::null || !is_list(most)) {
      return;
    }
    out.clear();
    for (std::size_t i = 0; i < node_.items.size(); ++i) {
      const Node& item = node_.items[i];
      read(Value(item, path_ + "[" + std::to_string(i) + "]", context_, item.place),
           out.emplace_back());
    }
  }

  // Calls `read(section)` for a map, then reports the keys nobody asked for.
  template <typename Read>
  void section(Read read) const;

 private:
  [[nodiscard]] std::optional<std::uint64_t> whole_number(std::uint64_t least,
                                                          std::uint64_t most) const;
  [[nodiscard]] std::optional<std::size_t> one_of(std::span<const std::string_view> names) const;
  [[nodiscard]] bool is_list(std::size_t most) const;

  const Node& node_;
  std::string path_;
  Context& context_;
  Place place_;
};

// One map. Each reader returns whether the key is there, right or wrong.
class Section {
 public:
  Section(const Node& map, std::string path, Context& context, Place place)
      : map_(map), path_(std::move(path)), context_(context), place_(place) {}

  [[nodiscard]] Origin origin() const { return context_.origin(place_); }
  [[nodiscard]] Context& context() const { return context_; }

  // The key's value, if it is there.
  [[nodiscard]] std::optional<Value> value(std::string_view key);

  bool text(std::string_view key, std::string& out, TextCheck check = nullptr) {
    return with(key, [&](const Value& v) { v.text(out, check); });
  }
  bool boolean(std::string_view key, bool& out) {
    return with(key, [&](const Value& v) { v.boolean(out); });
  }
  template <std::unsigned_integral T>
  bool integer(std::string_view key, T& out, std::uint64_t least, std::uint64_t most) {
    return with(key, [&](const Value& v) { v.integer(out, least, most); });
  }
  template <typename Enum>
  bool choice(std::string_view key, Enum& out) {
    return with(key, [&](const Value& v) { v.choice(out); });
  }
  template <typename T, typename Read>
  bool list(std::string_view key, std::vector<T>& out, std::size_t most, Read read) {
    return with_nested(key, [&](const Value& v) { v.list(out, most, read); });
  }
  template <typename Read>
  bool section(std::string_view key, Read read) {
    return with_nested(key, [&](const Value& v) { v.section(read); });
  }

  // A message about the map as a whole: "path: …".
  void fail(const std::string& message) const;
  // Keys beginning with any of these are errors with this advice.
  void refuse(std::initializer_list<std::string_view> beginnings, std::string_view advice);
  // Reports keys nobody asked for.
  void finish() const;

 private:
  template <typename Read>
  bool with(std::string_view key, Read read) {
    const std::optional<Value> found = value(key);
    if (found) {
      read(*found);
    }
    return found.has_value();
  }
  // Also read when only the schema's keys are wanted.
  template <typename Read>
  bool with_nested(std::string_view key, Read read) {
    const bool found = with(key, read);
    if (!found && context_.keys != nullptr) {
      read(Value(map_, path_of(key), context_, place_));
    }
    return found;
  }
  [[nodiscard]] std::string path_of(std::string_view key) const;

  const Node& map_;
  std::string path_;  // empty: the whole file
  Context& context_;
  Place place_;
  std::vector<std::string> known_;
  std::set<std::string, std::less<>> refused_;
};

template <typename Read>
void Value::section(Read read) const {
  if (node_.kind != Node::Kind::map && node_.kind != Node::Kind::null) {
    fail("expected keys and values");
    return;
  }
  Section section(node_, path_, context_, place_);
  read(section);
  section.finish();
}

}  // namespace imds::config
