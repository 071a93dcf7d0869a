#include "index.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "rules/regex_literals.h"

namespace imds::rules {
namespace {

using event::FieldId;

// Longer literals find nothing that their first bytes do not.
constexpr std::size_t kMaxIndexLiteralBytes = 64;

// What nearly every browser's and program's request head contains, in lower case: literals in here
// select nothing.
constexpr std::string_view kOrdinaryHead =
    "get / http/1.1\npost / http/1.0\nhost: www.\n"
    "user-agent: mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) "
    "chrome/ safari/537.36 gecko/20100101 firefox/ curl/ python-requests/ aws-sdk-\n"
    "accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\n"
    "accept-language: en-us,en;q=0.5\naccept-encoding: gzip, deflate, br\nreferer: https://www.\n"
    "connection: keep-alive\ncontent-type: application/json; charset=utf-8\n"
    "content-length: \ncookie: \nauthorization: \norigin: https://www.\ncache-control: no-cache\n"
    "http://www.\n.com/\nindex.html";

constexpr double kSelective = 0.5;
constexpr double kUselessLiteral = 1000;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// The pieces of a run within `Name: value\n` lines that stand contiguous in the raw head. The line
// break, and the colon with the blanks around it, may look different there, and blanks at either
// end of the run may be theirs.
std::vector<std::string_view> header_pieces(std::string_view run) {
  std::vector<std::string_view> pieces;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= run.size(); ++i) {
    const bool line_end = i < run.size() && (run[i] == '\n' || run[i] == '\r');
    // A colon with bytes right after it stands within a value: names have none.
    const bool colon =
        i < run.size() && run[i] == ':' && (i == 0 || i + 1 == run.size() || is_blank(run[i + 1]));
    if (i == run.size() || line_end || colon) {
      pieces.push_back(trim(run.substr(start, i - start)));
      start = i + 1;
    }
  }
  return pieces;
}

bool stands_in_head(FieldId field) {
  switch (field) {
    case FieldId::http_request_method:
    case FieldId::url:
    case FieldId::url_path:
    case FieldId::url_query:
    case FieldId::url_domain:
    case FieldId::user_agent:
    case FieldId::request_headers:
    case FieldId::http_host:
    case FieldId::url_extension:
    case FieldId::request_header:
      return true;
    // Not the version: that of HTTP/0.9 stands nowhere.
    default:
      return false;
  }
}

std::string clip(std::string_view literal) {
  std::string out(literal.substr(0, kMaxIndexLiteralBytes));
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

// The cheapest piece of a run that stands contiguous in the raw head; empty if none is long enough.
std::string head_piece(FieldId field, std::string_view run, std::size_t min_literal_bytes) {
  const bool all_headers = field == FieldId::request_headers;
  const std::vector<std::string_view> pieces =
      all_headers ? header_pieces(run) : std::vector<std::string_view>{run};
  std::string best;
  for (const std::string_view piece : pieces) {
    if (piece.empty() || piece.size() < min_literal_bytes) {
      continue;
    }
    std::string literal = clip(piece);
    if (best.empty() || literal_cost(literal) < literal_cost(best)) {
      best = std::move(literal);
    }
  }
  return best;
}

// The cheapest literals of which a comparison needs one, by what each run of bytes can be found as.
std::vector<std::string> needed_literals(const Atom& atom, const KeyOf& key_of) {
  if (atom.kind == Atom::Kind::regex) {
    return required_literals(atom.regex_text, key_of);
  }
  std::vector<std::string> best;
  if (atom.kind != Atom::Kind::text) {
    return best;
  }
  for (const std::string& run : atom.glob.literals()) {
    std::string literal = key_of(run);
    if (!literal.empty() && (best.empty() || literal_cost(literal) < literals_cost(best))) {
      best = {std::move(literal)};
    }
  }
  return best;
}

HeadKey by_literals(std::vector<std::string> literals) {
  HeadKey key;
  key.kind = HeadKey::Kind::literal;
  key.cost = literals_cost(literals);
  key.literals = std::move(literals);
  return key;
}

HeadKey text_key(const Atom& atom, std::size_t min_literal_bytes) {
  HeadKey key;
  if (!stands_in_head(atom.field)) {
    key.why_not = "does not stand in the raw head";
    return key;
  }
  std::vector<std::string> literals = needed_literals(
      atom, [&](const std::string& run) { return head_piece(atom.field, run, min_literal_bytes); });
  if (literals.empty()) {
    key.why_not = "has no run of at least " + std::to_string(min_literal_bytes) +
                  " bytes that must stand in the raw head";
    return key;
  }
  return by_literals(std::move(literals));
}

// Whatever is asked of a header's value, its name must be there.
HeadKey header_key(const Atom& atom, std::size_t min_literal_bytes) {
  HeadKey key = text_key(atom, min_literal_bytes);
  if (atom.header.size() < min_literal_bytes) {
    return key;
  }
  HeadKey by_name = by_literals({clip(atom.header)});
  return key.kind == HeadKey::Kind::none || by_name.cost < key.cost ? by_name : key;
}

double prefix_cost(const IpPrefix& prefix) {
  const int free_bits = (prefix.address.is_v4() ? 32 : 64) - prefix.length;
  if (free_bits <= 8) {
    return kSelective;
  }
  return free_bits <= 16 ? 20 : 500;
}

}  // namespace

double literal_cost(const std::string& literal) {
  if (kOrdinaryHead.find(literal) != std::string_view::npos) {
    return kUselessLiteral;
  }
  return static_cast<double>(kMaxIndexLiteralBytes) / static_cast<double>(literal.size());
}

double literals_cost(const std::vector<std::string>& literals) {
  double sum = 0;
  for (const std::string& literal : literals) {
    sum += literal_cost(literal);
  }
  return sum;
}

HeadKey head_key(const Atom& atom, std::size_t min_literal_bytes) {
  HeadKey key;
  if (atom.field == FieldId::request_header) {
    return header_key(atom, min_literal_bytes);
  }
  if (atom.field == FieldId::imds_endpoint && atom.kind != Atom::Kind::number) {
    key.kind = HeadKey::Kind::endpoint;
    key.cost = kSelective;
    return key;
  }
  switch (atom.kind) {
    case Atom::Kind::text:
    case Atom::Kind::regex:
      return text_key(atom, min_literal_bytes);
    case Atom::Kind::reference:
      key.why_not = "compares two fields";
      return key;
    case Atom::Kind::prefix:
      if (atom.field != FieldId::destination_ip && atom.field != FieldId::source_ip) {
        key.why_not = "names an address outside the flow";
        return key;
      }
      key.kind = atom.field == FieldId::destination_ip ? HeadKey::Kind::destination
                                                       : HeadKey::Kind::source;
      key.cost = prefix_cost(atom.prefix);
      return key;
    case Atom::Kind::number:
      key.why_not = "compares a number";
      return key;
    case Atom::Kind::present:
      key.why_not = "asks only whether a field exists";
      return key;
  }
  return key;
}

bool compares_stream(const Atom& atom) {
  const bool on_stream = atom.field == FieldId::url || atom.field == FieldId::request_headers ||
                         atom.field == FieldId::raw;
  return on_stream && (atom.kind == Atom::Kind::text || atom.kind == Atom::Kind::regex) &&
         outcome(atom, event::EventType::raw_match) != Outcome::never;
}

std::vector<std::string> raw_keys(const Atom& atom, std::size_t min_literal_bytes) {
  if (!compares_stream(atom)) {
    return {};
  }
  return needed_literals(atom, [&](const std::string& run) {
    return run.empty() || run.size() < min_literal_bytes ? std::string() : clip(run);
  });
}

}  // namespace imds::rules
