// What is told of an exchange: requests are noted for their answers, and answers become the events
// http_response, token_issued and credentials_delivered.
#include <algorithm>

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

}  // namespace

// What a request's headers and user agent tell beside its target.
void Inspector::add_request_facts(event::Event& event) {
  bool has_token = false;
  event::for_each_header(event.http.headers, [&](std::string_view name, std::string_view) {
    has_token = has_token || iequals(name, kTokenHeader);
    event.exchange.forwarded = event.exchange.forwarded || iequals(name, kForwardedHeader);
  });
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
  note_texts(step, note,
             {event.http.method, event.http.target.raw, event.http.host, event.http.user_agent,
              notes_headers_ && matters ? event.http.headers : std::string_view()});
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

void Inspector::note_texts(const Step& step, RequestNote& note,
                           std::array<std::string_view, 5> texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string_view text = texts[i].substr(0, kLongestNoted[i]);
    note.ends[i] = static_cast<std::uint16_t>(note.text.size());
    if (text.empty()) {
      continue;
    }
    HeadCollector collector{note.text, {}};
    const bool kept =
        keep(step, collector, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    note.text = collector.buffer;
    if (!kept) {
      counters_.request_texts_cut.add();
    }
    note.ends[i] = static_cast<std::uint16_t>(note.text.size());
  }
}

void Inspector::add_note(const Step& step, RequestNote& note) {
  if (!exchanges_.add(exchanges_.open(step.flow), note)) {
    counters_.requests_unnoted.add();
    exchanges_.drop(note);
  }
}

std::string_view Inspector::note_text(const RequestNote& note, std::size_t index) const {
  const std::size_t begin = index == 0 ? 0 : note.ends[index - 1];
  if (note.ends[index] <= begin) {
    return {};
  }
  const ByteSpan all = arena_.bytes(note.text);
  return {reinterpret_cast<const char*>(all.data()) + begin, note.ends[index] - begin};
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
  if (const std::string_view method = note_text(request, 0); !method.empty()) {
    set_target(event.http, method, note_text(request, 1), note_text(request, 2), target_buffer_);
    event.http.host = note_text(request, 2);
    event.http.user_agent = note_text(request, 3);
    event.http.headers = note_text(request, 4);
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
  event.response.headers = http::write_header_text(answer_head_.fields, headers_buffer_).text;
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
