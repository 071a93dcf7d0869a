#include "event/fields.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "event/event.h"

namespace imds::event {
namespace {

constexpr std::size_t kMaxAliasFileSize = 1 << 20;

constexpr std::uint32_t kEvery = (1u << kEventTypeCount) - 1;
constexpr std::uint32_t kRequest = bit(EventType::http_request);
constexpr std::uint32_t kRaw = bit(EventType::raw_match);

constexpr std::array<FieldDescription, kFieldCount> kFields{{
    {FieldId::imds_event, "imds.event", FieldKind::text, kEvery},
    {FieldId::source_ip, "source.ip", FieldKind::address, kEvery},
    {FieldId::source_port, "source.port", FieldKind::number, kEvery},
    {FieldId::source_mac, "source.mac", FieldKind::text, kEvery},
    {FieldId::destination_ip, "destination.ip", FieldKind::address, kEvery},
    {FieldId::destination_port, "destination.port", FieldKind::number, kEvery},
    {FieldId::destination_mac, "destination.mac", FieldKind::text, kEvery},
    {FieldId::network_transport, "network.transport", FieldKind::text, kEvery},
    {FieldId::network_vlan_id, "network.vlan.id", FieldKind::number, kEvery},
    {FieldId::http_request_method, "http.request.method", FieldKind::text, kRequest},
    {FieldId::url, "url", FieldKind::text, kRequest | kRaw},
    {FieldId::url_path, "url.path", FieldKind::text, kRequest},
    {FieldId::url_query, "url.query", FieldKind::text, kRequest},
    {FieldId::url_domain, "url.domain", FieldKind::text, kRequest},
    {FieldId::user_agent, "user_agent.original", FieldKind::text, kRequest},
    {FieldId::request_headers, "request_headers", FieldKind::text, kRequest | kRaw},
    {FieldId::http_host, "http.request.header.host", FieldKind::text, kRequest},
    {FieldId::http_version, "http.version", FieldKind::text, kRequest},
    {FieldId::raw, "imds.raw", FieldKind::text, kRaw},
    {FieldId::imds_endpoint, "imds.endpoint", FieldKind::text, kEvery},
    {FieldId::imds_visibility, "imds.visibility", FieldKind::text, kEvery},
    {FieldId::imds_tunnel_path, "imds.tunnel.path", FieldKind::text, kEvery},
    {FieldId::imds_tunnel_id, "imds.tunnel.id", FieldKind::number, kEvery},
    {FieldId::imds_tunnel_source_ip, "imds.tunnel.source.ip", FieldKind::address, kEvery},
    {FieldId::imds_tunnel_destination_ip, "imds.tunnel.destination.ip", FieldKind::address, kEvery},
}};

constexpr bool table_is_in_order() {
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (static_cast<std::size_t>(kFields[i].id) != i) {
      return false;
    }
  }
  return true;
}
static_assert(table_is_in_order());

SourcePosition position(const std::filesystem::path& file, const YAML::Mark& mark) {
  if (mark.is_null()) {
    return {file.string(), 0, 0};
  }
  return {file.string(), mark.line + 1, mark.column + 1};
}

// YAML::Load reads the first document and leaves the rest of the text unread, valid or not.
class OnlyOneDocument : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      throw YAML::ParserException(mark, "expected nothing after the first document");
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int documents_ = 0;
};

YAML::Node parse_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  OnlyOneDocument check;
  while (parser.HandleNextDocument(check)) {
  }
  return YAML::Load(text);
}

Result<std::string> read_alias_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (!std::filesystem::is_regular_file(file) || !stream || !(text << stream.rdbuf())) {
    return fail_at(ErrorKind::config, {file.string(), 0, 0},
                   "cannot read the field table: expected a readable YAML file");
  }
  std::string content = std::move(text).str();
  if (content.size() > kMaxAliasFileSize) {
    return fail_at(ErrorKind::config, {file.string(), 0, 0}, "the field table is over 1 MiB");
  }
  return content;
}

}  // namespace

