// The HTTP endpoint: GET /metrics in Prometheus' text format. Plain HTTP over IPv4 only; TLS and
// authentication belong to a reverse proxy in front of it.
//
// Four threads of its own, and a client has one second to send its request, so that idle
// connections cannot keep Prometheus out for long. The destructor stops them, which
// idle clients can hold up for a second or two; no collector runs after it.
#pragma once

#include <cstdint>
#include <memory>

#include "base/address.h"
#include "base/result.h"
#include "metrics/samples.h"

namespace imds::metrics {

class Exporter {
 public:
  // Port 0 takes any free port, see port(). ErrorKind::environment when the address cannot be
  // listened on: in use, not of this machine, not permitted, not IPv4; the message says what to do.
  [[nodiscard]] static Result<std::unique_ptr<Exporter>> start(
      const IpAddress& address, std::uint16_t port, std::shared_ptr<const Registry> registry);

  ~Exporter();
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct Server;
  Exporter(std::unique_ptr<Server> server, std::uint16_t port);

  std::unique_ptr<Server> server_;
  std::uint16_t port_;
};

}  // namespace imds::metrics
