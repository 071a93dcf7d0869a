#include "conversations.h"

#include <array>
#include <cstring>

namespace imds::traces {

namespace {

using support::Bytes;
using support::PacketBuilder;
using support::TcpSession;

constexpr std::size_t kLeastFrame = 60;  // Ethernet's 64 bytes without its check sum
constexpr std::size_t kSegment = 1460;

constexpr std::array<std::string_view, 6> kHosts = {"www.example.com",  "static.example.net",
                                                    "api.example.org",  "news.example.com",
                                                    "shop.example.net", "cdn7.example.org:8080"};

constexpr std::array<std::string_view, 5> kAgents = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "curl/8.8.0", "python-requests/2.32.3"};

constexpr std::array<std::string_view, 8> kTargets = {
    "/",
    "/index.html",
    "/assets/app.bundle.js",
    "/api/v2/items/",
    "/images/photos/large/",
    "/search?q=used+bicycles&page=",
    "/latest/news/metadata-standards-in-libraries.html?from=",
    "/account/orders/"};

Conversation finished(const TcpSession& session) {
  Conversation out;
  for (const support::TimedPacket& packet : session.packets()) {
    out.frames.push_back(packet.bytes);
    out.frames.back().resize(std::max(packet.bytes.size(), kLeastFrame));
  }
  return out;
}

template <class Choices>
const auto& any(const Choices& choices, std::mt19937_64& random) {
  return choices[random() % choices.size()];
}

}  // namespace

Conversation ConversationMaker::make(Kind kind) {
  ++serial_;
  switch (kind) {
    case Kind::small_tcp:
      return small_tcp();
    case Kind::small_udp:
      return small_udp();
    case Kind::tls:
      return tls();
    case Kind::http:
      return http();
    case Kind::udp:
      return udp();
    case Kind::heads:
      return heads();
    case Kind::imds:
      return imds();
  }
  return {};
}

std::size_t ConversationMaker::between(std::size_t least, std::size_t most) {
  return least + random_() % (most - least + 1);
}

std::string ConversationMaker::noise(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    const std::uint64_t word = random_();
    std::memcpy(&out[i], &word, std::min(sizeof word, size - i));
  }
  return out;
}

std::string ConversationMaker::tls_record(std::uint8_t type, std::size_t size) {
  std::string out = {static_cast<char>(type), 3, 3, static_cast<char>(size >> 8),
                     static_cast<char>(size)};
  return out + noise(size);
}

// 10.0.0.0/10 and 2^12 ports: different for 2^34 conversations in a row.
std::string ConversationMaker::client_address() {
  const std::uint32_t host = serial_ >> 2;
  return "10." + std::to_string(host >> 16 & 0x3f) + '.' + std::to_string(host >> 8 & 0xff) + '.' +
         std::to_string(host & 0xff);
}

std::string ConversationMaker::server_address() {
  return "198.51." + std::to_string(between(0, 255)) + '.' + std::to_string(between(1, 254));
}

TcpSession ConversationMaker::session(unsigned server_port) {
  TcpSession::Options options;
  options.client_ip = client_address();
  options.server_ip = server_address();
  options.client_port = 32768 + (serial_ & 3) * 4096 + static_cast<unsigned>(between(0, 4095));
  options.server_port = server_port;
  options.client_isn = static_cast<std::uint32_t>(random_());
  options.server_isn = static_cast<std::uint32_t>(random_());
  options.segment_size = kSegment;
  TcpSession session(options);
  session.handshake();
  return session;
}

std::string ConversationMaker::target() {
  return std::string(any(kTargets, random_)) + std::to_string(between(1, 99999));
}

std::string ConversationMaker::request(std::string_view method, std::string_view body) {
  std::string head = std::string(method) + ' ' + target() + " HTTP/1.1\r\nHost: ";
  head +=
      std::string(any(kHosts, random_)) + "\r\nUser-Agent: " + std::string(any(kAgents, random_));
  head +=
      "\r\nAccept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
      "Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n";
  if (between(0, 1) == 1) {
    head += "Cookie: session=" + std::to_string(random_()) + std::to_string(random_()) +
            "; theme=dark\r\nReferer: http://www.example.com/overview/\r\n";
  }
  if (!body.empty()) {
    head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n";
  }
  return head + "Connection: keep-alive\r\n\r\n" + std::string(body);
}

Conversation ConversationMaker::small_tcp() {
  TcpSession tcp = session(static_cast<unsigned>(between(1024, 9999)));
  for (std::size_t i = between(3, 5); i > 0; --i) {
    tcp.client('\x01' + noise(5)).server_ack().server('\x02' + noise(5)).client_ack();
  }
  return finished(tcp.fin());
}

