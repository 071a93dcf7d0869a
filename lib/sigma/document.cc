#include "document.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/text.h"
#include "context.h"

namespace imds::sigma {
namespace {

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

Position to_position(const YAML::Mark& mark) {
  return mark.is_null() ? Position{} : Position{mark.line + 1, mark.column + 1};
}

YAML::Mark to_mark(Position position) {
  YAML::Mark mark;
  mark.line = position.line - 1;
  mark.column = position.column - 1;
  return mark;
}

// Our own complaint about a text, as opposed to yaml-cpp's; it travels through the parser like
// those.
class Fault : public YAML::ParserException {
 public:
  using YAML::ParserException::ParserException;
};

// Builds one document's tree from parser events. A broken limit leaves as a Fault.
class TreeBuilder : public YAML::EventHandler {
 public:
  [[nodiscard]] Node take_root() { return std::move(root_); }
  // Where the last scalar of the file begins in the source.
  [[nodiscard]] std::size_t last_scalar() const { return last_scalar_; }

  // Every document has its own anchors; the limits count for the file.
  void OnDocumentStart(const YAML::Mark& mark) override {
    // At some stray characters yaml-cpp finds empty documents for ever, without moving on.
    if (document_mark_.pos == mark.pos && !mark.is_null()) {
      throw Fault(mark, "not valid YAML: nothing can begin with this character");
    }
    document_mark_ = mark;
    root_ = Node{};
    open_.clear();
    anchored_.clear();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(make(mark, Node::Kind::null), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      throw Fault(mark, "this alias stands inside what it refers to");
    }
    charge(found->second, mark);
    finish(Node(found->second), 0);  // keeps its position: errors point to the text itself
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(mark, Node::Kind::scalar);
    node.plain = tag == "?" || (is_core_tag(tag, mark) && !tag.ends_with(":str"));
    charge_text(value.size(), mark);
    node.text = value;
    last_scalar_ = node.offset;
    finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    begin(mark, tag, anchor, Node::Kind::sequence);
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    begin(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override {
    check_keys_differ(open_.back().node);
    end();
  }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    YAML::Mark mark;
  };

  // Quoted scalars carry the tag "!", collections without a tag "?" or nothing.
  static bool is_core_tag(const std::string& tag, const YAML::Mark& mark) {
    if (tag.empty() || tag == "!" || tag == "?") {
      return false;
    }
    for (const std::string_view known : {"str", "int", "float", "bool", "null", "seq", "map"}) {
      if (std::string_view(tag).starts_with(kCoreTag) && tag.substr(kCoreTag.size()) == known) {
        return true;
      }
    }
    throw Fault(mark,
                "the YAML tag '" + escape_for_terminal(tag) + "' has no meaning in a Sigma rule");
  }

  Node make(const YAML::Mark& mark, Node::Kind kind) {
    charge_nodes(1, mark);
    Node node;
    node.kind = kind;
    node.position = to_position(mark);
    node.offset = static_cast<std::size_t>(std::max(mark.pos, 0));
    return node;
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
             Node::Kind kind) {
    is_core_tag(tag, mark);
    if (expects_key()) {
      throw Fault(mark, "expected a name as key, not a list or a map");
    }
    if (open_.size() >= kMaxNesting) {
      throw Fault(mark, "nested deeper than " + std::to_string(kMaxNesting) + " levels");
    }
    open_.push_back({make(mark, kind), anchor, mark});
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    finish(std::move(done.node), done.anchor, done.mark);
  }

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().node.is_map() &&
           open_.back().node.keys.size() == open_.back().node.children.size();
  }

  void finish(Node node, YAML::anchor_t anchor, const YAML::Mark& mark = YAML::Mark::null_mark()) {
    if (anchor != 0) {
      charge(node, mark);
      anchored_[anchor] = node;
    }
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (expects_key()) {
      if (!node.is_scalar()) {
        throw Fault(to_mark(node.position), "expected a name as key");
      }
      open_.back().node.keys.push_back(std::move(node));
    } else {
      if (node.is_null() && open_.back().node.is_map()) {
        // yaml-cpp marks a value left out where the next line begins; the key says it better.
        node.position = open_.back().node.keys.back().position;
      }
      open_.back().node.children.push_back(std::move(node));
    }
  }

  static void check_keys_differ(const Node& map) {
    std::vector<const Node*> keys;
    keys.reserve(map.keys.size());
    for (const Node& key : map.keys) {
      keys.push_back(&key);
    }
    std::stable_sort(keys.begin(), keys.end(),
                     [](const Node* a, const Node* b) { return a->text < b->text; });
    const auto twice = std::adjacent_find(
        keys.begin(), keys.end(), [](const Node* a, const Node* b) { return a->text == b->text; });
    if (twice != keys.end()) {
      const Node& second = **std::next(twice);
      throw Fault(to_mark(second.position), "the key " + in_quotes(second.text) +
                                                " stands here twice, first at line " +
                                                std::to_string((*twice)->position.line));
    }
  }

