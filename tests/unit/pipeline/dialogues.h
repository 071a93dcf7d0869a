// Random conversations as they are met in the wild and as an attacker would shape them: long
// answers, bodies and opaque streams in segments of all sizes, interactive protocols, the rules'
// strings cut anywhere, requests where none belongs, losses, repetitions, forged flags, odd
// options, tags, fragments and tunnels. Everything depends on the seed only.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fixture.h"
#include "support/fragments.h"

namespace imds::pipeline {

class Dialogues {
 public:
  explicit Dialogues(std::uint32_t seed) : random_(seed) {}

  // So many flows, interleaved in time.
  std::vector<Given> packets(std::size_t flows) {
    std::vector<std::vector<Given>> all;
    for (std::size_t i = 0; i < flows; ++i) {
      all.push_back(flow());
    }
    return interleaved(all);
  }
  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  static constexpr bool kClient = true;
  static constexpr bool kServer = false;

  bool one_in(std::size_t n) { return below(n) == 0; }
  std::size_t between(std::size_t least, std::size_t most) {
    return least + below(most - least + 1);
  }

  // --- What is said ---

  std::string noise(std::size_t size) {
    constexpr std::string_view kNearly = "/latest-ec2-metX-awsx-aWs/LA/apitoken \r\n";
    const std::size_t kind = below(5);
    std::string out(size, 'x');
    for (char& c : out) {
      switch (kind) {
        case 0:
          c = static_cast<char>(random_());
          break;
        case 1:
          c = static_cast<char>('a' + below(26));
          break;
        case 2:
          c = kNearly[below(kNearly.size())];
          break;
        case 3:
          c = one_in(9) ? '\n' : static_cast<char>('A' + below(26));
          break;
        default:
          break;
      }
    }
    return out;
  }
  std::string needle() {
    constexpr std::array<std::string_view, 4> kNeedles = {
        "X-aws-ec2-metadata-token", "/latest/meta-data", "/latest/api/token",
        "X-aws-ec2-metadata-token-ttl-seconds: 21600"};
    std::string out(kNeedles[below(kNeedles.size())]);
    for (char& c : out) {
      c = one_in(3) && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return one_in(4) ? out.substr(0, below(out.size())) : out;
  }
  std::string with_needles(std::string text) {
    for (std::size_t i = below(3); i > 0; --i) {
      text.insert(below(text.size() + 1), needle());
    }
    return text;
  }
  std::string get() {
    constexpr std::array<std::string_view, 5> kTargets = {"/latest/meta-data/iam", "/index.html",
                                                          "/%6catest/api/token", "/a?b=c", "*"};
    std::string out("GET ");
    out += kTargets[below(kTargets.size())];
    return out + " HTTP/1.1\r\nHost: h" + std::to_string(below(100)) + "\r\n\r\n";
  }
  std::string chunked(std::size_t size) {
    std::string out;
    while (size > 0) {
      const std::size_t part = std::min(between(1, 9000), size);
      std::array<char, 20> line{};
      std::snprintf(line.data(), line.size(), "%zx\r\n", part);
      out += line.data() + noise(part) + (one_in(20) ? "\n" : "\r\n");
      size -= part;
    }
    return out + "0\r\n\r\n";
  }
  // With a body that is as long as it says, or not.
  std::string post() {
    const std::size_t size = one_in(3) ? between(1, 40) : between(1, 40000);
    if (one_in(3)) {
      return "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(size);
    }
    const std::size_t said = one_in(6) ? size * 1000 : size;
    return "POST /f HTTP/1.1\r\nContent-Length: " + std::to_string(said) + "\r\n\r\n" + noise(size);
  }
  std::string answer() {
    const std::size_t size = one_in(3) ? between(0, 100) : between(0, 60000);
    switch (below(3)) {
      case 0:
        return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(size);
      case 1:
        return "HTTP/1.0 200 OK\r\n\r\n" + noise(size);
      default:
        return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
               noise(size);
    }
  }
  std::string tls(std::size_t records) {
    std::string out;
    for (; records > 0; --records) {
      const std::size_t size = between(1, 4000);
      out += {static_cast<char>(one_in(5) ? 22 : 23), 3, 3, static_cast<char>(size >> 8),
              static_cast<char>(size)};
      out += noise(size);
    }
    return out;
  }
  std::string http2_frames(std::size_t count) {
    std::string out;
    for (; count > 0; --count) {
      const std::size_t size = one_in(2) ? 8 : between(0, 2000);
      const bool ping = size == 8;
      out += {0, static_cast<char>(size >> 8), static_cast<char>(size),
              static_cast<char>(ping ? 6 : below(3) / 2), 0};
      out += {0, 0, 0, static_cast<char>(ping ? 0 : 1)};
      out += noise(size);
    }
    return out;
  }

  // --- One flow ---

  struct Flow {
    std::string ips[2];  // of the server, of the client
    unsigned ports[2];
    std::uint32_t next[2];
    std::vector<std::pair<unsigned, unsigned>> tags;  // id, TPID
    bool stamps = false;                              // TCP timestamps on every segment
    bool pads = false;                                // short frames, as Ethernet does
    bool calm = false;                                // nothing goes wrong
    bool hidden[2] = {false, false};
    bool is_test = false;
    std::vector<Given> packets;
  };

  std::vector<Given> flow() {
    Flow f;
    const bool v6 = one_in(4);
    const bool watched = one_in(5);
    const std::string host = std::to_string(1 + below(6));
    f.ips[kClient] = (v6 ? "2001:db8::" : "10.0.0.") + host;
    f.ips[kServer] = watched ? (v6 ? "fd00:ec2::254" : "169.254.169.254")
                     : v6    ? "2001:db8:1::" + host
                             : "203.0.113." + host;
    f.ports[kClient] = 40000 + static_cast<unsigned>(below(12));
    f.ports[kServer] = one_in(2) ? 80 : 443;
    for (std::uint32_t& next : f.next) {
      next = one_in(4) ? 0xfffff000u : static_cast<std::uint32_t>(random_());
    }
    for (std::size_t i = one_in(3) ? between(1, 3) : 0; i > 0; --i) {
      constexpr std::array<unsigned, 3> kTpids = {0x8100, 0x88a8, 0x9100};
      f.tags.emplace_back(one_in(4) ? 0 : 10 + below(3), kTpids[below(3)]);
    }
    f.stamps = one_in(3);
    f.pads = one_in(2);
    f.calm = one_in(3);
    f.hidden[kClient] = one_in(12);
    f.hidden[kServer] = one_in(12);
    f.is_test = one_in(15);
    if (one_in(6)) {
      datagrams(f);
    } else {
      connection(f);
    }
    if (one_in(6) && !f.packets.empty()) {  // picked up in the middle
      const std::size_t missed = below(f.packets.size());
      f.packets.erase(f.packets.begin(), f.packets.begin() + static_cast<std::ptrdiff_t>(missed));
    }
    return std::move(f.packets);
  }

  void connection(Flow& f) {
    if (!one_in(6)) {
      segment(f, kClient, f.next[kClient]++, support::kSyn, {});
      segment(f, kServer, f.next[kServer]++, support::kSyn | support::kAck, {});
      segment(f, kClient, f.next[kClient], support::kAck, {});
    }
    const std::size_t kind = below(8);
    for (std::size_t i = between(1, 4); i > 0; --i) {
      talk(f, kind);
    }
    if (one_in(3)) {
      segment(f, kClient, f.next[kClient]++, support::kFin | support::kAck, {});
      segment(f, kServer, f.next[kServer]++, support::kFin | support::kAck, {});
      segment(f, kClient, f.next[kClient], support::kAck, {});
    } else if (one_in(3)) {
      segment(f, one_in(2), f.next[kServer], support::kRst, {});
    }
  }
  void talk(Flow& f, std::size_t kind) {
    switch (kind) {
      case 0:
        send(f, kClient, get(), 1, 1400);
        send(f, kServer, answer(), 500, 1400);
        break;
      case 1:
        send(f, kClient, post() + get(), 1, 1400);
        send(f, kServer, answer(), 1, 1400);
        break;
      case 2:
        send(f, kClient, tls(between(1, 8)), 1, 1400);
        send(f, kServer, tls(between(1, 30)), 500, 1400);
        break;
      case 3:  // interactive
        send(f, kServer, with_needles("220 hello\r\n" + noise(between(1, 30))), 1, 20);
        send(f, kClient, with_needles(noise(between(1, 200))), 1, one_in(2) ? 4 : 20);
        break;
      case 4:
        send(f, one_in(2), with_needles(noise(between(1, 9000))), 1, 1400);
        break;
      case 5:
        send(f, kClient, http2_frames(between(1, 10)), 1, 1400);
        send(f, kServer, http2_frames(between(1, 20)), 20, 1400);
        break;
      case 6:
        send(f, kClient, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frames(6), 1, 1400);
        send(f, kServer, http2_frames(6), 1, 1400);
        break;
      default:
        send(f, kClient, get() + get() + noise(between(0, 30)), 1, 60);
        send(f, kServer, answer() + needle(), 1, 1400);
        break;
    }
  }
  void send(Flow& f, bool from, std::string_view data, std::size_t least, std::size_t most) {
    for (std::size_t sent = 0; !data.empty(); ++sent) {
      std::string part(data.substr(0, between(least, most)));
      data.remove_prefix(part.size());
      if (one_in(60)) {  // a request where none belongs, perhaps cut
        const std::string hidden = get();
        part.replace(0, std::min(hidden.size(), part.size()), hidden, 0, part.size());
      }
      if (f.calm || !one_in(25)) {
        segment(f, from, f.next[from], support::kAck, part);
        f.next[from] += static_cast<std::uint32_t>(part.size());
      } else {
        go_wrong(f, from, part);
      }
      if (sent % 2 == 1 && !one_in(10)) {
        segment(f, !from, f.next[!from], support::kAck, {});
      }
    }
  }
  // Sends `part`, not as it should be.
  void go_wrong(Flow& f, bool from, const std::string& part) {
    using support::kAck;
    const std::uint32_t at = f.next[from];
    f.next[from] += static_cast<std::uint32_t>(part.size());
    const std::size_t half = part.size() / 2;
    switch (below(14)) {
      case 0:
        return;  // lost
      case 1:    // late
        segment(f, from, at + static_cast<std::uint32_t>(half), kAck, part.substr(half));
        segment(f, from, at, kAck, part.substr(0, half));
        return;
      case 2:  // twice
        segment(f, from, at, kAck, part);
        segment(f, from, at, kAck, part);
        return;
      case 3:  // twice, with other bytes
        segment(f, from, at, kAck, part);
        segment(f, from, at, kAck, noise(part.size()));
        return;
      case 4:  // keep-alives
        segment(f, from, at - 1, kAck, {});
        segment(f, from, at - 1, kAck, "k");
        break;
      case 5:
        segment(f, from, at + static_cast<std::uint32_t>(below(3)), support::kRst | kAck, {});
        break;
      case 6:
        segment(f, from, at + 1000000, support::kRst, {});
        break;
      case 7:
        segment(f, from, at, support::kFin | kAck, {});
        break;
      case 8:
        segment(f, from, at, support::kSyn | (one_in(2) ? kAck : 0u), {});
        break;
      case 9: {  // goes on elsewhere
        f.next[from] = static_cast<std::uint32_t>(random_());
        segment(f, from, f.next[from]++, support::kSyn, {});
        return;
      }
      case 10:  // of another sequence space
        segment(f, from, static_cast<std::uint32_t>(random_()), kAck, part);
        break;
      case 11:  // acknowledges what was not sent yet
        f.next[!from] += 3000;
        segment(f, from, at, kAck, {});
        f.next[!from] -= 3000;
        break;
      case 12:  // seen by the receiver only
        f.next[from] += 5000;
        segment(f, !from, f.next[!from], kAck, {});
        return;
      default:
        segment(f, from, at, support::kFin | kAck, part);
        ++f.next[from];
        return;
    }
    segment(f, from, at, kAck, part);
  }
  void datagrams(Flow& f) {
    for (std::size_t i = between(1, 12); i > 0; --i) {
      const bool from = one_in(2);
      support::PacketBuilder b = network(f, from);
      b.udp(f.ports[from], f.ports[!from]);
      const std::size_t kind = below(5);
      b.payload(kind == 0   ? "M-SEARCH * HTTP/1.1\r\nHost: h\r\n\r\n" + needle()
                : kind == 1 ? get()
                : kind == 2 ? std::string()
                            : noise(between(1, 1200)));
      if (one_in(12)) {
        b.udp_length(static_cast<unsigned>(below(60)));
      }
      add(f, from, b);
    }
  }

  // --- One packet ---

  support::PacketBuilder network(const Flow& f, bool from) {
    support::PacketBuilder b;
    b.ethernet();
    for (const auto& [id, tpid] : f.tags) {
      b.vlan(id, tpid, static_cast<unsigned>(below(8)));
    }
    return b.ip(f.ips[from], f.ips[!from]);
  }
  void segment(Flow& f, bool from, std::uint32_t sequence, unsigned flags, std::string_view data) {
    support::PacketBuilder b = network(f, from);
    if (f.ips[0].find(':') == std::string::npos && one_in(80)) {
      one_in(2) ? b.ipv4_options({7, 4, 4, 0}) : b.ipv4_total_length(0);
    }
    b.tcp(f.ports[from], f.ports[!from]).seq(sequence).flags(flags);
    if ((flags & support::kAck) != 0) {
      b.ack(f.next[!from]);
    }
    if (f.stamps) {
      b.tcp_options({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2});
    } else if (one_in(60)) {
      switch (below(4)) {
        case 0:
          b.tcp_options({1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9});
          break;
        case 1:
          b.tcp_options({5, 40, 1, 1});  // longer than there is room
          break;
        case 2:
          b.tcp_options({8, 0, 1, 1});
          break;
        default:
          b.tcp_options({1, 0, 9, 9});
          break;
      }
    }
    if (!data.empty()) {
      b.payload(data);
    }
    if (f.pads) {
      b.pad_to(60);
    }
    add(f, from, b);
  }
  void add(Flow& f, bool from, const support::PacketBuilder& b) {
    if (f.hidden[from]) {
      return;
    }
    Given packet = given(b.build());
    packet.is_test = f.is_test;
    const bool plain = f.tags.empty() && !f.calm;
    if (plain && one_in(120) && packet.bytes.size() > 120 && packet.bytes[14] >> 4 == 6) {
      cut(f, packet);
      return;
    }
    if (plain && one_in(100)) {
      packet.bytes = support::PacketBuilder()
                         .ethernet()
                         .ipv4("172.16.0.1", "172.16.0.2")
                         .udp(50000, 4789)
                         .tunnel(support::vxlan(static_cast<unsigned>(below(3))))
                         .bytes(packet.bytes)
                         .build();
    } else if (!f.calm && one_in(150)) {
      packet.original_length = static_cast<std::uint32_t>(packet.bytes.size());
      packet.bytes.resize(packet.bytes.size() - below(packet.bytes.size() / 4));
    } else if (!f.calm && one_in(100)) {
      packet.segment_bytes = between(20, 400);
    } else if (!f.calm && one_in(200)) {
      packet.stripped_vlan = static_cast<std::uint16_t>(below(12));
    } else if (!f.calm && one_in(100)) {
      packet.bytes.resize(packet.bytes.size() + below(40));  // a trailer
    }
    f.packets.push_back(std::move(packet));
  }
  // In fragments, one of which may be missing.
  void cut(Flow& f, const Given& whole) {
    for (support::Bytes& piece : support::fragments_of(whole.bytes, 8 * between(2, 8),
                                                       static_cast<std::uint32_t>(below(9)))) {
      if (!one_in(10)) {
        f.packets.push_back(given(std::move(piece)));
      }
    }
  }

  // Runs of one flow's packets, at times that mostly go on a little.
  std::vector<Given> interleaved(std::vector<std::vector<Given>>& flows) {
    std::vector<Given> out;
    std::vector<std::size_t> next(flows.size());
    std::vector<std::size_t> open;
    std::size_t started = 0;
    Timestamp time{1'760'000'000 * kNanosPerSecond};
    while (started < flows.size() || !open.empty()) {
      while (open.size() < 12 && started < flows.size()) {
        open.push_back(started++);
      }
      const std::size_t pick = below(open.size());
      const std::size_t f = open[pick];
      for (std::size_t run = one_in(3) ? between(1, 70) : 1; run > 0 && next[f] < flows[f].size();
           --run) {
        time.ns += step();
        Given packet = std::move(flows[f][next[f]++]);
        packet.time = time;
        out.push_back(std::move(packet));
      }
      if (next[f] == flows[f].size()) {
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
      }
    }
    return out;
  }
  std::int64_t step() {
    switch (below(2000)) {
      case 0:
        return static_cast<std::int64_t>(below(3 * 3600)) * kNanosPerSecond;
      case 1:
        return -static_cast<std::int64_t>(below(100)) * kNanosPerSecond;
      case 2:
      case 3:
      case 4:
        return static_cast<std::int64_t>(below(20'000)) * 1'000'000;
      default:
        return static_cast<std::int64_t>(below(1'000'000));
    }
  }

  std::mt19937 random_;
};

}  // namespace imds::pipeline
