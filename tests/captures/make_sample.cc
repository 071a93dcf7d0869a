// Writes the capture files the end-to-end tests read:
//
//   make-sample FOLDER
//
//   sample.pcapng     designed cases, each with its own client; what must alert and what must not
//                     is said beside each case and in sample.expected.jsonl
//   cooked.pcap, cooked2.pcap, raw-ip.pcap, loopback.pcap, ppp.pcap, wlan.pcap, big-endian.pcap,
//   nanoseconds.pcap
//                     one request (connection and HTTP alert) in other link types and file forms
//   evening/1.pcap, evening/2.pcapng
//                     two files whose packets interleave in time
//   link-type.pcap    a link type the inspector does not read
//   truncated.pcap    the one request, then a record cut off by the end of the file
//   snapped.pcap      the one request with a snap length that cuts the head after its first line
//
// The output is the same on every run. sample.pcapng is kept in the repository; the other files
// are made when the tests run.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "support/packet_builder.h"
#include "support/pcap_writer.h"
#include "support/tcp_session.h"

namespace {

using imds::kNanosPerSecond;
using imds::Timestamp;
using imds::support::Bytes;
using imds::support::CaptureFormat;
using imds::support::PacketBuilder;
using imds::support::PcapOptions;
using imds::support::PcapWriter;
using imds::support::TcpSession;
using imds::support::TimedPacket;

constexpr std::int64_t kStart = 1'760'000'000 * kNanosPerSecond;  // 2025-10-09 08:53:20 UTC

constexpr std::string_view kEmptyAnswer =
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nServer: EC2ws\r\n\r\n";

std::string get(std::string_view target, std::string_view host, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) +
         "\r\nUser-Agent: sample/1.0\r\nAccept: */*\r\n" + std::string(more) + "\r\n";
}

// A day of packets: cases are appended, each beginning one second after the one before.
class Day {
 public:
  TcpSession::Options next(std::string client, std::string server, unsigned server_port = 80) {
    TcpSession::Options options;
    options.client_ip = std::move(client);
    options.server_ip = std::move(server);
    options.client_port = 40000 + cases_;
    options.server_port = server_port;
    options.start = next_time();
    return options;
  }
  Timestamp next_time() { return Timestamp{kStart + kNanosPerSecond * cases_++}; }

  void add(const TcpSession& session) {
    packets_.insert(packets_.end(), session.packets().begin(), session.packets().end());
  }
  void add(const PacketBuilder& packet) { packets_.push_back({next_time(), packet.build()}); }

  [[nodiscard]] std::vector<TimedPacket> in_order() const {
    std::vector<TimedPacket> sorted = packets_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const TimedPacket& a, const TimedPacket& b) {
      return a.time.ns < b.time.ns;
    });
    return sorted;
  }

 private:
  unsigned cases_ = 0;
  std::vector<TimedPacket> packets_;
};

// --- What must alert ---

void requests_to_the_endpoints(Day& day) {
  // IMDSv1 over IPv4: connection and request.
  day.add(TcpSession(day.next("10.1.0.1", "169.254.169.254"))
              .handshake()
              .client(get("/latest/meta-data/", "169.254.169.254"))
              .server("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nServer: EC2ws\r\n\r\nami-id")
              .fin());

  // IMDSv2 over IPv6: connection, the token request, then a request with the token.
  day.add(TcpSession(day.next("2001:db8:1::2", "fd00:ec2::254"))
              .handshake()
              .client("PUT /latest/api/token HTTP/1.1\r\nHost: [fd00:ec2::254]\r\n"
                      "User-Agent: sample/1.0\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"
                      "Content-Length: 0\r\n\r\n")
              .server("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nFAKE-IMDS-TOKEN-00001")
              .client(get("/latest/meta-data/iam/security-credentials/", "[fd00:ec2::254]",
                          "X-aws-ec2-metadata-token: FAKE-IMDS-TOKEN-00001\r\n"))
              .server(kEmptyAnswer)
              .fin());

  // One VLAN tag; a dated path as cloud-init uses: found by the address.
  TcpSession::Options tagged = day.next("10.1.0.3", "169.254.169.254");
  tagged.vlans = {100};
  day.add(TcpSession(tagged)
              .handshake()
              .client(get("/2021-03-23/meta-data/instance-id", "169.254.169.254"))
              .server(kEmptyAnswer)
              .fin());

  // Two VLAN tags.
  TcpSession::Options stacked = day.next("10.1.0.4", "169.254.169.254");
  stacked.vlans = {200, 300};
  day.add(TcpSession(stacked)
              .handshake()
              .client(get("/latest/user-data", "169.254.169.254"))
              .server(kEmptyAnswer)
              .fin());

  // A connection attempt nobody answers, repeated: one connection alert.
  TcpSession unanswered(day.next("10.1.0.5", "169.254.169.254"));
  unanswered.syn();
  for (int i = 0; i < 2; ++i) {
    unanswered.wait(100'000'000)
        .segment(true, unanswered.client_sequence() - 1, imds::support::kSyn, {});
  }
  day.add(unanswered);

  // UDP to the address: connection.
  day.add(PacketBuilder()
              .ethernet()
              .ipv4("10.1.0.6", "169.254.169.254")
              .udp(40053, 53)
              .payload("not a DNS message"));
}

