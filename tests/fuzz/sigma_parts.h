// What the harnesses of Sigma rules share: the field names as shipped, and an event to judge.
#pragma once

#include "event/event.h"
#include "event/fields.h"

namespace imds::fuzz {

inline const event::FieldTable& fields() {
  static const event::FieldTable table =
      event::FieldTable::load(IMDS_CONF_DIR "/fields.yaml").value();
  return table;
}

inline event::Event request() {
  event::Event event;
  event.type = event::EventType::http_request;
  event.flow.source.ip = IpAddress::v4(0x0a000001);
  event.flow.destination.ip = IpAddress::v4(0xa9fea9fe);
  event.http.method = "GET";
  event.http.target = {"/latest/%6deta-data/", "/latest/meta-data/"};
  event.http.path = event.http.target;
  event.http.domain = {"169.254.169.254", "169.254.169.254"};
  event.http.headers = "Host: 169.254.169.254\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n";
  return event;
}

}  // namespace imds::fuzz
