// The alert record: one finding, one rule, secrets masked, in the plain layout of the ring.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "alert/imds_alert_ring.h"
#include "alert/redact.h"
#include "base/address.h"
#include "base/fixed_text.h"
#include "event/finding.h"
#include "event/stage.h"

namespace imds::alert {

// What an alert tells about its rule.
struct RuleFacts {
  std::string id;     // Sigma id (a UUID), or the file's name where a rule has none
  std::string name;   // Sigma title
  std::string level;  // informational, low, medium, high, critical
  int severity = 3;   // 1..5, from the level
};

// `imds.event` of an alert that a correlation raised.
inline constexpr std::string_view kCorrelationEvent = "correlation";

// What an alert tells about the inspector.
struct ObserverNames {
  std::string_view hostname;
  std::string_view interface_name;  // of the finding's ingress port, or the capture file's
};

// Bit i stands for bytes 64 i to 64 i + 63 of a record.
using RecordLines = std::uint64_t;
inline constexpr std::size_t kRecordLine = 64;
inline constexpr RecordLines kAllLines = ~RecordLines{0};
static_assert(IMDS_ALERT_RECORD_SIZE == kRecordLine * 64);

// A record and where in it anything is: all bytes outside `lines` are zero. Most of a record's
// 4 KiB is room for long texts, so copying only its lines is several times cheaper.
struct SparseRecord {
  alignas(kRecordLine) imds_alert_record record;
  RecordLines lines = 0;
};

// Makes records of findings. One place is written over for each, so that what does not change
// between records need not be written nor cleared.
//
// Threads: one. Text longer than its field keeps its beginning and sets the field's bit in
// `truncated`. All unused bytes are zero. sequence and epoch are left zero for the ring.
class RecordMaker {
 public:
  explicit RecordMaker(const RedactionOptions& redaction = {});

  // Takes over what all alerts of a finding have in common. The finding is needed no longer.
  void take(const event::Finding& finding, const ObserverNames& names,
            const event::Timeline& story = {});
  // The alert of the finding taken last by one of its rules, which stands for this many repeats
  // that were withheld. Valid until the next call of either.
  [[nodiscard]] const SparseRecord& make(const RuleFacts& rule, std::uint64_t repeats = 0);
  // The same for a correlation that the finding has completed: of it, only `shown` is told, which
  // is what all its events have in common. The id is made of the whole finding. `part` tells apart
  // several groups that one finding completed. The story is the client's: told if that is shown.
  void take_correlated(const event::Finding& finding, std::span<const event::FieldId> shown,
                       std::uint8_t part, const ObserverNames& names,
                       const event::Timeline& story = {});

 private:
  template <typename Field>
  void set(Field& field, std::string_view text, imds_alert_truncated bit, bool cut = false);
  void set_story(const event::Timeline& story);
  template <typename Field, std::size_t Capacity>
  void set_masked(Field& field, const FixedText<Capacity>& text, Redactor::Form form,
                  imds_alert_truncated bit);
  template <typename Field>
  void finish(Field& field, std::size_t size);
  template <typename... Fields>
  void clear(Fields&... fields) {
    (finish(fields, 0), ...);
  }
  void mark(imds_alert_truncated bit, bool cut);
  void set_tunnel(const event::Finding& finding);
  void set_evidence(const event::Finding& finding);
  void set_exchange(const event::Finding& finding);
  void set_request(const event::Finding& finding);
  void set_packets(const event::KeptPackets& kept);
  void set_name(const event::Finding& finding);
  void set_event(std::string_view name);
  void set_community(const event::Finding& finding);
  void hash_name();
  void set_id(const RuleFacts& rule);

  // The longest name: namespace, 7 numbers, 4 VLANs, two peers, a tunnel, a claim, an event.
  static constexpr std::size_t kNameRoom = 512;

  Redactor redactor_;
  SparseRecord out_{};
  RecordLines finding_lines_ = 0;        // what take() wrote
  std::uint32_t finding_truncated_ = 0;  // bits that take() set
  bool has_evidence_ = false;            // of the finding taken last
  bool has_exchange_ = false;            // the record holds one
  std::size_t name_size_ = 0;
  std::array<std::uint8_t, kNameRoom> name_;  // what set_name() wrote
  std::array<std::uint32_t, 5> name_hash_{};  // SHA-1 of its whole blocks
};

// Whether every length, count and code of a record that came out of a segment is in its range.
[[nodiscard]] bool is_valid(const imds_alert_record& record);

// A record's text as a view into it; a length beyond the capacity is cut to it.
template <typename Text>
[[nodiscard]] std::string_view view(const Text& text) {
  return {text.data, text.length < sizeof text.data ? text.length : sizeof text.data};
}

[[nodiscard]] IpAddress address_of(const imds_alert_peer& peer);
[[nodiscard]] IpAddress address_of(const imds_alert_address& address);
[[nodiscard]] event::KeptPackets packets_of(const imds_alert_record& record);

// The record's UUID, 8-4-4-4-12, lower case.
[[nodiscard]] std::string id_text(const imds_alert_record& record);

}  // namespace imds::alert
