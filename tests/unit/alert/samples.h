// A finding and a rule as the tests of alerts use them, and shared memory names of their own.
#pragma once

#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

#include "alert/record.h"
#include "event/finding.h"

namespace imds::alert {

inline event::Finding sample_finding() {
  event::Finding f{};
  f.time = Timestamp{1'759'924'800'123'456'789};  // 2025-10-08T12:00:00.123456789Z
  f.type = event::EventType::http_request;
  f.worker = 2;
  f.ordinal = 0;
  f.source.ip = *IpAddress::parse("10.1.2.3");
  f.source.port = 40000;
  f.source.mac = MacAddress{{0x02, 0, 0x5e, 0x10, 0, 1}};
  f.destination.ip = *IpAddress::parse("169.254.169.254");
  f.destination.port = 80;
  f.destination.mac = MacAddress{{0x02, 0, 0x5e, 0x10, 0, 2}};
  f.ip_protocol = 6;
  f.vlan_count = 1;
  f.vlans[0] = 100;
  f.endpoint.assign("aws-imds-v4");
  f.method.assign("GET");
  f.target.assign("/latest/meta-data/iam/info");
  f.path.assign("/latest/meta-data/iam/info");
  f.domain.assign("169.254.169.254");
  f.user_agent.assign("curl/7.88.1");
  f.http_version.assign("1.1");
  return f;
}

// gre/vxlan 42 (10.0.0.1 > 10.0.0.2)
inline Tunnel sample_tunnel() {
  return {{{TunnelKind::gre, TunnelKind::vxlan}, 2},
          true,
          42,
          *IpAddress::parse("10.0.0.1"),
          *IpAddress::parse("10.0.0.2")};
}

inline RuleFacts sample_rule() {
  return {"8b2b0d1c-0f5e-4a3c-9a57-2d5f6f0a1b2c", "AWS IMDS metadata access", "medium", 3};
}

inline imds_alert_record record_of(const event::Finding& finding,
                                   const RuleFacts& rule = sample_rule()) {
  RecordMaker maker;
  maker.take(finding, {"sensor-1", "tap0"});
  return maker.make(rule).record;
}

// Unique to this process and `tag`; removed at the end.
struct RingName {
  explicit RingName(std::string_view tag)
      : name("/imds-unit-" + std::to_string(getpid()) + "-" + std::string(tag)) {
    shm_unlink(name.c_str());
  }
  RingName(const RingName&) = delete;
  RingName& operator=(const RingName&) = delete;
  ~RingName() { shm_unlink(name.c_str()); }
  std::string name;
};

// Every text of the record is derived from `value`, so that a mixture of two would show.
inline void stamp(imds_alert_record& record, std::uint64_t value) {
  record.time_ns = static_cast<std::int64_t>(value);
  const std::string text = std::to_string(value);
  for (std::size_t i = 0; i < sizeof record.url_original.data; ++i) {
    record.url_original.data[i] = text[i % text.size()];
    record.url_path.data[i] = text[i % text.size()];
  }
  record.url_original.length = sizeof record.url_original.data;
  record.url_path.length = sizeof record.url_path.data;
}

inline bool is_stamped(const imds_alert_record& record) {
  const std::string text = std::to_string(record.time_ns);
  for (std::size_t i = 0; i < sizeof record.url_original.data; ++i) {
    if (record.url_original.data[i] != text[i % text.size()] ||
        record.url_path.data[i] != text[i % text.size()]) {
      return false;
    }
  }
  return true;
}

}  // namespace imds::alert