Conversation ConversationMaker::small_udp() {
  constexpr std::size_t kPayload = kLeastFrame - 14 - 20 - 8;
  const std::string client = client_address();
  const std::string server = server_address();
  const auto port = static_cast<unsigned>(between(32768, 60000));
  Conversation out;
  for (std::size_t i = between(4, 8); i > 0; --i) {
    PacketBuilder question;
    question.ethernet().ipv4(client, server).udp(port, 5060).payload(noise(kPayload));
    out.frames.push_back(question.build());
    PacketBuilder answer;
    answer.ethernet(support::kServerMac, support::kClientMac).ipv4(server, client);
    out.frames.push_back(answer.udp(5060, port).payload(noise(kPayload)).build());
  }
  return out;
}

Conversation ConversationMaker::tls() {
  TcpSession tcp = session(443);
  tcp.client(tls_record(0x16, 512)).server(tls_record(0x16, 122) + tls_record(0x17, 3000));
  tcp.client_ack().client(tls_record(0x17, 74)).server_ack();
  for (std::size_t requests = between(1, 3); requests > 0; --requests) {
    tcp.client(tls_record(0x17, between(200, 900))).server_ack();
    for (std::size_t left = between(5'000, 100'000); left > 0;) {
      const std::size_t size = std::min<std::size_t>(left, 16'384);
      const std::string record = tls_record(0x17, size);
      left -= size;
      // Acknowledged every other segment, as receivers do.
      for (std::size_t at = 0; at < record.size(); at += 2 * kSegment) {
        tcp.server(std::string_view(record).substr(at, 2 * kSegment)).client_ack();
      }
    }
  }
  return finished(tcp.fin());
}

Conversation ConversationMaker::http() {
  TcpSession tcp = session(between(0, 3) == 0 ? 8080 : 80);
  for (std::size_t requests = between(1, 3); requests > 0; --requests) {
    const bool is_post = between(0, 9) == 0;
    tcp.client(is_post ? request("POST", noise(between(200, 6000))) : request("GET", {}));
    tcp.server_ack();
    const std::string body = noise(between(10'000, 100'000));
    const std::string answer =
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nCache-Control: max-age=3600\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    for (std::size_t at = 0; at < answer.size(); at += 2 * kSegment) {
      tcp.server(std::string_view(answer).substr(at, 2 * kSegment)).client_ack();
    }
  }
  return finished(tcp.fin());
}

Conversation ConversationMaker::udp() {
  const std::string client = client_address();
  const std::string server = server_address();
  const bool is_quic = between(0, 1) == 1;
  const unsigned server_port = is_quic ? 443 : 53;
  const auto port = static_cast<unsigned>(between(32768, 60000));
  Conversation out;
  for (std::size_t i = is_quic ? between(10, 60) : 1; i > 0; --i) {
    PacketBuilder question;
    question.ethernet().ipv4(client, server).udp(port, server_port);
    out.frames.push_back(question.payload(noise(between(40, 120))).build());
    PacketBuilder answer;
    answer.ethernet(support::kServerMac, support::kClientMac).ipv4(server, client);
    answer.udp(server_port, port).payload(noise(is_quic ? 1252 : between(60, 480)));
    out.frames.push_back(answer.build());
  }
  return out;
}

Conversation ConversationMaker::heads() {
  TcpSession tcp = session(80);
  for (std::size_t i = between(30, 60); i > 0; --i) {
    tcp.client(request("GET", {}));
  }
  return finished(tcp.fin());
}

Conversation ConversationMaker::imds() {
  TcpSession::Options options;
  options.client_ip = client_address();
  options.client_port = 32768 + (serial_ & 3);
  options.client_isn = static_cast<std::uint32_t>(random_());
  options.server_isn = static_cast<std::uint32_t>(random_());
  // One in four asks an impersonator at another address: no connection alert then.
  const bool at_endpoint = between(0, 3) != 0;
  if (!at_endpoint) {
    options.server_ip = server_address();
    options.server_port = 8000;
  }
  TcpSession tcp(options);
  tcp.handshake();
  tcp.client(
      "PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: aws-cli/2.17.0\r\n"
      "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length: 0\r\n\r\n");
  tcp.server("HTTP/1.1 200 OK\r\nContent-Length: 56\r\n\r\n" + std::string(56, 'A')).client_ack();
  for (const std::string_view path :
       {"iam/security-credentials/", "iam/security-credentials/role"}) {
    tcp.client("GET /latest/meta-data/" + std::string(path) +
               " HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: aws-cli/2.17.0\r\n"
               "X-aws-ec2-metadata-token: " +
               std::string(56, 'A') + "\r\nAccept: */*\r\n\r\n");
    const std::string body(between(4, 1200), 'c');
    tcp.server("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body);
    tcp.client_ack();
  }
  Conversation out = finished(tcp.fin());
  out.alerts["http_request"] = 3;
  if (at_endpoint) {
    out.alerts["connection"] = 1;
  }
  return out;
}

}  // namespace imds::traces
