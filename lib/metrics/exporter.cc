#include "metrics/exporter.h"

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include "conversion.h"

namespace imds::metrics {
namespace {

class Bridge : public prometheus::Collectable {
 public:
  explicit Bridge(std::shared_ptr<const Registry> registry) : registry_(std::move(registry)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    return to_prometheus(registry_->collect());
  }

 private:
  std::shared_ptr<const Registry> registry_;
};

// What the system says to listening on this address; 0 when it agrees. The HTTP server tells
// nothing but "null context".
int listen_error(const IpAddress& address, std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return errno;
  }
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(address.v4_host_order());
  int error = 0;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 ||
      listen(fd, 1) != 0) {
    error = errno;
  }
  close(fd);
  return error;
}

std::string advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the port is in use; stop the program that holds it (`ss -ltnp` names it) or set "
             "another port in metrics.listen";
    case EADDRNOTAVAIL:
      return "no interface of this machine has that address; set metrics.listen to one of its "
             "addresses or to 127.0.0.1";
    case EACCES:
    case EPERM:
      return "not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE, set a higher "
             "port in metrics.listen";
    case 0:
      return "the HTTP server did not start; its threads may be limited (`ulimit -u`)";
    default:
      return std::generic_category().message(error);
  }
}

// Connects and goes away again.
void knock(const IpAddress& address, std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return;
  }
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(address.v4_host_order());
  (void)connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where);
  close(fd);
}

}  // namespace

struct Exporter::Server {
  IpAddress address;
  std::shared_ptr<Bridge> bridge;
  std::unique_ptr<prometheus::Exposer> exposer;
};

Result<std::unique_ptr<Exporter>> Exporter::start(const IpAddress& address, std::uint16_t port,
                                                  std::shared_ptr<const Registry> registry) {
  if (!address.is_v4()) {
    return fail(ErrorKind::environment,
                "metrics cannot listen on " + address.to_string() +
                    ": the HTTP server knows IPv4 only; listen on 127.0.0.1 and put a reverse "
                    "proxy in front of it");
  }
  const std::string where = address.to_string() + ":" + std::to_string(port);
  auto server = std::make_unique<Server>();
  server->address = address;
  server->bridge = std::make_shared<Bridge>(std::move(registry));
  try {
    // With fewer threads a few idle connections keep every other client out.
    server->exposer = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", where, "num_threads", "4", "request_timeout_ms", "1000"});
    server->exposer->RegisterCollectable(server->bridge);
    const std::vector<int> ports = server->exposer->GetListeningPorts();
    if (!ports.empty()) {
      port = static_cast<std::uint16_t>(ports.front());
    }
  } catch (const std::exception&) {
    return fail(ErrorKind::environment,
                "metrics cannot listen on " + where + ": " + advice(listen_error(address, port)));
  }
  return std::unique_ptr<Exporter>(new Exporter(std::move(server), port));
}

Exporter::Exporter(std::unique_ptr<Server> server, std::uint16_t port)
    : server_(std::move(server)), port_(port) {}

// Unless a client comes, the HTTP server looks only every two seconds whether it should stop.
Exporter::~Exporter() {
  std::atomic<bool> stopped{false};
  std::thread waker([this, &stopped, address = server_->address] {
    while (!stopped.load()) {
      knock(address, port_);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  server_.reset();
  stopped.store(true);
  waker.join();
}

}  // namespace imds::metrics