const FieldDescription& describe(FieldId id) {
  return kFields[static_cast<std::size_t>(id)];
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced =
          diagonal + (ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

FieldTable::FieldTable() {
  for (const FieldDescription& field : kFields) {
    by_name_.emplace(field.name, field.id);
  }
}

Result<FieldTable> FieldTable::load(const std::filesystem::path& file) {
  Result<std::string> text = read_alias_file(file);
  if (!text) {
    return pass_on(text);
  }
  YAML::Node root;
  try {
    root = parse_document(*text);
  } catch (const YAML::Exception& problem) {
    return fail_at(ErrorKind::config, position(file, problem.mark),
                   "not valid YAML: " + escape_for_terminal(problem.msg));
  }

  if (!root.IsMap()) {
    return fail_at(ErrorKind::config, position(file, root.Mark()),
                   "expected a map from field names to lists of aliases");
  }
  FieldTable table;
  std::map<std::string, int> first_line;
  for (const auto& entry : root) {
    const YAML::Node& key = entry.first;
    const YAML::Node& aliases = entry.second;
    const std::string canonical = key.IsScalar() ? key.Scalar() : std::string();
    const auto field = std::find_if(kFields.begin(), kFields.end(),
                                    [&](const auto& f) { return f.name == canonical; });
    if (field == kFields.end()) {
      const std::string near = FieldTable().nearest(canonical);
      return fail_at(ErrorKind::config, position(file, key.Mark()),
                     "'" + escape_for_terminal(canonical) + "' is no field of any event" +
                         (near.empty() ? std::string() : "; did you mean '" + near + "'?"));
    }
    if (!first_line.emplace(canonical, key.Mark().line + 1).second) {
      return fail_at(ErrorKind::config, position(file, key.Mark()),
                     "'" + canonical + "' already has its list at line " +
                         std::to_string(first_line[canonical]));
    }
    if (!aliases.IsSequence()) {
      return fail_at(ErrorKind::config,
                     position(file, aliases.Mark().is_null() ? key.Mark() : aliases.Mark()),
                     "expected a list of aliases for '" + canonical + "'");
    }
    for (const YAML::Node& alias : aliases) {
      // White space would be a forgotten quotation mark: yaml-cpp lets the file's end close it.
      if (!alias.IsScalar() || alias.Scalar().empty() ||
          alias.Scalar().find_first_of(" \t\r\n") != std::string::npos) {
        return fail_at(ErrorKind::config, position(file, alias.Mark()),
                       "expected a field name, an alias of '" + canonical + "'");
      }
      if (!table.by_name_.emplace(alias.Scalar(), field->id).second) {
        const std::string shown = escape_for_terminal(alias.Scalar());
        const auto before = first_line.find(alias.Scalar());
        return fail_at(
            ErrorKind::config, position(file, alias.Mark()),
            "'" + shown + "' is already " +
                (before == first_line.end() ? std::string("the name of a field")
                                            : "given at line " + std::to_string(before->second)));
      }
      first_line.emplace(alias.Scalar(), alias.Mark().line + 1);
    }
  }
  return table;
}

std::optional<FieldId> FieldTable::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) {
    return std::nullopt;
  }
  return found->second;
}

std::string FieldTable::nearest(std::string_view name) const {
  // Names longer than this are no misspelling of any; the bound also keeps a hostile one cheap.
  if (name.empty() || name.size() > 64) {
    return {};
  }
  std::pair<std::size_t, std::string_view> best{name.size() / 3 + 1, {}};
  for (const auto& [known, id] : by_name_) {
    const std::pair<std::size_t, std::string_view> candidate{edit_distance(name, known), known};
    if (candidate.first < best.first || (candidate.first == best.first && candidate < best)) {
      best = candidate;
    }
  }
  return std::string(best.second);
}

}  // namespace imds::event
