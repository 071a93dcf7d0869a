// What is told of an exchange: requests are noted for their answers, and answers become the events
// http_response, token_issued and credentials_delivered.
#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.h"
#include "detect/inspector.h"
#include "detect/request_fields.h"

namespace imds::detect {

namespace {

using event::Delivered;
using evidence::Asked;

constexpr std::string_view kTokenHeader = "x-aws-ec2-metadata-token";
constexpr std::string_view kForwardedHeader = "x-forwarded-for";

// What a note keeps of each text.
constexpr std::array<std::size_t, 5> kLongestNoted = {32, 4096, 256, 256, 8192};

bool is_success(std::uint16_t status) {
  return status >= 200 && status < 300;
}

// Not of ECS and EKS, whose protocols have no versions.
bool is_versioned(Asked asked, std::string_view path) {
  return asked == Asked::token || asked == Asked::user_data ||
         path.find("/meta-data") != std::string_view::npos ||
         path.find("/dynamic") != std::string_view::npos;
}

// The facts that count: of credentials if there are any.
const evidence::JsonFacts& facts_of(const Answer& answer) {
  const evidence::CredentialsReader& json = answer.body.json();
  return json.credentials() != nullptr ? *json.credentials() : json.outermost();
}

// What of credentials there is in a body that was not read to its end.
bool has_parts_of_credentials(const evidence::JsonFacts& facts) {
  using evidence::JsonFacts;
  return !facts.access_key_id.empty() &&
         (facts.keys & (JsonFacts::kSecretAccessKey | JsonFacts::kToken)) != 0;
}

// Without a request in sight only the content tells.
Delivered by_content(const evidence::JsonFacts& facts) {
  if (facts.has(evidence::JsonFacts::kIdentity)) {
    return Delivered::identity_document;
  }
  return facts.has(evidence::JsonFacts::kProfileArn) ? Delivered::role_info : Delivered::nothing;
}

Delivered delivered_by(const Answer& answer) {
  const evidence::ResponseBody& body = answer.body;
  if (body.is_page()) {
    return Delivered::nothing;
  }
  const evidence::JsonFacts& facts = facts_of(answer);
  if (body.json().credentials() != nullptr ||
      (body.losses() != 0 && has_parts_of_credentials(facts))) {
    return Delivered::credentials;
  }
  const bool may_deliver = answer.status == 0 || is_success(answer.status);
  if (!may_deliver || body.size() == 0) {
    return Delivered::nothing;
  }
  switch (answer.has_request ? answer.request.asked : Asked::other) {
    case Asked::identity_document:
      return facts.has(evidence::JsonFacts::kAccountId) ? Delivered::identity_document
                                                        : Delivered::nothing;
    case Asked::identity_proof:
      return Delivered::identity_document;
    case Asked::role_info:
      return facts.has(evidence::JsonFacts::kProfileArn) ? Delivered::role_info
                                                         : Delivered::nothing;
    case Asked::user_data:
      return Delivered::user_data;
    case Asked::other:
      return by_content(facts);
    default:
      return Delivered::nothing;
  }
}

std::string_view text_in(ByteSpan texts, const RequestNote& note, std::size_t index) {
  const std::size_t begin = index == 0 ? 0 : note.ends[index - 1];
  if (note.ends[index] <= begin) {
    return {};
  }
  return {reinterpret_cast<const char*>(texts.data()) + begin, note.ends[index] - begin};
}

bool is_as_written(const event::TwoReadings& text) {
  return text.normalised.data() == text.raw.data() && text.normalised.size() == text.raw.size();
}

// Of a target that normalising left as it is; what the request asked for by its Host header.
PlainTarget plain_target(const event::HttpRequestFields& http) {
  PlainTarget plain;
  const std::string_view target = http.target.raw;
  const std::string_view path = http.path.raw;
  const std::string_view query = http.query.raw;
  const std::string_view domain = http.domain.raw;
  const bool has_query = query.data() != nullptr;
  const bool is_plain = is_as_written(http.target) && is_as_written(http.path) &&
                        is_as_written(http.query) && is_as_written(http.domain) &&
                        path.data() == target.data() && !target.empty() &&
                        target.size() == path.size() + (has_query ? 1 + query.size() : 0) &&
                        target.size() < PlainTarget::kNone &&
                        (!has_query || query.data() == path.data() + path.size() + 1);
  const std::uintptr_t domain_at = reinterpret_cast<std::uintptr_t>(domain.data());
  const std::uintptr_t host_at = reinterpret_cast<std::uintptr_t>(http.host.data());
  const bool is_of_host = domain_at >= host_at && domain.size() <= http.host.size() &&
                          domain_at - host_at <= http.host.size() - domain.size();
  const bool has_host = !http.host.empty();
  if (!is_plain || (has_host && (domain.empty() || !is_of_host)) ||
      http.host.size() >= PlainTarget::kNone) {
    return plain;
  }
  plain.is_set = true;
  plain.path_size = static_cast<std::uint16_t>(path.size());
  if (has_query) {
    plain.query_size = static_cast<std::uint16_t>(query.size());
  }
  if (has_host) {
    plain.domain_begin = static_cast<std::uint16_t>(domain_at - host_at);
    plain.domain_size = static_cast<std::uint16_t>(domain.size());
  }
  return plain;
}

// As set_target() would, of the same target and out.host.
void set_plain_target(event::HttpRequestFields& out, std::string_view target,
                      const PlainTarget& plain) {
  const std::string_view path = target.substr(0, plain.path_size);
  out.target = {target, target};
  out.path = {path, path};
  if (plain.query_size != PlainTarget::kNone) {
    const std::string_view query = target.substr(path.size() + 1, plain.query_size);
    out.query = {query, query};
  }
  if (plain.domain_size != PlainTarget::kNone) {
    const std::string_view domain = out.host.substr(plain.domain_begin, plain.domain_size);
    out.domain = {domain, domain};
  }
}

}  // namespace

// What the headers of the request in head_ and its user agent tell beside its target.
void Inspector::add_request_facts(event::Event& event) {
  bool has_token = false;
  const auto look_at = [&](std::string_view name) {
    has_token = has_token || iequals(name, kTokenHeader);
    event.exchange.forwarded = event.exchange.forwarded || iequals(name, kForwardedHeader);
  };
  if (head_.fields.kept_count == head_.fields.count) {
    for (const http::Header& header : head_.fields.headers()) {
      look_at(header.name);
    }
  } else {
    event::for_each_header(event.http.headers,
                           [&](std::string_view name, std::string_view) { look_at(name); });
  }
  event.exchange.client_kind = seat_->policy().clients.of(event.http.user_agent);
  const std::string_view path = event.http.path.normalised;
  const Asked asked = asked_ = evidence::read_metadata_path(path).asked;
  if (has_token || asked == Asked::token) {
    event.exchange.version = 2;
  } else if (is_versioned(asked, path)) {
    event.exchange.version = 1;
  }
  // Beside the service's paths the header alone says nothing.
  event.exchange.forwarded =
      event.exchange.forwarded && (event.exchange.version != 0 || asked != Asked::other);
}

// A request of the stream, whose facts were just added, for the answer to come. It may be none of
// interest, where others are.
void Inspector::note_request(const Step& step, const event::Event& event, bool matched) {
  const bool matters = matched || step.flow.endpoint != classify::kNoEndpoint;
  if (!matters && exchanges_.find(step.flow) == nullptr) {
    return;
  }
  RequestNote note;
  note.mattered = matters;
  note.asked = asked_;
  note.version = event.exchange.version;
  note.forwarded = event.exchange.forwarded;
  note.is_put = event.http.method == "PUT";
  note.plain = plain_target(event.http);
  note_texts(step, note,
             {event.http.method, event.http.target.raw, event.http.host, event.http.user_agent,
              notes_headers_ && matters ? event.http.headers : std::string_view()});
  const bool is_whole =
      note.ends[1] - note.ends[0] == static_cast<int>(event.http.target.raw.size()) &&
      note.ends[2] - note.ends[1] == static_cast<int>(event.http.host.size());
  note.plain.is_set = note.plain.is_set && is_whole;
  add_note(step, note);
}

// One that was passed over counts where answers are awaited: they come in the order of requests.
void Inspector::note_passed_request(const Step& step, std::string_view method) {
  if (step.flow.exchange == FlowState::kNoExchange || exchanges_.find(step.flow) == nullptr) {
    return;
  }
  RequestNote note;
  note_texts(step, note, {method, {}, {}, {}, {}});
  add_note(step, note);
}

void Inspector::note_texts(const Step& step, RequestNote& note, NotedTexts texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i] = texts[i].substr(0, kLongestNoted[i]);
  }
  if (note_together(step, note, texts)) {
    return;
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!keep_text(step, note, texts[i])) {
      counters_.request_texts_cut.add();
    }
    note.ends[i] = static_cast<std::uint16_t>(note.text.size());
  }
}