void requests_elsewhere(Day& day) {
  // Through a proxy, in absolute form: the request only.
  day.add(TcpSession(day.next("10.2.0.1", "10.9.9.9", 3128))
              .handshake()
              .client(get("http://169.254.169.254/latest/meta-data/iam/security-credentials/",
                          "169.254.169.254"))
              .server(kEmptyAnswer)
              .fin());

  // A custom endpoint on a port of its own.
  day.add(TcpSession(day.next("10.2.0.2", "10.8.0.5", 8181))
              .handshake()
              .client(get("/latest/meta-data/hostname", "metadata.example:8181"))
              .server(kEmptyAnswer)
              .fin());

  // Nothing but the header.
  day.add(TcpSession(day.next("10.2.0.3", "203.0.113.7"))
              .handshake()
              .client(get("/anything", "www.example.com",
                          "x-AWS-ec2-Metadata-Token: FAKE-IMDS-TOKEN-00002\r\n"))
              .server(kEmptyAnswer)
              .fin());

  // The head in segments of seven bytes.
  day.add(TcpSession(day.next("10.2.0.4", "203.0.113.7"))
              .segment_size(7)
              .handshake()
              .client(get("/latest/api/token", "www.example.com"))
              .segment_size(1400)
              .server(kEmptyAnswer)
              .fin());

  // Keep-alive and pipelined: of four requests on one connection, the second and the fourth. The
  // first one's body is skipped, whatever it says.
  const std::string body = "please read GET /latest/meta-data/ HTTP/1.1 and weep\n";
  day.add(TcpSession(day.next("10.2.0.5", "203.0.113.7", 8080))
              .handshake()
              .client("POST /comment HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body)
              .server("HTTP/1.1 204 No Content\r\n\r\n")
              .client(get("/latest/meta-data/local-ipv4", "www.example.com") +
                      get("/robots.txt", "www.example.com") +
                      get("/latest/meta-data/local-hostname", "www.example.com"))
              .server(kEmptyAnswer)
              .server(kEmptyAnswer)
              .server(kEmptyAnswer)
              .fin());

  // Disguised target: found in its normalised form.
  day.add(TcpSession(day.next("10.2.0.6", "203.0.113.7"))
              .handshake()
              .client(get("/x/..//latest/%6deta%2Ddata/iam", "www.example.com"))
              .server(kEmptyAnswer)
              .fin());

  // A secret in a query parameter and in the authority: masked in the alert.
  day.add(TcpSession(day.next("10.2.0.7", "10.9.9.9", 3128))
              .handshake()
              .client(get("http://user:FAKE-PASSWORD-1@169.254.169.254/latest/meta-data/"
                          "?token=FAKE-QUERY-SECRET",
                          "169.254.169.254"))
              .server(kEmptyAnswer)
              .fin());

  // A protocol that is not HTTP: found in the raw bytes.
  day.add(TcpSession(day.next("10.2.0.8", "10.8.0.9", 7777))
              .handshake()
              .client("\x01\x02\x7f relay 169.254.169.254 /latest/api/token\n")
              .server("\x01\x03\x7f ok\n")
              .fin());
}

// --- What must not alert ---

void ordinary_web_traffic(Day& day) {
  day.add(TcpSession(day.next("10.3.0.1", "203.0.113.7"))
              .handshake()
              .client(get("/index.html", "www.example.com"))
              .server("HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n"
                      "<a href=\"/latest/meta-data/\">documentation</a>")
              .fin());
  // Near misses.
  day.add(TcpSession(day.next("10.3.0.2", "203.0.113.7"))
              .handshake()
              .client(get("/latest/metadata/", "www.example.com"))
              .server(kEmptyAnswer)
              .client(get("/metadata/latest/api-token.html", "www.example.com",
                          "X-aws-ec2-instance: none\r\n"))
              .server(kEmptyAnswer)
              .fin());

  // TLS: a ClientHello's beginning, then opaque records.
  std::string hello("\x16\x03\x01\x00\x2e\x01\x00\x00\x2a\x03\x03", 11);
  hello.append(32, '\x5a');
  hello.append(8, '\x00');
  std::string record("\x17\x03\x03\x00\x40", 5);
  record.append(64, '\xa7');
  day.add(TcpSession(day.next("10.3.0.3", "203.0.113.7", 443))
              .handshake()
              .client(hello)
              .server(record)
              .client(record)
              .fin());
}

void ordinary_link_traffic(Day& day) {
  day.add(PacketBuilder()
              .ethernet("02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff")
              .arp(1, "02:00:00:00:00:01", "10.1.0.1", "00:00:00:00:00:00", "169.254.169.254"));
  day.add(PacketBuilder()
              .ethernet()
              .ipv4("10.3.0.4", "10.3.0.53")
              .udp(40000, 53)
              .payload(std::string_view("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                        "\x03www\x07"
                                        "example\x03"
                                        "com\x00\x00\x01\x00\x01",
                                        33)));
  day.add(PacketBuilder().ethernet().ipv4("10.3.0.5", "10.3.0.6").icmp(8, 0).payload("ping"));
  day.add(PacketBuilder().ethernet().ipv6("fe80::1", "ff02::1").icmpv6(134, 0));
  // The neighbours of the endpoint: Amazon's DNS and time.
  day.add(PacketBuilder().ethernet().ipv4("10.3.0.7", "169.254.169.253").udp(40000, 53));
  day.add(PacketBuilder().ethernet().ipv4("10.3.0.7", "169.254.169.123").udp(40000, 123));
  // LLDP, and an IPv4 packet whose header is shorter than any header.
  day.add(PacketBuilder().ethernet().next(0x88cc).bytes(Bytes(46, 0)));
  day.add(PacketBuilder()
              .ethernet()
              .ipv4("10.3.0.8", "169.254.169.254")
              .ipv4_header_words(4)
              .tcp(1, 80)
              .payload("GET /latest/meta-data/ HTTP/1.1\r\n\r\n"));
}

// --- Other files ---

TcpSession::Options one_client() {
  TcpSession::Options options;
  options.client_ip = "10.4.0.1";
  return options;
}

std::vector<TimedPacket> one_request() {
  return TcpSession(one_client())
      .handshake()
      .client(get("/latest/meta-data/", "169.254.169.254"))
      .server(kEmptyAnswer)
      .fin()
      .packets();
}

constexpr std::size_t kEthernetHeader = 14;

// The same packets in another link layer: `header` in place of the Ethernet header.
void write_relinked(const std::filesystem::path& path, std::uint32_t link_type, Bytes header) {
  PcapOptions options;
  options.link_type = link_type;
  PcapWriter writer(path, options);
  for (const TimedPacket& packet : one_request()) {
    Bytes bytes = header;
    bytes.insert(bytes.end(), packet.bytes.begin() + kEthernetHeader, packet.bytes.end());
    writer.write(packet.time, bytes);
  }
}

void write_link_types(const std::filesystem::path& folder) {
  write_relinked(folder / "cooked.pcap", 113,
                 {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x08, 0x00});
  write_relinked(folder / "cooked2.pcap", 276,
                 {0x08, 0x00, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0});
  write_relinked(folder / "raw-ip.pcap", 101, {});
  write_relinked(folder / "loopback.pcap", 0, {2, 0, 0, 0});
  write_relinked(folder / "ppp.pcap", 9, {0xff, 0x03, 0x00, 0x21});
  write_relinked(folder / "wlan.pcap", 127,
                 {0,    0,    8, 0, 0, 0, 0,    0,                      // radiotap
                  0x08, 0x01, 0, 0,                                     // data to the access point
                  2,    0,    0, 0, 0, 9, 2,    0,   0, 0, 0, 1, 2, 0,  // addresses
                  0,    0,    0, 2, 0, 0,                               //
                  0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00});                 // SNAP
  write_relinked(folder / "link-type.pcap", 220, Bytes(64, 0));         // USB
}

void write_file_forms(const std::filesystem::path& folder) {
  PcapOptions big_endian;
  big_endian.big_endian = true;
  PcapWriter(folder / "big-endian.pcap", big_endian).write(one_request());

  PcapOptions nanoseconds;
  nanoseconds.format = CaptureFormat::pcap_nanoseconds;
  PcapWriter(folder / "nanoseconds.pcap", nanoseconds).write(one_request());

  PcapOptions snapped;
  snapped.snap_length = 14 + 20 + 20 + 40;
  PcapWriter(folder / "snapped.pcap", snapped).write(one_request());

  const std::filesystem::path truncated = folder / "truncated.pcap";
  PcapWriter(truncated).write(one_request());
  std::filesystem::resize_file(truncated, std::filesystem::file_size(truncated) - 10);
}

// Two clients' connections, alternating packet by packet; each file holds one client's.
void write_evening(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  TcpSession::Options first = one_client();
  first.client_ip = "10.5.0.1";
  TcpSession::Options second = one_client();
  second.client_ip = "10.5.0.2";
  second.start.ns += first.step_ns / 2;
  PcapOptions next_generation;
  next_generation.format = CaptureFormat::pcapng;
  const std::string request = get("/latest/meta-data/", "169.254.169.254");
  PcapWriter(folder / "1.pcap").write(TcpSession(first).handshake().client(request).packets());
  PcapWriter(folder / "2.pcapng", next_generation)
      .write(TcpSession(second).handshake().client(request).packets());
}

void write_all(const std::filesystem::path& folder) {
  Day day;
  requests_to_the_endpoints(day);
  requests_elsewhere(day);
  ordinary_web_traffic(day);
  ordinary_link_traffic(day);
  PcapOptions options;
  options.format = CaptureFormat::pcapng;
  PcapWriter(folder / "sample.pcapng", options).write(day.in_order());

  write_link_types(folder);
  write_file_forms(folder);
  write_evening(folder / "evening");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make-sample FOLDER\n", stderr);
    return 2;
  }
  try {
    write_all(argv[1]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "make-sample: %s\n", e.what());
    return 1;
  }
  return 0;
}
