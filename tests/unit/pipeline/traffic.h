// Random traffic in which the books have to balance: short conversations, and packets spoilt in any
// way a port might deliver them. For longer and stranger conversations see dialogues.h.
#pragma once

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fixture.h"

namespace imds::pipeline {

class Traffic {
 public:
  explicit Traffic(std::uint32_t seed) : random_(seed) {}

  // Conversations of few addresses, interleaved in order, with now and then a packet lost, repeated
  // or late.
  std::vector<Given> conversations(std::size_t count) {
    std::vector<support::TcpSession> sessions;
    for (std::size_t i = 0; i < count; ++i) {
      sessions.push_back(conversation());
    }
    std::vector<std::size_t> next(sessions.size());
    std::vector<Given> out;
    Timestamp time{1'760'000'000 * kNanosPerSecond};
    for (std::size_t left = sessions.size(); left > 0;) {
      const std::size_t s = below(sessions.size());
      if (next[s] == sessions[s].packets().size()) {
        continue;
      }
      Given packet = given(sessions[s].packets()[next[s]++].bytes);
      left -= next[s] == sessions[s].packets().size() ? 1 : 0;
      time.ns += below(100) == 0 ? below(400) * kNanosPerSecond : 1000;
      packet.time = time;
      switch (below(40)) {
        case 0:
          break;  // lost
        case 1:
          out.push_back(packet);
          [[fallthrough]];
        default:
          out.push_back(std::move(packet));
      }
    }
    return out;
  }

  // Anything a port might deliver.
  void spoil(Given& packet) {
    support::Bytes& bytes = packet.bytes;
    switch (below(8)) {
      case 0:
        bytes.resize(below(bytes.size() + 1));
        break;
      case 1:
        for (std::size_t i = 0; i < 1 + below(8) && !bytes.empty(); ++i) {
          bytes[below(bytes.size())] ^= static_cast<std::uint8_t>(1u << below(8));
        }
        break;
      case 2:
        for (std::size_t i = 0; i < 8 && !bytes.empty(); ++i) {
          bytes[below(std::min<std::size_t>(bytes.size(), 60))] =
              static_cast<std::uint8_t>(random_());
        }
        break;
      case 3:
        for (std::uint8_t& byte : bytes) {
          byte = static_cast<std::uint8_t>(random_());
        }
        break;
      case 4:
        packet.original_length = static_cast<std::uint32_t>(bytes.size() + below(3000));
        break;
      case 5: {
        constexpr std::uint16_t kLinks[] = {1, 101, 113, 276, 228, 9999};
        packet.link = kLinks[below(std::size(kLinks))];
        break;
      }
      case 6:
        bytes.resize(bytes.size() + below(5000));
        break;
      default:
        break;
    }
    if (below(4) == 0) {
      packet.segment_bytes = 1 + below(200);
    }
    if (below(8) == 0) {
      packet.stripped_vlan = static_cast<std::uint16_t>(random_());
    }
  }

  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  support::TcpSession conversation() {
    support::TcpSession::Options options;
    options.client_ip = "10.0.0." + std::to_string(1 + below(4));
    options.server_ip = below(3) == 0 ? "169.254.169.254" : "203.0.113." + std::to_string(below(4));
    options.client_port = 40000 + static_cast<unsigned>(below(20));
    options.server_port = below(2) == 0 ? 80 : 8080;
    options.client_isn = static_cast<std::uint32_t>(random_());
    options.segment_size = 1 + below(400);
    if (below(5) == 0) {
      options.vlans = {10};
    }
    support::TcpSession session(options);
    if (below(4) != 0) {
      session.handshake();
    }
    for (std::size_t i = 0; i < 1 + below(4); ++i) {
      session.client(request());
      session.server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").client_ack();
    }
    switch (below(3)) {
      case 0:
        session.fin();
        break;
      case 1:
        session.server_rst();
        break;
      default:
        break;
    }
    return session;
  }
  std::string request() {
    switch (below(6)) {
      case 0:
        return "PUT /latest/api/token HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
      case 1:
        return std::string(kMetadata);
      case 2:
        return "POST /form HTTP/1.1\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'f');
      case 3:
        return "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
      case 4:
        return std::string("\x16\x03\x01\x02\x00", 5) + std::string(300, '\x7f');
      default:
        return "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n";
    }
  }

  std::mt19937 random_;
};

}  // namespace imds::pipeline