// All of them in one go: what nearly every request says is short. Not with headers, which are
// secret. False: nothing was kept.
bool Inspector::note_together(const Step& step, RequestNote& note, const NotedTexts& texts) {
  if (!texts.back().empty()) {
    return false;
  }
  std::array<char, 512> room;
  std::array<std::uint16_t, std::tuple_size_v<NotedTexts>> ends{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() > room.size() - size) {
      return false;
    }
    std::copy(texts[i].begin(), texts[i].end(), room.begin() + static_cast<std::ptrdiff_t>(size));
    size += texts[i].size();
    ends[i] = static_cast<std::uint16_t>(size);
  }
  // What finds no room is counted by who keeps them one by one: some may find it.
  const ByteSpan all(reinterpret_cast<const std::uint8_t*>(room.data()), size);
  if (arena_.counters().bytes_in_use.get() > arena_share(step) ||
      arena_.append(note.text, all) != flow::AppendResult::ok) {
    return false;
  }
  note.ends = ends;
  return true;
}

// Behind what the note holds; of an empty text nothing. False: there was no room.
bool Inspector::keep_text(const Step& step, RequestNote& note, std::string_view text) {
  if (text.empty()) {
    return true;
  }
  HeadCollector collector{note.text, {}};
  const bool kept =
      keep(step, collector, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  note.text = collector.buffer;
  return kept;
}

void Inspector::add_note(const Step& step, RequestNote& note) {
  if (!exchanges_.add(exchanges_.open(step.flow), note)) {
    counters_.requests_unnoted.add();
    exchanges_.drop(note);
  }
}

std::string_view Inspector::note_text(const RequestNote& note, std::size_t index) const {
  return text_in(arena_.bytes(note.text), note, index);
}

// What all events of an answer have in common.
event::Event Inspector::answer_event(const Step& step, const Exchange& exchange,
                                     event::EventType type) {
  const Answer& answer = exchange.answer;
  event::Event event = base_event(step, type);
  event.ordinal = exchange.answers - 1;
  event.response.status = answer.status;
  event.exchange.server = answer.server.view();
  event.exchange.mime_type = answer.mime_type.view();
  if (!answer.has_request) {
    event.flow.visibility |= event::kRequestUnseen;
    return event;
  }
  const RequestNote& request = answer.request;
  const ByteSpan texts = arena_.bytes(request.text);
  if (const std::string_view method = text_in(texts, request, 0); !method.empty()) {
    const std::string_view target = text_in(texts, request, 1);
    event.http.host = text_in(texts, request, 2);
    event.http.user_agent = text_in(texts, request, 3);
    event.http.headers = text_in(texts, request, 4);
    if (request.plain.is_set) {
      event.http.method = method;
      set_plain_target(event.http, target, request.plain);
    } else {
      set_target(event.http, method, target, event.http.host, target_buffer_);
    }
  }
  event.exchange.client_kind = seat_->policy().clients.of(event.http.user_agent);
  event.exchange.version = request.version;
  event.exchange.forwarded = request.forwarded;
  return event;
}

// Its head was read into answer_head_.
void Inspector::tell_response(const Step& step, const Exchange& exchange) {
  if (is_old_news(step, event::EventType::http_response, event::Stage::answered)) {
    return;
  }
  event::Event event = answer_event(step, exchange, event::EventType::http_response);
  event.http.version = answer_head_.version_text;
  if (answer_headers_) {
    event.response.headers = http::write_header_text(answer_head_.fields, headers_buffer_).text;
  }
  judge(step, event);
}

// The whole body was read, or as much as there will be.
void Inspector::finish_answer(const Step& step, Exchange& exchange) {
  Answer& answer = exchange.answer;
  answer.body.end();
  answer.is_at_end = true;
  tell_delivery(step, exchange);
  tell_token(step, exchange);
  const std::uint8_t losses = answer.body.losses();
  counters_.bodies_read.add();
  counters_.bodies_whole.add(losses == 0 ? 1 : 0);
  for (std::size_t i = 0; i < evidence::kBodyLossCount; ++i) {
    counters_.bodies_lost[i].add(losses >> i & 1);
  }
  counters_.json_too_deep.add(answer.body.json().too_deep() ? 1 : 0);
  exchanges_.drop(answer);
}

void Inspector::tell_delivery(const Step& step, Exchange& exchange) {
  Answer& answer = exchange.answer;
  const Delivered delivered = delivered_by(answer);
  if (delivered == Delivered::nothing || answer.delivery_told) {
    return;
  }
  answer.delivery_told = true;
  counters_.deliveries[static_cast<std::size_t>(delivered)].add();
  event::Event event = answer_event(step, exchange, event::EventType::credentials_delivered);
  event::ExchangeFields& out = event.exchange;
  out.delivered = delivered;
  add_body_facts(event, answer);
  if (delivered == Delivered::user_data) {
    out.content = answer.body.content();
    judge(step, event);
    return;
  }
  const evidence::JsonFacts& facts = facts_of(answer);
  const std::string_view role = evidence::read_metadata_path(event.http.path.normalised).role;
  out.role = role.empty() ? facts.role.view() : role;
  out.region = facts.region.view();
  if (delivered == Delivered::credentials) {
    out.access_key_id = facts.access_key_id.view();
    out.expiration = facts.expiration;
  }
  out.account = facts.account;
  out.account_source = facts.account_source();
  if (out.has_account()) {
    out.account_expected = seat_->policy().accounts.judge(facts.account, event.flow.source.ip);
    const bool is_in_doubt = out.account_source == event::AccountSource::conflicting;
    if (is_in_doubt && out.account_expected != event::AccountVerdict::none) {
      out.account_expected = event::AccountVerdict::no;
    }
  }
  judge(step, event);
}

// A token was issued if a PUT of its path was answered 200; of an answer alone the header tells.
void Inspector::tell_token(const Step& step, Exchange& exchange) {
  Answer& answer = exchange.answer;
  const bool asked = answer.has_request
                         ? answer.request.asked == Asked::token && answer.request.is_put
                         : answer.token_ttl > 0;
  if (answer.status != 200 || !asked || answer.token_told || answer.body.is_page()) {
    return;
  }
  answer.token_told = true;
  counters_.tokens_issued.add();
  if (is_old_news(step, event::EventType::token_issued, event::Stage::token)) {
    return;
  }
  event::Event event = answer_event(step, exchange, event::EventType::token_issued);
  event.exchange.version = 2;
  event.exchange.token_length =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(answer.body.size(), UINT32_MAX));
  event.exchange.token_ttl = answer.token_ttl;
  add_body_facts(event, answer);
  judge(step, event);
}

void Inspector::add_body_facts(event::Event& event, const Answer& answer) {
  const bool is_lossy = answer.body.losses() != 0;
  event.exchange.has_body_bytes = answer.is_at_end && !is_lossy;
  event.exchange.body_bytes = event.exchange.has_body_bytes ? answer.body.size() : 0;
  if (is_lossy) {
    event.flow.visibility |= event::kBodyIncomplete;
  }
}

}  // namespace imds::detect
