#include "event/finding.h"

#include <algorithm>

namespace imds::event {
namespace {

// For people, the normalised reading says where a request really goes.
std::string_view normalised(const TwoReadings& text) {
  return text.normalised.data() != nullptr ? text.normalised : text.raw;
}

}  // namespace

void fill(Finding& finding, const Event& event) {
  finding.time = event.time;
  finding.type = event.type;
  finding.is_test = event.is_test;
  finding.ordinal = event.ordinal;

  const FlowContext& flow = event.flow;
  finding.source = flow.source;
  finding.destination = flow.destination;
  finding.ip_protocol = flow.ip_protocol;
  finding.vlans = flow.vlans;
  finding.vlan_count = static_cast<std::uint8_t>(std::min<std::size_t>(flow.vlan_count, kMaxVlans));
  finding.visibility = flow.visibility;
  finding.ingress_port = flow.ingress_port;
  finding.tunnel = flow.tunnel;
  finding.endpoint.assign(flow.endpoint);

  const HttpRequestFields& http = event.http;
  finding.method.assign(http.method);
  finding.target.assign(http.target.raw);
  finding.path.assign(normalised(http.path));
  finding.domain.assign(normalised(http.domain));
  finding.user_agent.assign(http.user_agent);
  finding.http_version.assign(http.version);
}

}  // namespace imds::event
