// Packets that answer from endpoints' addresses or claim them, and what is told of each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "fixture.h"
#include "support/evidence_messages.h"

namespace imds::detect {

using support::Bytes;
using support::joined;
using support::kAck;
using support::kRst;
using support::kSyn;
using support::PacketBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

inline constexpr std::string_view kEvidenceRule = R"(
title: Evidence
id: 33333333-3333-4333-8333-333333333333
level: high
logsource: {product: imds-inspector}
detection:
  evidence: {imds.event: [responder, address_claim]}
  condition: evidence
)";

inline constexpr const char* kImds4 = "169.254.169.254";
inline constexpr const char* kImds6 = "fd00:ec2::254";
inline constexpr const char* kImpostor = "02:00:00:00:00:66";
inline constexpr const char* kVictim = "02:00:00:00:00:05";
inline constexpr const char* kEverybody = "ff:ff:ff:ff:ff:ff";
inline constexpr const char* kNobody = "00:00:00:00:00:00";
inline constexpr std::uint32_t kSolicitedOverride = 0x60000000;

inline Options evidence_options() {
  Options options;
  options.evidence.metadata_names = {"instance-data", "instance-data.*",
                                     "metadata.google.internal"};
  options.evidence.owners.entries = 64;
  options.evidence.dns_streams = 2;
  return options;
}

class EvidenceBench : public ::testing::Test {
 public:
  explicit EvidenceBench(classify::Options classes = {})
      : bench_(kEvidenceRule, evidence_options(), std::move(classes)) {}

  EvidenceBench& give(const PacketBuilder& builder) {
    bench_.loose(builder.build(), [](Inspector& inspector, const PacketContext& packet) {
      ASSERT_TRUE(inspector.may_be_evidence(packet));
      inspector.evidence(packet);
    });
    return *this;
  }
  // "arp_reply 169.254.169.254/32 at 02:… via 10.0.0.1 mac_mismatch", "syn_ack 0", …
  std::vector<std::string> told() {
    std::vector<std::string> out;
    last_ = bench_.take();
    for (const event::Finding& finding : last_) {
      out.push_back(text_of(finding));
    }
    return out;
  }
  // The counters of messages: claim, request, other, malformed.
  std::vector<std::uint64_t> counted(EvidenceSource source) {
    std::vector<std::uint64_t> out;
    for (const Counter& counter :
         bench_.inspector().evidence().counters().messages[static_cast<std::size_t>(source)]) {
      out.push_back(counter.get());
    }
    return out;
  }
  [[nodiscard]] const EvidenceCounters& counters() const {
    return bench_.inspector().evidence().counters();
  }
  std::uint64_t default_routes(EvidenceSource source) const {
    return counters().default_routes[static_cast<std::size_t>(source)].get();
  }

  Bench bench_;
  std::vector<event::Finding> last_;

 private:
  static std::string text_of(const event::Finding& finding) {
    const event::EvidenceFields& e = finding.evidence;
    if (finding.type == event::EventType::responder) {
      std::string out(event::name(e.answer));
      out += e.hop_distance ? ' ' + std::to_string(*e.hop_distance) : "";
      return e.previous_mac.is_zero() ? out : out + " before " + e.previous_mac.to_string();
    }
    std::string out(event::name(e.claim));
    const auto add = [&out](const char* word, const std::string& text) {
      out += text.empty() ? "" : word + text;
    };
    add(" ", std::string(finding.dns_name.view()));
    add(" ", e.prefix.address.is_set() ? e.prefix.to_string() : "");
    add(" at ", e.claimed_mac.is_zero() ? "" : e.claimed_mac.to_string());
    add(" via ", e.gateway.to_string());
    for (const event::SignName& sign : event::sign_names()) {
      add(" ", (e.signs & sign.bit) != 0 ? std::string(sign.name) : "");
    }
    add(" before ", e.previous_mac.is_zero() ? "" : e.previous_mac.to_string());
    return out;
  }
};

inline PacketBuilder ethernet(const char* source = kImpostor, const char* destination = kVictim) {
  PacketBuilder builder;
  builder.ethernet(source, destination);
  return builder;
}

inline PacketBuilder answer(const char* mac = kImpostor, unsigned ttl = 64) {
  PacketBuilder builder = ethernet(mac);
  builder.ipv4(kImds4, "10.0.0.5").ttl(ttl);
  return builder;
}

inline PacketBuilder arp(unsigned operation, const char* sender, const char* target,
                         const char* frame_source = kImpostor, const char* to = kVictim) {
  PacketBuilder builder = ethernet(frame_source, to);
  builder.arp(operation, kImpostor, sender, operation == 1 ? kNobody : kVictim, target);
  return builder;
}

inline PacketBuilder dhcp(const support::DhcpMessage& message, const char* to = "10.0.0.50") {
  PacketBuilder builder = ethernet();
  builder.ipv4("10.0.0.2", to).udp(67, 68).bytes(support::dhcp_message(message));
  return builder;
}

}  // namespace imds::detect
