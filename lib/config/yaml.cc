#include "yaml.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "base/text.h"
#include "config/load.h"
#include "wording.h"

namespace imds::config {
namespace {

Place place_of(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

// Where byte `offset` stands.
Place place_in(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

class TreeBuilder : public YAML::EventHandler {
 public:
  [[nodiscard]] const std::optional<std::pair<Place, std::string>>& error() const { return error_; }
  [[nodiscard]] Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      fail(place_of(mark), "a second YAML document; a configuration is one document");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Node node;
    node.place = place_of(mark);
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(place_of(mark), "YAML aliases (*name) are not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node;
    node.kind = Node::Kind::scalar;
    node.place = place_of(mark);
    node.text = value;
    node.quoted = tag == "!";
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::list, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, tag);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Node node;
    bool has_key = false;  // a map's key was read and waits for its value
    std::string key;
    Place key_place;
    std::unordered_map<std::string, int> key_lines;
  };

  void fail(Place place, std::string message) {
    if (!error_) {
      error_.emplace(place, std::move(message));
    }
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    // "?" and "!" are yaml-cpp's own marks for plain and quoted.
    if (!tag.empty() && tag != "?" && tag != "!") {
      fail(place_of(mark), "YAML tags (!name) are not supported; remove the tag");
    }
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    check_tag(mark, tag);
    if (levels_.size() >= static_cast<std::size_t>(kMaxDepth)) {
      fail(place_of(mark), "nested more than " + std::to_string(kMaxDepth) + " levels deep");
    }
    if (error_) {
      return;
    }
    levels_.emplace_back();
    levels_.back().node.kind = kind;
    levels_.back().node.place = place_of(mark);
  }

  void close() {
    if (error_) {
      return;
    }
    Node node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }

  void add(Node node) {
    if (error_) {
      return;
    }
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == Node::Kind::list) {
      level.node.items.push_back(std::move(node));
    } else if (level.has_key) {
      level.has_key = false;
      level.node.entries.push_back({std::move(level.key), level.key_place, std::move(node)});
    } else {
      take_key(level, node);
    }
  }

  void take_key(Level& level, Node& node) {
    if (node.kind != Node::Kind::scalar) {
      fail(node.place, "expected a key (a plain word) before the colon");
      return;
    }
    const auto [first, is_new] = level.key_lines.try_emplace(node.text, node.place.line);
    if (!is_new) {
      fail(node.place, "key " + quote(node.text) + " is given twice; the first is in line " +
                           std::to_string(first->second));
      return;
    }
    level.has_key = true;
    level.key = std::move(node.text);
    level.key_place = node.place;
  }

  Node root_;
  std::vector<Level> levels_;
  std::optional<std::pair<Place, std::string>> error_;
  int documents_ = 0;
};

// yaml-cpp ends its input at some control characters and repairs malformed UTF-8; both would hide
// what the file really says. Returns the offset of the first such byte.
std::optional<std::size_t> first_unreadable_byte(std::string_view text) {
  const std::string repaired = to_valid_utf8(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    if (control || text[i] != repaired[i]) {
      return i;
    }
  }
  return std::nullopt;
}

// Whether the line around byte `offset` begins with blanks that hold a tab.
bool is_indented_by_tab(std::string_view text, int offset) {
  const auto at = std::min(static_cast<std::size_t>(std::max(offset, 0)), text.size());
  const std::size_t begin = text.substr(0, at).rfind('\n') + 1;  // npos + 1 is 0
  const std::string_view line = text.substr(begin);
  return line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

}  // namespace

Result<Node> parse_yaml(std::string_view text, const std::string& name) {
  if (text.size() > kMaxFileBytes) {
    return fail_at(ErrorKind::config, {name, 0, 0},
                   "larger than " + std::to_string(kMaxFileBytes >> 20) +
                       " MiB; this does not look like a configuration");
  }
  if (const auto offset = first_unreadable_byte(text)) {
    const Place place = place_in(text, *offset);
    return fail_at(ErrorKind::config, {name, place.line, place.column},
                   "not UTF-8 text, or a control character; expected a YAML file");
  }
  TreeBuilder builder;
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (!builder.error() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    if (!builder.error()) {
      const Place place = place_of(e.mark);
      const bool tab = is_indented_by_tab(text, e.mark.pos);
      return fail_at(ErrorKind::config, {name, place.line, place.column},
                     "not valid YAML: " + escape_for_terminal(e.msg) +
                         (tab ? "; the line begins with a tab, indent with spaces" : ""));
    }
  }
  if (builder.error()) {
    const auto& [place, message] = *builder.error();
    return fail_at(ErrorKind::config, {name, place.line, place.column}, message);
  }
  return builder.take_root();
}

}  // namespace imds::config
