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
constexpr std::uint32_t kResponse = bit(EventType::http_response);
constexpr std::uint32_t kResponder = bit(EventType::responder);
constexpr std::uint32_t kClaim = bit(EventType::address_claim);
constexpr std::uint32_t kToken = bit(EventType::token_issued);
constexpr std::uint32_t kDelivery = bit(EventType::credentials_delivered);
constexpr std::uint32_t kDns = bit(EventType::dns);
// A DNS message is of no endpoint's story: what it claims is told as a claim.
constexpr std::uint32_t kWithEndpoint = kEvery & ~kDns;
constexpr std::uint32_t kUse = bit(EventType::credentials_used);
constexpr std::uint32_t kAnswer = kResponse | kToken | kDelivery;

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
    {FieldId::http_request_method, "http.request.method", FieldKind::text, kRequest | kAnswer},
    {FieldId::url, "url", FieldKind::text, kRequest | kRaw | kAnswer},
    {FieldId::url_path, "url.path", FieldKind::text, kRequest | kAnswer},
    {FieldId::url_query, "url.query", FieldKind::text, kRequest | kAnswer},
    {FieldId::url_domain, "url.domain", FieldKind::text, kRequest | kAnswer},
    {FieldId::user_agent, "user_agent.original", FieldKind::text, kRequest | kAnswer},
    {FieldId::request_headers, "request_headers", FieldKind::text, kRequest | kRaw | kResponse},
    {FieldId::http_host, "http.request.header.host", FieldKind::text, kRequest | kAnswer},
    {FieldId::http_version, "http.version", FieldKind::text, kRequest | kAnswer},
    {FieldId::raw, "imds.raw", FieldKind::text, kRaw},
    {FieldId::imds_endpoint, "imds.endpoint", FieldKind::text, kWithEndpoint},
    {FieldId::imds_visibility, "imds.visibility", FieldKind::text, kEvery},
    {FieldId::imds_tunnel_path, "imds.tunnel.path", FieldKind::text, kEvery},
    {FieldId::imds_tunnel_id, "imds.tunnel.id", FieldKind::number, kEvery},
    {FieldId::imds_tunnel_source_ip, "imds.tunnel.source.ip", FieldKind::address, kEvery},
    {FieldId::imds_tunnel_destination_ip, "imds.tunnel.destination.ip", FieldKind::address, kEvery},
    {FieldId::timestamp, "@timestamp", FieldKind::time, kEvery},
    {FieldId::network_type, "network.type", FieldKind::text, kEvery},
    {FieldId::ip_ttl, "ip.ttl", FieldKind::number, kEvery},
    {FieldId::url_extension, "url.extension", FieldKind::text, kRequest | kAnswer},
    {FieldId::request_header, "http.request.header.*", FieldKind::text, kRequest | kResponse},
    {FieldId::http_status, "http.response.status_code", FieldKind::number, kAnswer},
    {FieldId::response_headers, "response_headers", FieldKind::text, kResponse},
    {FieldId::response_header, "http.response.header.*", FieldKind::text, kResponse},
    {FieldId::network_direction, "network.direction", FieldKind::text, kEvery},
    {FieldId::imds_answer, "imds.answer", FieldKind::text, kResponder},
    {FieldId::imds_hop_distance, "imds.hop_distance", FieldKind::number, kResponder},
    {FieldId::imds_previous_mac, "imds.previous_mac", FieldKind::text, kResponder | kClaim},
    {FieldId::imds_claim_kind, "imds.claim.kind", FieldKind::text, kClaim},
    {FieldId::imds_claim_prefix, "imds.claim.prefix", FieldKind::text, kClaim},
    {FieldId::imds_claim_mac, "imds.claim.mac", FieldKind::text, kClaim},
    {FieldId::imds_claim_gateway, "imds.claim.gateway", FieldKind::address, kClaim},
    {FieldId::imds_claim_signs, "imds.claim.signs", FieldKind::text, kClaim},
    {FieldId::dns_question_name, "dns.question.name", FieldKind::text, kClaim | kDns},
    {FieldId::imds_stage, "imds.stage", FieldKind::text, kWithEndpoint},
    {FieldId::imds_timeline, "imds.timeline", FieldKind::text, kWithEndpoint},
    {FieldId::http_mime_type, "http.response.mime_type", FieldKind::text, kAnswer},
    {FieldId::http_body_bytes, "http.response.body.bytes", FieldKind::number, kToken | kDelivery},
    {FieldId::imds_server, "imds.server", FieldKind::text, kAnswer},
    {FieldId::imds_client_kind, "imds.client_kind", FieldKind::text, kRequest | kAnswer},
    {FieldId::imds_version, "imds.version", FieldKind::text, kRequest | kAnswer},
    {FieldId::imds_forwarded, "imds.forwarded", FieldKind::text, kRequest | kAnswer},
    {FieldId::imds_token_length, "imds.token.length", FieldKind::number, kToken},
    {FieldId::imds_token_ttl, "imds.token.ttl", FieldKind::number, kToken},
    {FieldId::imds_delivered, "imds.delivered", FieldKind::text, kDelivery},
    {FieldId::imds_content_kind, "imds.content_kind", FieldKind::text, kDelivery},
    {FieldId::imds_access_key_id, "imds.access_key_id", FieldKind::text, kDelivery},
    {FieldId::imds_aws_account_id, "imds.aws_account_id", FieldKind::text, kDelivery},
    {FieldId::imds_account_source, "imds.account_source", FieldKind::text, kDelivery},
    {FieldId::imds_account_expected, "imds.account_expected", FieldKind::text, kDelivery},
    {FieldId::imds_role, "imds.role", FieldKind::text, kDelivery},
    {FieldId::imds_region, "imds.region", FieldKind::text, kDelivery},
    {FieldId::imds_expiration, "imds.expiration", FieldKind::time, kDelivery},
    {FieldId::dns_type, "dns.type", FieldKind::text, kDns},
    {FieldId::dns_question_type, "dns.question.type", FieldKind::text, kDns},
    {FieldId::dns_response_code, "dns.response_code", FieldKind::text, kDns},
    {FieldId::dns_answers, "dns.answers.data", FieldKind::text, kDns},
    {FieldId::imds_reached, "imds.reached", FieldKind::text, kWithEndpoint},
    {FieldId::tls_server_name, "tls.client.server_name", FieldKind::text, kUse},
}};

