#include "evidence_format.h"

#include <string_view>

#include "alert/record.h"
#include "base/text.h"
#include "event/evidence.h"

namespace imds::alert {
namespace {

using Json = nlohmann::ordered_json;

// Empty if it is all zero.
std::string mac_text(const std::uint8_t (&mac)[6]) {
  const MacAddress address = MacAddress::wire(mac);
  return address.is_zero() ? std::string() : address.to_string();
}

// Names of codes that a newer writer may know and this reader does not: their number.
std::string answer_text(const imds_alert_evidence& evidence) {
  return evidence.answer < event::kAnswerCount
             ? std::string(event::name(static_cast<event::Answer>(evidence.answer)))
             : std::to_string(evidence.answer);
}

std::string claim_text(const imds_alert_evidence& evidence) {
  return evidence.claim < event::kClaimKindCount
             ? std::string(event::name(static_cast<event::ClaimKind>(evidence.claim)))
             : std::to_string(evidence.claim);
}

// "169.254.169.254/32"; empty: none.
std::string prefix_text(const imds_alert_evidence& evidence) {
  const IpAddress address = address_of(evidence.prefix);
  return address.is_set() ? address.to_string() + '/' + std::to_string(evidence.prefix_length)
                          : std::string();
}

std::vector<std::string_view> sign_words(const imds_alert_evidence& evidence) {
  std::vector<std::string_view> words;
  for (const event::SignName& sign : event::sign_names()) {
    if ((evidence.signs & sign.bit) != 0) {
      words.push_back(sign.name);
    }
  }
  return words;
}

void put_text(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) {
    object[key] = text;
  }
}

void put_answer(Json& imds, const imds_alert_evidence& evidence) {
  if (evidence.answer != 0) {
    imds["answer"] = answer_text(evidence);
  }
  if (evidence.ttl != 0) {
    imds["ttl"] = evidence.ttl;
  }
  if (evidence.has_hops != 0) {
    imds["hop_distance"] = evidence.hop_distance;
    imds["routed"] = evidence.hop_distance > 0;
  }
  put_text(imds, "previous_mac", mac_text(evidence.previous_mac));
}

void put_claim(Json& imds, const imds_alert_evidence& evidence) {
  Json claim;
  if (evidence.claim != 0) {
    claim["kind"] = claim_text(evidence);
  }
  put_text(claim, "prefix", prefix_text(evidence));
  put_text(claim, "mac", mac_text(evidence.claimed_mac));
  put_text(claim, "gateway", address_of(evidence.gateway).to_string());
  if (evidence.signs != 0) {
    claim["signs"] = sign_words(evidence);
  }
  if (!claim.empty()) {
    imds["claim"] = std::move(claim);
  }
}

std::string dns_name_text(const imds_alert_record& record) {
  const bool cut = (record.truncated & std::uint32_t{IMDS_ALERT_CUT_DNS_NAME}) != 0;
  return escape_for_terminal(view(record.evidence.dns_name)) + (cut ? "…" : "");
}

// Who answered: "answer syn_ack from 02:00:… ttl 64, on the link".
std::string answer_line(const imds_alert_record& record) {
  const imds_alert_evidence& evidence = record.evidence;
  std::string out = "answer " + answer_text(evidence);
  if (record.destination.has_mac != 0) {
    out += " from " + mac_text(record.destination.mac);
  }
  if (evidence.ttl != 0) {
    out += " ttl " + std::to_string(evidence.ttl);
  }
  if (evidence.has_hops != 0) {
    out += evidence.hop_distance == 0 ? std::string(", on the link")
                                      : ", " + std::to_string(evidence.hop_distance) + " hops away";
  }
  return out;
}

// What was claimed: "arp_reply 169.254.169.254/32 at 02:00:… broadcast".
std::string claim_line(const imds_alert_record& record) {
  const imds_alert_evidence& evidence = record.evidence;
  const auto part = [](const char* words, const std::string& text) {
    return text.empty() ? text : words + text;
  };
  std::string out = evidence.claim != 0 ? claim_text(evidence) : std::string("claim");
  if (evidence.dns_name.length > 0) {
    out += " \"" + dns_name_text(record) + '"';
  }
  out += part(" ", prefix_text(evidence));
  out += part(" at ", mac_text(evidence.claimed_mac));
  out += part(" via ", address_of(evidence.gateway).to_string());
  if (record.source.has_mac != 0) {
    out += " by " + mac_text(record.source.mac);
  }
  for (const std::string_view word : sign_words(evidence)) {
    out += ' ' + std::string(word);
  }
  return out;
}

}  // namespace

void put_evidence(nlohmann::ordered_json& imds, const imds_alert_evidence& evidence) {
  put_answer(imds, evidence);
  put_claim(imds, evidence);
}

std::vector<std::pair<const char*, std::string>> evidence_metadata(
    const imds_alert_evidence& evidence) {
  std::vector<std::pair<const char*, std::string>> out;
  const auto add = [&out](const char* key, std::string value) {
    if (!value.empty()) {
      out.emplace_back(key, std::move(value));
    }
  };
  if (evidence.answer != 0) {
    add("imds_answer", answer_text(evidence));
  }
  if (evidence.has_hops != 0) {
    add("imds_hop_distance", std::to_string(evidence.hop_distance));
  }
  add("imds_previous_mac", mac_text(evidence.previous_mac));
  if (evidence.claim != 0) {
    add("imds_claim_kind", claim_text(evidence));
  }
  add("imds_claim_prefix", prefix_text(evidence));
  add("imds_claim_mac", mac_text(evidence.claimed_mac));
  add("imds_claim_gateway", address_of(evidence.gateway).to_string());
  for (const std::string_view word : sign_words(evidence)) {
    add("imds_claim_signs", std::string(word));
  }
  add("dns_question_name", to_valid_utf8(view(evidence.dns_name)));
  return out;
}

std::string evidence_line(const imds_alert_record& record) {
  const imds_alert_evidence& evidence = record.evidence;
  std::string out = evidence.answer != 0           ? answer_line(record)
                    : evidence.claim != 0          ? claim_line(record)
                    : evidence.dns_name.length > 0 ? "name \"" + dns_name_text(record) + '"'
                                                   : std::string();
  const std::string previous = mac_text(evidence.previous_mac);
  return out.empty() || previous.empty() ? out : out + "  before " + previous;
}

}  // namespace imds::alert
