// The HTTP endpoint with real sockets, and promtool's judgement of what it serves.
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/exporter.h"
#include "promtool.h"

namespace imds::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const IpAddress kLoopback = IpAddress::v4(0x7f000001);

class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::string get(const std::string& path) const {
    const std::string request = "GET " + path + " HTTP/1.0\r\nHost: x\r\n\r\n";
    if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
      return "not sent";
    }
    std::string answer;
    std::array<char, 4096> buffer;
    for (ssize_t n; (n = recv(fd_, buffer.data(), buffer.size(), 0)) > 0;) {
      answer.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return answer;
  }

 private:
  int fd_;
  bool connected_ = false;
};

// A sample of every family, with every label set.
std::shared_ptr<const Registry> full_registry() {
  auto registry = std::make_shared<Registry>();
  registry->add([](Samples& samples) {
    for (const FamilyInfo& info : all_families()) {
      switch (info.label_count) {
        case 0:
          samples.add(info.family, 1);
          break;
        case 1:
          samples.add(info.family, {"a"}, 1);
          break;
        case 2:
          samples.add(info.family, {"a", "b"}, 1);
          break;
        case 3:
          samples.add(info.family, {"a", "b", "c"}, 1);
          break;
        default:
          samples.add(info.family, {"a", "b", "c", "d"}, 1);
      }
    }
  });
  return registry;
}

// One endpoint for all tests that scrape: stopping one takes civetweb up to two seconds.
class MetricScrape : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = Exporter::start(kLoopback, 0, full_registry());
    ASSERT_TRUE(started) << started.error().to_string();
    exporter_ = std::move(*started);
  }
  static void TearDownTestSuite() { exporter_.reset(); }
  [[nodiscard]] static std::uint16_t port() { return exporter_->port(); }

 private:
  inline static std::unique_ptr<Exporter> exporter_;
};

TEST_F(MetricScrape, ServesWhatToTextRenders) {
  EXPECT_NE(port(), 0);
  const std::string answer = Connection(port()).get("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer, HasSubstr(to_text(full_registry()->collect())));
}

TEST_F(MetricScrape, PromtoolFindsNothingToComplainOf) {
  const std::string answer = Connection(port()).get("/metrics");
  const std::size_t body = answer.find("\r\n\r\n");
  ASSERT_NE(body, std::string::npos);
  EXPECT_EQ(promtool("check metrics", answer.substr(body + 4)), "");
}

TEST_F(MetricScrape, ServesNothingElse) {
  for (const char* path : {"/", "/../../etc/passwd", "/etc/passwd"}) {
    EXPECT_THAT(Connection(port()).get(path), StartsWith("HTTP/1.0 404")) << path;
  }
}

TEST_F(MetricScrape, IdleConnectionsDoNotKeepPrometheusOut) {
  std::vector<std::unique_ptr<Connection>> idle;
  for (int i = 0; i < 6; ++i) {
    idle.push_back(std::make_unique<Connection>(port()));
    EXPECT_TRUE(idle.back()->connected());
  }
  EXPECT_THAT(Connection(port()).get("/metrics"), StartsWith("HTTP/1.1 200"));
}

TEST_F(MetricScrape, ScrapesAtTheSameTime) {
  std::array<Connection, 3> connections{Connection(port()), Connection(port()), Connection(port())};
  for (const Connection& connection : connections) {
    EXPECT_THAT(connection.get("/metrics"), HasSubstr("imds_inspector_build_info"));
  }
}

TEST(MetricExporter, StopsWhenDestroyed) {
  std::uint16_t port = 0;
  {
    const auto exporter = Exporter::start(kLoopback, 0, full_registry());
    ASSERT_TRUE(exporter);
    port = (*exporter)->port();
  }
  EXPECT_FALSE(Connection(port).connected());
}

TEST(MetricExporter, PortInUse) {
  const auto first = Exporter::start(kLoopback, 0, full_registry());
  ASSERT_TRUE(first);
  const auto second = Exporter::start(kLoopback, (*first)->port(), full_registry());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::environment);
  EXPECT_THAT(second.error().message,
              StartsWith("metrics cannot listen on 127.0.0.1:" + std::to_string((*first)->port()) +
                         ": the port is in use"));
}

TEST(MetricExporter, AddressOfAnotherMachine) {
  // TEST-NET-3 (RFC 5737)
  const auto exporter = Exporter::start(IpAddress::v4(0xcb007101), 0, full_registry());
  ASSERT_FALSE(exporter);
  EXPECT_EQ(exporter.error().kind, ErrorKind::environment);
  EXPECT_THAT(exporter.error().message, HasSubstr("no interface of this machine has that address"));
}

TEST(MetricExporter, Ipv6IsRefusedClearly) {
  const auto exporter = Exporter::start(*IpAddress::parse("::1"), 0, full_registry());
  ASSERT_FALSE(exporter);
  EXPECT_EQ(exporter.error().kind, ErrorKind::environment);
  EXPECT_THAT(exporter.error().message, HasSubstr("knows IPv4 only"));
}

}  // namespace
}  // namespace imds::metrics