  void charge(const Node& node, const YAML::Mark& mark) {
    charge_nodes(1, mark);
    charge_text(node.text.size(), mark);
    for (const Node& key : node.keys) {
      charge(key, mark);
    }
    for (const Node& child : node.children) {
      charge(child, mark);
    }
  }
  void charge_nodes(std::size_t count, const YAML::Mark& mark) {
    nodes_ += count;
    if (nodes_ > kMaxNodes) {
      throw Fault(mark, "more than " + std::to_string(kMaxNodes) +
                            " YAML nodes in one file, aliases expanded; split the file");
    }
  }
  void charge_text(std::size_t bytes, const YAML::Mark& mark) {
    text_bytes_ += bytes;
    if (text_bytes_ > kMaxTextBytes) {
      throw Fault(mark, "more than " + std::to_string(kMaxTextBytes >> 20) +
                            " MiB of text in one file, aliases expanded");
    }
  }

  Node root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Node> anchored_;
  YAML::Mark document_mark_ = YAML::Mark::null_mark();
  std::size_t last_scalar_ = 0;
  std::size_t nodes_ = 0;
  std::size_t text_bytes_ = 0;
};

// Where one stands after reading `text` from `start` on.
Position advance(Position start, std::string_view text) {
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  if (lines == 0) {
    return {start.line, start.column + static_cast<int>(text.size())};
  }
  return {start.line + lines, static_cast<int>(text.size() - text.rfind('\n'))};
}

// Whether the scalar at `start`, if quoted, ends before the source does. yaml-cpp lets the end of
// the file close a quotation, so a forgotten mark would swallow the rest of the rules unnoticed.
bool closes_quote(std::string_view source, std::size_t start) {
  if (start >= source.size() || (source[start] != '\'' && source[start] != '"')) {
    return true;
  }
  const char quote = source[start];
  for (std::size_t at = start + 1; at < source.size(); ++at) {
    if (quote == '"' && source[at] == '\\') {
      ++at;
    } else if (source[at] == quote) {
      if (quote == '"' || at + 1 == source.size() || source[at + 1] != quote) {
        return true;
      }
      ++at;  // two single quotes stand for one
    }
  }
  return false;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) {
      return &children[i];
    }
  }
  return nullptr;
}

Result<std::vector<Node>> parse_documents(const std::string& source, const std::string& file_name) {
  std::vector<Node> documents;
  std::size_t last_scalar = 0;
  try {
    std::istringstream stream(source);
    YAML::Parser parser(stream);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) {
      documents.push_back(builder.take_root());
      last_scalar = builder.last_scalar();
    }
  } catch (const Fault& fault) {
    const Position at = to_position(fault.mark);
    return fail_at(ErrorKind::config, {file_name, at.line, at.column}, fault.msg);
  } catch (const YAML::Exception& problem) {
    const Position at = to_position(problem.mark);
    return fail_at(ErrorKind::config, {file_name, at.line, at.column},
                   "not valid YAML: " + escape_for_terminal(problem.msg));
  }
  if (!closes_quote(source, last_scalar)) {
    const Position at = advance({1, 1}, std::string_view(source).substr(0, last_scalar));
    return fail_at(ErrorKind::config, {file_name, at.line, at.column},
                   "this quotation mark is never closed");
  }
  return documents;
}

Position locate(std::string_view source, const Node& scalar, std::size_t index) {
  // White space may be folded or indented away, but every other byte of the text stands in the
  // source in order: count those.
  const std::string_view before = std::string_view(scalar.text).substr(0, index);
  auto skip = std::count_if(before.begin(), before.end(), [](char c) { return !is_space(c); });

  std::size_t at = scalar.offset;
  if (at >= source.size()) {
    return scalar.position;
  }
  if (source[at] == '\'' || source[at] == '"') {
    ++at;
  } else if (source[at] == '|' || source[at] == '>') {
    at = std::min(source.find('\n', at), source.size());
  }
  while (at < source.size() && (is_space(source[at]) || skip > 0)) {
    skip -= is_space(source[at]) ? 0 : 1;
    ++at;
  }
  return advance(scalar.position, source.substr(scalar.offset, at - scalar.offset));
}

Status check_characters(std::string_view source, const std::string& file_name) {
  const std::string valid = to_valid_utf8(source);
  const auto differs = std::mismatch(source.begin(), source.end(), valid.begin(), valid.end());
  const auto forbidden = std::find_if(source.begin(), differs.first, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
  });
  if (forbidden == source.end()) {
    return {};
  }
  const Position at =
      advance({1, 1}, source.substr(0, static_cast<std::size_t>(forbidden - source.begin())));
  return fail_at(ErrorKind::config, {file_name, at.line, at.column},
                 forbidden == differs.first ? "not well-formed UTF-8; rule files are UTF-8 text"
                                            : "a control character that YAML does not allow");
}

}  // namespace imds::sigma
