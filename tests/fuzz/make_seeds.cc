// Writes the seeds of one harness into a folder: what each format looks like when it is right.
//
// usage: make-fuzz-seeds HARNESS FOLDER CONF-FOLDER
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/client_hello.h"
#include "support/evidence_messages.h"
#include "support/fragments.h"
#include "support/http2_client.h"
#include "support/packet_builder.h"
#include "support/pcap_writer.h"
#include "support/tcp_session.h"

namespace {

using namespace imds;
using support::Bytes;
using support::PacketBuilder;
namespace fs = std::filesystem;

using Seeds = std::vector<std::string>;

std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

PacketBuilder request() {
  PacketBuilder builder;
  builder.ethernet().ipv4("10.0.0.1", "169.254.169.254").tcp(40000, 80).payload("GET /latest/");
  return builder;
}

Seeds packets() {
  const std::string ethernet(2, '\0');
  Seeds seeds;
  const auto add = [&](const PacketBuilder& b) { seeds.push_back(ethernet + text_of(b.build())); };
  add(request());
  add(PacketBuilder()
          .ethernet()
          .vlan(100)
          .vlan(200)
          .ipv6("2001:db8::1", "fd00:ec2::254")
          .tcp(1, 80));
  add(PacketBuilder().ethernet().snap().ipv4("10.0.0.1", "10.0.0.2").udp(53, 53).payload("x"));
  add(PacketBuilder().ethernet().arp(2, support::kClientMac, "169.254.169.254", support::kServerMac,
                                     "10.0.0.1"));
  for (const Bytes& piece : support::fragments_of(request().build(), 8, 1)) {
    seeds.push_back(ethernet + text_of(piece));
  }
  return seeds;
}

Seeds http1() {
  const std::string whole(1, '\x07');
  return {
      whole + "GET /latest/meta-data/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
      whole +
          "PUT /latest/api/token HTTP/1.1\nHost : a\n folded\nContent-Length: 4\n\nbodyGET / "
          "HTTP/1.0\n\n",
      whole +
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: "
          "x\r\n\r\n",
      whole +
          "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\nG",
      whole + "GET /latest/meta-data/\r\n",
      whole + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: EC2ws\r\n\r\nok",
      whole + "\r\n\r\nCONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  };
}

Seeds targets() {
  return {
      "GET\n/latest/%6deta-data/%2e%2e/x;p=1?a=%25\n169.254.169.254",
      "GET\nhttp://user:pw@0xA9FEA9FE:80//a/./b/../c\\d\nexample.com",
      "CONNECT\n[::ffff:a9fe:a9fe]:443\n2852039166",
      "OPTIONS\n*\n0251.0376.0251.0376.",
      "GET\n/%25%32%35u0041\n169.254.169.254.nip.io",
  };
}

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Seeds captures(const fs::path& folder) {
  using support::CaptureFormat;
  support::TcpSession session;
  session.handshake().client("GET / HTTP/1.1\r\n\r\n").fin();
  Seeds seeds;
  for (const CaptureFormat format :
       {CaptureFormat::pcap, CaptureFormat::pcap_nanoseconds, CaptureFormat::pcapng}) {
    for (const bool big_endian : {false, true}) {
      const fs::path path = folder / "capture.tmp";
      {
        support::PcapWriter writer(path, {.format = format, .big_endian = big_endian});
        writer.write(session.packets());
      }
      seeds.push_back(file_text(path));
      fs::remove(path);
    }
  }
  return seeds;
}

Seeds rules(const fs::path& conf) {
  Seeds seeds;
  for (const char* folder : {"rules", "correlations"}) {
    for (const auto& entry : fs::directory_iterator(conf / folder)) {
      seeds.push_back(file_text(entry.path()));
    }
  }
  seeds.emplace_back(
      "title: a\nid: 11111111-1111-4111-8111-111111111111\nlevel: low\n"
      "logsource: {category: network}\ndetection:\n  a_1: {url|contains|all: [x?y, '*b\\*']}\n"
      "  b: [{dst_ip|cidr: 10.0.0.0/8}, {source.port|gte: 1024}]\n  k: ['word', 3]\n"
      "  condition: (1 of a_* and not b) or all of them\n");
  seeds.emplace_back(
      "title: a\nid: 11111111-1111-4111-8111-111111111111\nname: a\nlevel: low\n"
      "logsource: {category: network}\ndetection: {s: {url: x}, condition: s}\n---\n"
      "title: f\nlogsource: {category: network}\nfilter:\n  rules: [a]\n  s: {source.ip: "
      "10.0.0.1}\n"
      "  condition: not s\n---\n"
      "title: c\nname: c\ngenerate: true\ncorrelation:\n  type: event_count\n  rules: [a]\n"
      "  group-by: [h]\n  aliases: {h: {a: source.ip}}\n  timespan: 5m\n"
      "  condition: {gt: 1, lte: 5, neq: 3}\n");
  return seeds;
}

Seeds conditions() {
  return {"(1 of b_* and not a) or all of them\nurl|contains|all: x?y*\\*",
          "a\nurl|re|i|m|s: ^/(la|b){1,3}(?!x)[^a-c]+\\1$\ndestination.ip|cidr: 10.0.0.0/8",
          "not (a or _c)\nurl|wide|base64offset|contains: cmd\nurl|windash: ' -a /b'",
          "a\nurl|fieldref|endswith: url.path\n@timestamp|hour|gte: 20\nrequest_headers.X-A: b",
          "any of b*\nurl|expand: %p%/x\nsource.ip: 0xa9fea9fe\ndestination.port|lt: 80"};
}

// Pieces written over a ring: one at its header, one at a record.
Seeds rings() {
  return {std::string("\x05", 1), std::string("\x20\x10\x03\xff\xff\xff\xff", 7),
          std::string("\x08\x81\x00\x07\x01\x00\x00\x00\x00\x00\x00\x00", 12)};
}

Seeds masked() {
  return {std::string(1, '\0') + "a?x=1&y\nb=2", std::string(1, '\x0d') + "http://u:p@h/\n%26#x",
          std::string(1, '\x32') + "latest/api/token?b=http%3A%2F%2Fx%3Ftoken%3D\n&c"};
}

Seeds http2() {
  const std::string cut("\x06\x06", 2);
  const std::string preface = support::Http2Client::preface();
  support::Http2Client client;
  std::string requests = preface.substr(24);
  for (std::uint32_t stream = 1; stream < 7; stream += 2) {
    requests += client.headers(stream, support::Http2Client::request_fields(
                                           "GET", "169.254.169.254", "/latest/meta-data/"));
  }
  const std::string block =
      client.block(support::Http2Client::request_fields("PUT", "a", "/latest/api/token"));
  using support::http2_frame;
  const std::string parted =
      http2_frame(support::kHttp2Headers, support::kHttp2Padded, 9,
                  std::string("\x02", 1) + block.substr(0, 5) + std::string(2, '\0')) +
      http2_frame(support::kHttp2Continuation, support::kHttp2EndHeaders, 9, block.substr(5)) +
      http2_frame(support::kHttp2Data, support::kHttp2EndStream, 9, std::string(40, 'd'));
  return {cut + requests, cut + requests + parted, cut + parted};
}

// Choices for streams.cc: few and many requests, plain and rough treatment.
Seeds streams() {
  Seeds seeds;
  for (const int stride : {0, 1, 3, 5, 7, 13, 89}) {
    std::string seed;
    for (int i = 0; i < 200; ++i) {
      seed.push_back(static_cast<char>(i * stride));
    }
    seeds.push_back(seed);
  }
  seeds.push_back(std::string("\x00\xff\xff\xff\xf0", 5) + seeds[4]);  // sequence numbers wrap
  return seeds;
}

Seeds dns() {
  using support::dns_address;
  using support::dns_record;
  const std::string whole("\x07\xcf\x00", 3);  // pieces of 2000 bytes, none lost
  const std::string pieces("\x00\x04\x00", 3);
  const Bytes question = support::dns_pointer(support::kDnsQuestion);
  const Bytes chain = support::dns_message(
      {.question = "metadata.google.internal",
       .answers = {dns_record(question, support::kDnsCname, support::dns_name("a.b")),
                   dns_address(support::dns_name("a.b"), "169.254.169.254"),
                   dns_address(question, "fd00:ec2::254")},
       .authorities = {dns_record({0}, support::kDnsNs, support::dns_name("ns"))},
       .additional = {dns_address(support::dns_pointer(40), "192.0.2.1")}});
  const Bytes multicast = support::dns_message(
      {.question = "", .answers = {dns_address(support::dns_name("instance-data"), "10.0.0.1")}});
  const std::string stream =
      text_of(support::joined({support::with_length(chain), support::with_length(multicast)}));
  const Bytes kinds = support::dns_message(
      {.question = "x.example",
       .answers = {dns_record(question, 16,
                              support::to_bytes("\x04text\x05"
                                                "cmd.e")),
                   dns_record(question, 15, support::joined({{0, 10}, support::dns_name("mx")})),
                   dns_record(question, 33, support::joined({{0, 1, 0, 2, 0, 80}, question})),
                   dns_record(question, 6, support::joined({question, question, Bytes(20, 1)})),
                   dns_record(question, 12, question), dns_record(question, 99, {3, 'a', 'b'})}});
  const Bytes query = support::dns_message({.question = "x.example", .is_response = false});
  const std::string client("\x00\x04\x80", 3);
  const std::string asked =
      text_of(support::joined({support::with_length(query), support::with_length(query)}));
  return {whole + text_of(chain), whole + text_of(multicast), whole + stream, pieces + stream,
          whole + text_of(kinds), whole + text_of(query),     client + asked};
}

Seeds dhcp() {
  using support::dhcp_option;
  const Bytes route = support::classless_route("169.254.169.254", 32, "10.0.0.1");
  support::DhcpMessage overloaded;
  overloaded.options = support::joined({dhcp_option(52, {3}), dhcp_option(121, {32, 169, 254})});
  overloaded.file = dhcp_option(121, {169, 254, 10, 0, 0, 1});
  overloaded.server_name = dhcp_option(3, {10, 0, 0, 1});
  const Bytes lease = support::dhcpv6_association(3, support::dhcpv6_address("fd00:ec2::254"));
  const Bytes delegation =
      support::dhcpv6_association(25, support::dhcpv6_prefix("fd00:ec2::", 32));
  return {text_of(support::dhcp_message({.options = dhcp_option(121, route)})),
          text_of(support::dhcp_message(
              {.options = support::joined(
                   {dhcp_option(249, route), dhcp_option(33, {169, 254, 0, 0, 10, 0, 0, 1})})})),
          text_of(support::dhcp_message(overloaded)),
          text_of(support::dhcpv6_message(7, support::joined({lease, delegation}))),
          text_of(support::dhcpv6_relayed(13, support::dhcpv6_message(2, lease)))};
}

Seeds neighbours() {
  const auto seed = [](unsigned type, const Bytes& message) {
    return std::string(1, static_cast<char>(type)) + text_of(message);
  };
  const Bytes link_layer = support::link_layer_option(2, support::kClientMac);
  const Bytes options = support::joined(
      {support::prefix_option("fd00:ec2::", 64), support::route_option("fd00:ec2::254", 128)});
  const Bytes quoted = PacketBuilder().ipv4("10.0.0.5", "169.254.169.254").tcp(1, 80).build();
  return {
      seed(136, support::joined(
                    {{0xe0, 0, 0, 0}, support::neighbour_body("fd00:ec2::254", link_layer)})),
      seed(137, support::joined({Bytes(4, 0), support::address_bytes("fe80::1"),
                                 support::neighbour_body("fd00:ec2::254", link_layer)})),
      seed(134, support::joined({Bytes(4, 0), support::router_advertisement_body(options)})),
      seed(5, support::joined({support::address_bytes("10.0.0.66"), quoted})),
      seed(0, PacketBuilder()
                  .arp(2, support::kClientMac, "169.254.169.254", support::kServerMac, "10.0.0.1")
                  .build()),
  };
}

Seeds credentials() {
  const std::string piece(1, '\x05');
  return {
      piece +
          R"({"Code":"Success","AccessKeyId":"ASIAQNZGKIQY56JQ7WML","SecretAccessKey":"FAKE-a",)"
          R"("Token":"FAKE-b","Expiration":"2025-10-08T18:00:00Z","AccountId":"029608264753"})",
      piece + R"({"\u0041ccessKeyId":"\u0041KIAIOSFODNN7EXAMPLE","x":{"y":[{"Token":null}]}})",
      piece + R"({"accountId":"123456789012","region":"eu-west-1","instanceId":"i-1"})",
      piece + R"({"InstanceProfileArn":"arn:aws:iam::123456789012:instance-profile/web"})"};
}

Seeds hellos() {
  return {support::client_hello("sts.amazonaws.com"), support::client_hello("a.api.aws", 300),
          support::client_hello(""), support::client_hello_of("")};
}

// Forms of planting a secret, around heads and bodies, and frames.
Seeds exhibits() {
  const std::string split(1, '\0');
  const std::vector<std::string> around = {
      "GET /latest/meta-data/ HTTP/1.1\r\nHost: a" + split + "Accept: */*\r\n\r\n",
      "HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Length: 9" + split + "}",
      "latest;a=%3f" + split + "Host: b\r\n",
      "5\r\n{\"Tok\r\n" + split + "\r\n0\r\n\r\n",
      text_of(request().build()),
      text_of(PacketBuilder()
                  .ethernet()
                  .ipv4("169.254.169.254", "10.0.0.1")
                  .icmp(3, 3)
                  .bytes(PacketBuilder().ipv4("10.0.0.1", "169.254.169.254").tcp(1, 80).build())
                  .build()),
      text_of(PacketBuilder()
                  .ethernet()
                  .ipv6("fe80::1", "fe80::2")
                  .icmpv6(137, 0)
                  .bytes(Bytes(60, 4))
                  .build())};
  Seeds seeds;
  for (const std::string& one : around) {
    for (const unsigned choice : {0x00u, 0x11u, 0x22u, 0x43u, 0x80u}) {
      seeds.push_back(std::string(1, static_cast<char>(choice)) + '\x01' + one);
    }
  }
  return seeds;
}

using Makers = std::map<std::string, std::function<Seeds()>>;

Makers makers(const fs::path& folder, const fs::path& conf) {
  return {
      {"packet", packets},
      {"http1", http1},
      {"http2", http2},
      {"normalise", targets},
      {"capture", [=] { return captures(folder); }},
      {"sigma", [=] { return rules(conf); }},
      {"sigma_condition", conditions},
      {"config",
       [=] {
         return Seeds{file_text(conf / "inspector.yaml"), "ports:\n- name: a\n"};
       }},
      {"dhcp", dhcp},
      {"dns", dns},
      {"neighbours", neighbours},
      {"ring", rings},
      {"redact", masked},
      {"credentials", credentials},
      {"client_hello", hellos},
      {"exchange", streams},
      {"exhibit", exhibits},
      {"streams", streams},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: make-fuzz-seeds HARNESS FOLDER CONF-FOLDER\n";
    return 2;
  }
  const fs::path folder = argv[2];
  fs::remove_all(folder);
  fs::create_directories(folder);
  const Makers known = makers(folder, argv[3]);
  const auto maker = known.find(argv[1]);
  const Seeds seeds = maker != known.end() ? maker->second() : Seeds{};
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream(folder / ("seed-" + std::to_string(i)), std::ios::binary) << seeds[i];
  }
  if (seeds.empty()) {
    std::cerr << "make-fuzz-seeds: no seeds for " << argv[1] << '\n';
    return 1;
  }
  return 0;
}
