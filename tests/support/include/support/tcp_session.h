// Plays a TCP conversation into timestamped packets: handshake, data of either side cut into
// segments, FIN or RST, with consistent sequence numbers.
//
//   TcpSession s;                       // 10.0.0.1:40000 → 169.254.169.254:80
//   s.handshake().client("GET / …").server("HTTP/1.1 200 OK\r\n…").fin();
//   for (const TimedPacket& p : s.packets()) …
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "support/packet_builder.h"

namespace imds::support {

struct TimedPacket {
  Timestamp time;
  Bytes bytes;
};

class TcpSession {
 public:
  struct Options {
    std::string client_ip = "10.0.0.1";
    std::string server_ip = "169.254.169.254";  // same family as client_ip
    unsigned client_port = 40000;
    unsigned server_port = 80;
    std::string client_mac{kClientMac};
    std::string server_mac{kServerMac};
    std::vector<unsigned> vlans;  // outermost first
    std::uint32_t client_isn = 1000;
    std::uint32_t server_isn = 500000;
    std::size_t segment_size = 1400;  // largest payload of one segment
    Timestamp start{1'760'000'000 * kNanosPerSecond};
    std::int64_t step_ns = 100'000;  // between packets
  };

  TcpSession() : TcpSession(Options{}) {}
  explicit TcpSession(Options options)
      : options_(std::move(options)),
        now_(options_.start),
        client_next_(options_.client_isn),
        server_next_(options_.server_isn) {}

  TcpSession& handshake() {
    syn();
    syn_ack();
    return client_ack();
  }
  TcpSession& syn() {
    add(true, kSyn, {});
    ++client_next_;
    return *this;
  }
  TcpSession& syn_ack() {
    add(false, kSyn | kAck, {});
    ++server_next_;
    return *this;
  }
  TcpSession& client_ack() { return add(true, kAck, {}); }
  TcpSession& server_ack() { return add(false, kAck, {}); }
  TcpSession& client(std::string_view data) { return send(true, data); }
  TcpSession& server(std::string_view data) { return send(false, data); }
  // Both sides close: FIN, FIN+ACK, ACK.
  TcpSession& fin() {
    client_fin();
    server_fin();
    return client_ack();
  }
  TcpSession& client_fin() {
    add(true, kFin | kAck, {});
    ++client_next_;
    return *this;
  }
  TcpSession& server_fin() {
    add(false, kFin | kAck, {});
    ++server_next_;
    return *this;
  }
  TcpSession& client_rst() { return add(true, kRst | kAck, {}); }
  TcpSession& server_rst() { return add(false, kRst | kAck, {}); }
  // Data the capture lost: the sequence number moves on, no packet appears.
  TcpSession& client_gap(std::uint32_t bytes) {
    client_next_ += bytes;
    return *this;
  }
  TcpSession& server_gap(std::uint32_t bytes) {
    server_next_ += bytes;
    return *this;
  }
  TcpSession& segment_size(std::size_t size) {
    options_.segment_size = size;
    return *this;
  }
  TcpSession& wait(std::int64_t ns) {
    now_.ns += ns;
    return *this;
  }
  // Any segment, for tests that need odd ones. `sequence` is absolute.
  TcpSession& segment(bool from_client, std::uint32_t sequence, unsigned flags,
                      std::string_view data) {
    packets_.push_back({tick(), frame(from_client, sequence, flags, data)});
    return *this;
  }

  [[nodiscard]] std::uint32_t client_sequence() const { return client_next_; }
  [[nodiscard]] std::uint32_t server_sequence() const { return server_next_; }
  [[nodiscard]] const std::vector<TimedPacket>& packets() const { return packets_; }
  // To reorder, repeat or drop packets.
  [[nodiscard]] std::vector<TimedPacket>& packets() { return packets_; }

 private:
  Timestamp tick() {
    const Timestamp t = now_;
    now_.ns += options_.step_ns;
    return t;
  }
  [[nodiscard]] Bytes frame(bool from_client, std::uint32_t sequence, unsigned flags,
                            std::string_view data) const {
    PacketBuilder b;
    const Options& o = options_;
    b.ethernet(from_client ? o.client_mac : o.server_mac,
               from_client ? o.server_mac : o.client_mac);
    for (std::size_t i = 0; i < o.vlans.size(); ++i) {
      b.vlan(o.vlans[i], i + 1 < o.vlans.size() ? 0x88a8 : 0x8100);
    }
    b.ip(from_client ? o.client_ip : o.server_ip, from_client ? o.server_ip : o.client_ip);
    b.tcp(from_client ? o.client_port : o.server_port, from_client ? o.server_port : o.client_port);
    b.seq(sequence).flags(flags);
    if ((flags & kAck) != 0) {
      b.ack(from_client ? server_next_ : client_next_);
    }
    if (!data.empty()) {
      b.payload(data);
    }
    return b.build();
  }
  TcpSession& add(bool from_client, unsigned flags, std::string_view data) {
    return segment(from_client, from_client ? client_next_ : server_next_, flags, data);
  }
  TcpSession& send(bool from_client, std::string_view data) {
    std::uint32_t& next = from_client ? client_next_ : server_next_;
    while (!data.empty()) {
      const std::string_view part = data.substr(0, std::max<std::size_t>(options_.segment_size, 1));
      data.remove_prefix(part.size());
      add(from_client, data.empty() ? kAck | kPsh : kAck, part);
      next += static_cast<std::uint32_t>(part.size());
    }
    return *this;
  }

  Options options_;
  Timestamp now_;
  std::uint32_t client_next_;
  std::uint32_t server_next_;
  std::vector<TimedPacket> packets_;
};

}  // namespace imds::support