// How the names of single headers begin, and what follows the header's own name.
struct HeaderNames {
  std::string_view before;
  std::string_view after;
  FieldId id;
};
constexpr std::array<HeaderNames, 8> kHeaderNames{{
    {"http.request.header.", "", FieldId::request_header},
    {"http.request.headers.", "", FieldId::request_header},
    {"request_headers.", "", FieldId::request_header},
    {"cs(", ")", FieldId::request_header},
    {"http.response.header.", "", FieldId::response_header},
    {"http.response.headers.", "", FieldId::response_header},
    {"response_headers.", "", FieldId::response_header},
    {"sc(", ")", FieldId::response_header},
}};
constexpr std::size_t kMaxHeaderName = 64;

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// The single header that a name means. `Host` has a field of its own.
std::optional<FieldRef> header_field(std::string_view name) {
  for (const HeaderNames& form : kHeaderNames) {
    if (!name.starts_with(form.before) || !name.ends_with(form.after) ||
        name.size() <= form.before.size() + form.after.size()) {
      continue;
    }
    name.remove_prefix(form.before.size());
    name.remove_suffix(form.after.size());
    if (!is_token(name) || name.size() > kMaxHeaderName || name == "*") {
      return std::nullopt;
    }
    FieldRef field{form.id, std::string(name)};
    std::transform(name.begin(), name.end(), field.header.begin(), ascii_lower);
    return field.id == FieldId::request_header && field.header == "host"
               ? FieldRef{FieldId::http_host, {}}
               : field;
  }
  return std::nullopt;
}

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

std::string field_name(const FieldRef& field) {
  const std::string_view name = describe(field.id).name;
  if (!is_single_header(field.id)) {
    return std::string(name);
  }
  return std::string(name.substr(0, name.size() - 1)) + field.header;
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
    if (!is_single_header(field.id)) {
      by_name_.emplace(field.name, FieldRef{field.id, {}});
    }
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
  std::vector<YAML::Node> second_meanings;
  for (const auto& entry : root) {
    const YAML::Node& key = entry.first;
    const YAML::Node& aliases = entry.second;
    const std::string canonical = key.IsScalar() ? key.Scalar() : std::string();
    const std::optional<FieldRef> field = FieldTable().resolve(canonical);
    if (!field || field_name(*field) != canonical) {
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
      if (const YAML::Node other = alias.IsMap() ? alias["also"] : YAML::Node();
          other.IsDefined() && other.IsScalar() && alias.size() == 1) {
        table.also_[other.Scalar()] = field->id;
        second_meanings.push_back(other);
        continue;
      }
      // White space would be a forgotten quotation mark: yaml-cpp lets the file's end close it.
      if (!alias.IsScalar() || alias.Scalar().empty() ||
          alias.Scalar().find_first_of(" \t\r\n") != std::string::npos) {
        return fail_at(ErrorKind::config, position(file, alias.Mark()),
                       "expected a field name, an alias of '" + canonical + "'");
      }
      if (!table.by_name_.emplace(alias.Scalar(), *field).second) {
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
  for (const YAML::Node& alias : second_meanings) {
    const auto first = table.by_name_.find(alias.Scalar());
    if (first == table.by_name_.end() || first->second.id == table.also_[alias.Scalar()]) {
      return fail_at(ErrorKind::config, position(file, alias.Mark()),
                     "'" + escape_for_terminal(alias.Scalar()) + "' is no alias of another field");
    }
  }
  return table;
}

std::optional<FieldRef> FieldTable::resolve(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found != by_name_.end() ? found->second : header_field(name);
}

std::optional<FieldId> FieldTable::also(std::string_view alias) const {
  const auto found = also_.find(std::string(alias));
  return found != also_.end() ? std::optional(found->second) : std::nullopt;
}

std::optional<FieldId> FieldTable::find(std::string_view name) const {
  const std::optional<FieldRef> field = resolve(name);
  return field ? std::optional(field->id) : std::nullopt;
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
