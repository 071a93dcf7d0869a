// Requests in disguise, and decoys that only look like one. Each conversation uses one trick, whose
// alerts are known: docs/evasion.md says what of each is found.
#include <algorithm>
#include <array>
#include <iterator>

#include "maker.h"
#include "rule_ids.h"
#include "support/fragments.h"
#include "support/packet_builder.h"
#include "wire_text.h"

namespace imds::traces {

namespace {

using support::Bytes;
using support::PacketBuilder;

// Each amounts to a path the shipped rule names.
constexpr std::array<std::string_view, 11> kDisguised = {
    "/latest/meta-data/iam/security-credentials/",
    "/%6catest/%6deta-data/iam/info",
    "/latest//meta-data/hostname",
    "/latest/./meta-data/instance-id",
    "/static/../latest/meta-data/",
    "/latest/%2e%2e/latest/meta-data/local-ipv4",
    "/Latest/Meta-Data/placement/region",
    "/%6C%61%74%65%73%74/%6D%65%74%61%2D%64%61%74%61/",
    "http://169.254.169.254/latest/meta-data/",
    "/latest/api/token",
    "/l%61test/%61pi/t%6fken"};

// None does.
constexpr std::array<std::string_view, 6> kHarmless = {
    "/latest/metadata/index",  "/lat%65st/news/meta-data", "/latest/%61pi/topics",
    "/%6catest/meta%20data/x", "/latest/meta_data/",       "/%2e%2e/docs/api/token-latest"};

constexpr std::array<std::string_view, 4> kHosts = {"cache.example.net", "proxy.example.org:8080",
                                                    "169.254.169.254", "0xa9fea9fe"};

std::string head_of(Random& random, std::string_view target) {
  std::string out = "GET " + std::string(target) + " HTTP/1.1\r\nHost: ";
  out += random.any(kHosts);
  return out + "\r\nUser-Agent: curl/8.8.0\r\nAccept: */*\r\nX-Request: " +
         std::to_string(random.between(1'000'000, 9'999'999)) + "\r\n\r\n";
}
std::string disguised(Random& random) {
  if (random.one_in(6)) {
    return "GET /status HTTP/1.1\r\nHost: cache.example.net\r\nAccept: */*\r\n"
           "x-AWS-EC2-metadata-TOKEN:\t" +
           std::to_string(random.bits()) + "\r\n\r\n";
  }
  const std::string_view target = random.any(kDisguised);
  return head_of(random, target);
}
std::string harmless(Random& random) {
  return head_of(random, random.any(kHarmless));
}

template <class T>
void shuffle(std::vector<T>& all, Random& random) {
  for (std::size_t i = all.size(); i > 1; --i) {
    std::swap(all[i - 1], all[random.between(0, i - 1)]);
  }
}

Packet part_of(const Packet& whole, std::size_t at, std::size_t size) {
  Packet part = whole;
  part.sequence += static_cast<std::uint32_t>(at);
  part.text_at += static_cast<std::uint32_t>(at);
  part.text_size = static_cast<std::uint16_t>(size);
  part.ip_id = static_cast<std::uint16_t>(whole.ip_id + at);
  return part;
}

// A segment cut into smaller ones, each `overlap` bytes longer than it had to be.
std::vector<Packet> cut(const Packet& whole, Random& random, std::size_t least, std::size_t most,
                        std::size_t overlap = 0) {
  std::vector<Packet> parts;
  for (std::size_t at = 0; at < whole.text_size;) {
    const std::size_t size = std::min(random.between(least, most), whole.text_size - at);
    parts.push_back(part_of(whole, at, std::min(size + overlap, whole.text_size - at)));
    at += size;
  }
  return parts;
}

void replace(std::vector<Packet>& packets, std::size_t at, const std::vector<Packet>& with) {
  packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(at));
  packets.insert(packets.begin() + static_cast<std::ptrdiff_t>(at), with.begin(), with.end());
}

constexpr std::size_t kRequest = 3;  // its place in a conversation: after the handshake

// What is done to the segment that carries the request.
void in_tiny_segments(Conversation& c, Random& random) {
  replace(c.packets, kRequest, cut(c.packets[kRequest], random, 3, 16));
}
void out_of_order(Conversation& c, Random& random) {
  std::vector<Packet> parts = cut(c.packets[kRequest], random, 12, 40);
  shuffle(parts, random);
  replace(c.packets, kRequest, parts);
}
void overlapping(Conversation& c, Random& random) {
  std::vector<Packet> parts = cut(c.packets[kRequest], random, 16, 40, random.between(1, 12));
  if (random.one_in(2)) {
    std::reverse(parts.begin(), parts.end());
  }
  replace(c.packets, kRequest, parts);
}
void repeated(Conversation& c, Random& random) {
  std::vector<Packet> parts = cut(c.packets[kRequest], random, 20, 60);
  const std::vector<Packet> again = parts;
  parts.insert(parts.end(), again.begin(), again.end());
  shuffle(parts, random);
  replace(c.packets, kRequest, parts);
}

void write_all(Conversation& c, const Noise& noise) {
  c.frames.resize(c.packets.size());
  for (std::size_t i = 0; i < c.packets.size(); ++i) {
    write_frame(c.ends, c.packets[i], c.text, noise, c.frames[i]);
  }
  c.packets.clear();
}

// A frame's fragments: in order, from the end, or anyhow; some twice.
std::vector<Bytes> fragments(const Bytes& frame, Random& random) {
  const std::size_t size = random.between(4, 9) * 8;
  auto parts = support::fragments_of(frame, size, static_cast<std::uint32_t>(random.bits()));
  for (Bytes& part : parts) {
    part.resize(std::max(part.size(), kLeastFrame));
  }
  switch (random.between(0, 2)) {
    case 0:
      break;
    case 1:
      std::reverse(parts.begin(), parts.end());
      break;
    default:
      parts.push_back(parts[random.between(0, parts.size() - 2)]);
      std::swap(parts.back(), parts.front());
  }
  return parts;
}

// Frames of one flow in one tunnel, both ways.
void tunnel(std::vector<Bytes>& frames, Random& random) {
  enum class Form : std::uint8_t { gre, vxlan, geneve, gtp_u, ip_in_ip, mpls, gre_vxlan, last };
  const auto form = static_cast<Form>(random.between(0, static_cast<std::size_t>(Form::last) - 1));
  const auto id = static_cast<unsigned>(random.between(16, 65'535));
  const auto port = static_cast<unsigned>(random.between(49'152, 65'535));
  for (Bytes& frame : frames) {
    const unsigned ether_type = static_cast<unsigned>(frame[12] << 8 | frame[13]);
    const Bytes ip(frame.begin() + 14, frame.end());
    PacketBuilder b;
    b.ethernet();
    if (form != Form::mpls) {
      b.ipv4("192.0.2.1", "192.0.2.2");
    }
    switch (form) {
      case Form::gre:
        b.tunnel(support::gre({id})).next(ether_type).bytes(ip);
        break;
      case Form::vxlan:
        b.udp(port, 4789).tunnel(support::vxlan(id)).bytes(frame);
        break;
      case Form::geneve:
        b.udp(port, 6081).tunnel(support::geneve(id, Bytes(8))).next(0x6558).bytes(frame);
        break;
      case Form::gtp_u:
        b.udp(port, 2152).tunnel(support::gtp_u(id)).bytes(ip);
        break;
      case Form::ip_in_ip:
        b.next(ether_type == 0x0800 ? 4 : 41).bytes(ip);
        break;
      case Form::mpls:
        b.tunnel(support::mpls({id, id + 1})).bytes(ip);
        break;
      case Form::gre_vxlan:
      case Form::last:
        b.tunnel(support::gre()).ipv4("172.31.0.1", "172.31.0.2").udp(port, 4789);
        b.tunnel(support::vxlan(id)).bytes(frame);
        break;
    }
    frame = b.build();
  }
}

// All as likely.
enum class Trick : std::uint8_t {
  disguised_target,
  tiny_segments,
  out_of_order,
  overlapping,
  repeated,
  contradicted,
  fragmented,
  tunnelled,
  fragmented_and_tunnelled,
  pipelined,
  in_datagram,
  // Decoys: nothing of these alerts.
  harmless_target,
  quoted_in_body,
  behind_tls_look,
  harmless_out_of_order,
  stray_fragments,
  never_filled_hole,
  unfinished_head,
  last
};

}  // namespace

// An answer, and the end, after whatever the client sent.
void Maker::answer_and_close(TcpPlan& plan) {
  plan.ack(false);
  plan.server("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found").ack(true);
  plan.fin();
}

Conversation Maker::hostile() {
  const auto trick =
      static_cast<Trick>(random_.between(0, static_cast<std::size_t>(Trick::last) - 1));
  switch (trick) {
    case Trick::in_datagram:
    case Trick::stray_fragments:
      return hostile_datagrams(trick == Trick::in_datagram);
    case Trick::never_filled_hole:
    case Trick::unfinished_head:
      return unfinished(trick == Trick::unfinished_head);
    default:
      break;
  }
  const bool is_decoy = trick >= Trick::harmless_target;
  // Everything sent to the endpoint alerts, so decoys and contradictions go elsewhere.
  const bool at_endpoint =
      !is_decoy && trick != Trick::contradicted && trick != Trick::pipelined && random_.one_in(2);
  Conversation out;
  out.ends = tcp_ends(random_.one_in(2) ? 80 : 8080, 6);
  if (at_endpoint) {
    to_endpoint(out);
  }
  std::string request = is_decoy ? harmless(random_) : disguised(random_);
  const std::string other = harmless(random_);
  switch (trick) {
    case Trick::pipelined:
      request = other + request + harmless(random_);
      break;
    case Trick::quoted_in_body: {
      const std::string body = "log=GET /latest/meta-data/ HTTP/1.1&then=/latest/api/token";
      request = "POST /collect HTTP/1.1\r\nHost: logs.example.net\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body;
      break;
    }
    case Trick::behind_tls_look:
      request = client_hello(random_);
      break;
    default:
      break;
  }
  TcpPlan plan(out, random_, noise_);
  plan.handshake().client(request);
  answer_and_close(plan);
  switch (trick) {
    case Trick::tiny_segments:
      in_tiny_segments(out, random_);
      break;
    case Trick::out_of_order:
    case Trick::harmless_out_of_order:
      out_of_order(out, random_);
      break;
    case Trick::overlapping:
      overlapping(out, random_);
      break;
    case Trick::repeated:
      repeated(out, random_);
      break;
    case Trick::contradicted:
      contradict(out, other);
      break;
    default:
      break;
  }
  write_all(out, noise_);
  if (trick == Trick::fragmented || trick == Trick::fragmented_and_tunnelled) {
    std::vector<Bytes> parts = fragments(out.frames[kRequest], random_);
    out.frames.erase(out.frames.begin() + kRequest);
    out.frames.insert(out.frames.begin() + kRequest, std::make_move_iterator(parts.begin()),
                      std::make_move_iterator(parts.end()));
  }
  if (trick == Trick::tunnelled || trick == Trick::fragmented_and_tunnelled) {
    tunnel(out.frames, random_);
  }
  if (!is_decoy) {
    out.alerts.add("http_request", kAccessRule);
  }
  if (at_endpoint) {
    out.alerts.add("connection", kAccessRule);
  }
  if (at_endpoint && trick == Trick::contradicted) {
    // The contradiction, and the other request.
    out.alerts.add("tcp_overlap_conflict", kConflictRule);
    out.alerts.add("http_request", kAccessRule);
  }
  return out;
}

void Maker::to_endpoint(Conversation& conversation) {
  conversation.ends.server =
      *IpAddress::parse(conversation.ends.client.is_v4() ? "169.254.169.254" : "fd00:ec2::254");
}

// The same place of the stream with another request, before or after the real one.
void Maker::contradict(Conversation& conversation, std::string other) {
  const Packet real = conversation.packets[kRequest];
  // As long as the real one: a header more, or the longest that fits.
  constexpr std::string_view kHeader = "X: ";
  other.resize(other.size() - 2);
  const std::size_t least = other.size() + kHeader.size() + 4;
  if (least > real.text_size) {
    other = "GET /index.html HTTP/1.1\r\n";
  }
  other += kHeader;
  other.append(real.text_size - other.size() - 4, 'x');
  other += "\r\n\r\n";
  Packet decoy = real;
  decoy.text_at = static_cast<std::uint32_t>(conversation.text.size());
  conversation.text += other;
  const auto at = conversation.packets.begin() + kRequest;
  conversation.packets.insert(random_.one_in(2) ? at : at + 1, decoy);
}

// A request in a datagram, as of SSDP; or fragments of datagrams of which the rest never comes.
Conversation Maker::hostile_datagrams(bool is_request) {
  constexpr std::size_t kStray = 6;
  Conversation out;
  out.ends = ends(1900, 6);
  if (is_request) {
    add_datagram(out, random_, noise_, true, disguised(random_), 0);
    add_datagram(out, random_, noise_, false, "HTTP/1.1 200 OK\r\n\r\n", 0);
    out.alerts.add("http_request", kAccessRule);
    return out;
  }
  for (std::size_t i = 0; i < kStray; ++i) {
    add_datagram(out, random_, noise_, true, {}, 1200);
  }
  write_all(out, noise_);
  for (Bytes& frame : out.frames) {
    const auto parts =
        support::fragments_of(frame, 400, static_cast<std::uint32_t>(random_.bits()));
    frame = parts[random_.between(0, parts.size() - 1)];
    frame.resize(std::max(frame.size(), kLeastFrame));
  }
  return out;
}

// A head that does not end; or segments behind one that never comes.
Conversation Maker::unfinished(bool is_head) {
  constexpr std::size_t kSegments = 8;
  Conversation out;
  out.ends = tcp_ends(80, 6);
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  plan.client("GET /upload HTTP/1.1\r\nHost: www.example.com\r\nX-Padding: ");
  for (std::size_t i = 0; i < kSegments; ++i) {
    is_head ? plan.client(random_text(300)) : plan.client({}, 300);
  }
  if (!is_head) {
    out.packets.erase(out.packets.begin() + kRequest);
  }
  return out;
}

}  // namespace imds::traces
