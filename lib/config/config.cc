#include "config/config.h"

#include "base/secret_parameters.h"
#include "names.h"

namespace imds::config {

std::string_view name(PortDriver value) {
  return kPortDriverNames[static_cast<std::size_t>(value)];
}
std::string_view name(Distribute value) {
  return kDistributeNames[static_cast<std::size_t>(value)];
}
std::string_view name(PortMode value) {
  return kPortModeNames[static_cast<std::size_t>(value)];
}
std::string_view name(RssMode value) {
  return kRssModeNames[static_cast<std::size_t>(value)];
}
std::string_view name(HugePages value) {
  return kHugePagesNames[static_cast<std::size_t>(value)];
}
std::string_view name(LogLevel value) {
  return kLogLevelNames[static_cast<std::size_t>(value)];
}
std::string_view name(ThrottleTrack value) {
  return kThrottleTrackNames[static_cast<std::size_t>(value)];
}
std::string_view name(ThrottleType value) {
  return kThrottleTypeNames[static_cast<std::size_t>(value)];
}

std::string ListenAddress::to_string() const {
  return address.to_string() + ":" + std::to_string(port);
}

std::string Warning::to_string() const {
  return Error{{}, message, where}.to_string();
}

std::vector<std::string> default_metadata_names() {
  return {"instance-data", "instance-data.*", "metadata.google.internal", "metadata.goog"};
}

std::vector<std::string> default_redacted_parameters() {
  return default_secret_parameters();
}

// One client that keeps asking gives a few alerts an hour for each rule.
std::vector<ThrottlePolicy> default_throttle_policies() {
  ThrottlePolicy repeats;
  repeats.name = "repeats";
  return {repeats};
}

std::vector<Endpoint> default_endpoints() {
  const std::uint8_t aws_ipv6[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54};
  return {{"aws-imds-ipv4", {{IpAddress::v4(0xa9fea9fe), 32}}, {}},
          {"aws-imds-ipv6", {{IpAddress::v6_wire(aws_ipv6), 128}}, {}}};
}

}  // namespace imds::config
