#include "packets_format.h"

#include "alert/record.h"
#include "event/kept_packets.h"

namespace imds::alert {

namespace {

std::string file_name(const imds_alert_record& record) {
  return event::kept_file_name(record.packets.run, record.worker, record.packets.file);
}

}  // namespace

void put_packets(nlohmann::ordered_json& imds, const imds_alert_record& record) {
  const event::KeptPackets kept = packets_of(record);
  if (!kept.is_set()) {
    return;
  }
  nlohmann::ordered_json& out = imds["evidence"];
  out["file"] = file_name(record);
  out["packets"] = event::kept_numbers(kept);
  if (kept.completes) {
    out["packet"] = kept.last;
  }
}

std::vector<std::pair<const char*, std::string>> packets_metadata(const imds_alert_record& record) {
  std::vector<std::pair<const char*, std::string>> out;
  const event::KeptPackets kept = packets_of(record);
  if (!kept.is_set()) {
    return out;
  }
  out.emplace_back("imds_evidence_file", file_name(record));
  for (const std::uint32_t number : event::kept_numbers(kept)) {
    out.emplace_back("imds_evidence_packets", std::to_string(number));
  }
  if (kept.completes) {
    out.emplace_back("imds_evidence_packet", std::to_string(kept.last));
  }
  return out;
}

std::string packets_line(const imds_alert_record& record) {
  const event::KeptPackets kept = packets_of(record);
  if (!kept.is_set()) {
    return {};
  }
  std::string out = "kept in " + file_name(record) + ": ";
  const std::vector<std::uint32_t> numbers = event::kept_numbers(kept);
  out += numbers.size() == 1 ? "packet " : "packets ";
  const char* separator = "";
  for (const std::uint32_t number : numbers) {
    out += separator + std::to_string(number);
    separator = ", ";
  }
  return out;
}

}  // namespace imds::alert
