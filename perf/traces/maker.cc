#include "maker.h"

#include <algorithm>
#include <array>

#include "wire_text.h"

namespace imds::traces {

namespace {

constexpr std::size_t kRecord = 16'384;  // TLS plaintext (RFC 8446 5.1)
constexpr std::size_t kRecordHeader = 5;

IpAddress v6(std::uint16_t net, std::uint32_t host) {
  IpAddress out = IpAddress::v6_wire(std::array<std::uint8_t, 16>{0x20, 0x01, 0x0d, 0xb8}.data());
  out.bytes[4] = static_cast<std::uint8_t>(net >> 8);
  out.bytes[5] = static_cast<std::uint8_t>(net);
  for (std::size_t i = 0; i < 4; ++i) {
    out.bytes[12 + i] = static_cast<std::uint8_t>(host >> (24 - 8 * i));
  }
  return out;
}

}  // namespace

Conversation Maker::make(Kind kind) {
  switch (kind) {
    case Kind::tls:
      return tls();
    case Kind::web:
      return web();
    case Kind::quic:
      return quic();
    case Kind::dns:
      return dns();
    case Kind::imds:
      return imds();
    case Kind::exchange:
      return exchange();
    case Kind::chatter:
      return chatter();
    case Kind::bare_acks:
      return bare_acks();
    case Kind::small_udp:
      return small_udp();
    case Kind::heads:
      return heads();
    case Kind::imix_tcp:
      return imix(true);
    case Kind::imix_udp:
      return imix(false);
    case Kind::hostile:
      return hostile();
  }
  return {};
}

std::string Maker::random_text(std::size_t size) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out(size, '\0');
  for (char& c : out) {
    c = kLetters[random_.between(0, kLetters.size() - 1)];
  }
  return out;
}

// Clients: 10.0.0.0/9 and 2001:db8:1::/96, 2^12 ports each: different for 2^25 conversations in a
// row. Servers: 16,384, some asked by many.
Ends Maker::ends(std::uint16_t server_port, std::size_t v6_in) {
  const std::uint32_t serial = serial_++;
  const std::uint32_t host = serial >> 2 & 0x7fffff;
  const auto server = static_cast<std::uint32_t>(random_.between(0, 16'383));
  Ends out;
  out.is_tcp = false;
  out.client_port =
      static_cast<std::uint16_t>(32'768 + (serial & 3) * 4096 + random_.between(0, 4095));
  out.server_port = server_port;
  const bool is_v6 = v6_in != 0 && random_.one_in(v6_in);
  out.client = is_v6 ? v6(1, host) : IpAddress::v4(0x0a000000 | host);
  out.server = is_v6 ? v6(2, server) : IpAddress::v4(0xc6330000 | server);  // 198.51.0.0/18
  out.server_ttl = static_cast<std::uint8_t>(random_.between(49, 61));
  if (link_ != Link::plain) {
    out.link = link_ == Link::vlan && (serial & 1) != 0 ? Link::qinq : link_;
    out.outer_vlan = static_cast<std::uint16_t>(random_.between(100, 299));
    out.inner_vlan = static_cast<std::uint16_t>(random_.between(1000, 1999));
    out.vni = static_cast<std::uint32_t>(random_.between(5000, 5199));
  }
  return out;
}

Ends Maker::tcp_ends(std::uint16_t server_port, std::size_t v6_in) {
  Ends out = ends(server_port, v6_in);
  out.is_tcp = true;
  // One client in four is a Windows: no timestamps, another time to live.
  out.has_timestamps = !random_.one_in(4);
  out.client_ttl = out.has_timestamps ? 64 : 128;
  out.client_clock = static_cast<std::uint32_t>(random_.bits()) | 1;
  out.server_clock = static_cast<std::uint32_t>(random_.bits()) | 1;
  return out;
}

void Maker::tls_handshake(TcpPlan& plan) {
  plan.client(client_hello(random_)).ack(false);
  plan.server(server_hello(random_) + tls_record_header(0x17, 2800), 2800).ack(true);
  plan.client(change_cipher_spec() + tls_record_header(0x17, 69), 69).ack(false);
}

Conversation Maker::tls() {
  Conversation out;
  out.ends = tcp_ends(443, 6);
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  tls_handshake(plan);
  for (std::size_t requests = random_.one_in(4) ? 2 : 1; requests > 0; --requests) {
    const std::size_t request = random_.between(200, 900);
    plan.client(tls_record_header(0x17, request), request).ack(false);
    for (std::size_t left = random_.sized(10'000, 110'000); left > 0;) {
      const std::size_t size = std::min(left, kRecord);
      plan.server_bulk(tls_record_header(0x17, size), size);
      left -= size;
    }
  }
  plan.client(tls_record_header(0x17, 19), 19);  // close_notify
  plan.fin();
  return out;
}

Conversation Maker::elephant(std::uint64_t packets) {
  constexpr std::uint64_t kNotBulk = 16;
  Conversation out;
  out.ends = tcp_ends(443, 0);
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  tls_handshake(plan);
  plan.client(tls_record_header(0x17, 400), 400).ack(false);
  out.packets.reserve(packets);
  while (out.packets.size() + kNotBulk < packets) {
    plan.server_bulk(tls_record_header(0x17, kRecord), kRecord);
  }
  plan.fin();
  return out;
}

Conversation Maker::short_tls(const IpAddress& client, std::uint16_t port, std::size_t packets) {
  constexpr std::size_t kEnd = 3;
  Conversation out;
  out.ends = tcp_ends(443, 0);
  out.ends.client = client;
  out.ends.client_port = port;
  out.ends.has_timestamps = true;
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  const std::size_t room = segment_room(out.ends);
  plan.client(client_hello(random_));
  const std::string hello = server_hello(random_);
  const std::size_t rest = room - hello.size() - kRecordHeader;
  plan.server(hello + tls_record_header(0x17, rest), rest);
  plan.client(change_cipher_spec() + tls_record_header(0x17, 69), 69);
  while (out.packets.size() + kEnd < packets) {
    const std::size_t size = random_.one_in(3) ? random_.between(40, 600) : room - kRecordHeader;
    plan.server(tls_record_header(0x17, size), size);
    if (out.packets.size() + kEnd < packets && random_.one_in(2)) {
      plan.ack(true);
    }
  }
  plan.fin();
  return out;
}

Conversation Maker::quic() {
  Conversation out;
  out.ends = ends(443, 6);
  const std::string to_server = random_text(8);  // connection ids
  const std::string to_client = random_text(8);
  const auto say = [&](bool from_client, std::string_view text, std::size_t noise) {
    add_datagram(out, random_, noise_, from_client, text, noise);
  };
  constexpr std::size_t kInitial = 1200;  // RFC 9000 14.1: at least
  const std::string first = quic_long_header(0xc0, to_server, to_client, kInitial);
  const std::string answer = quic_long_header(0xc0, to_client, to_server, kInitial);
  const std::string handshake = quic_long_header(0xe0, to_client, to_server, kInitial);
  say(true, first, kInitial - first.size());
  say(false, answer, kInitial - answer.size());
  say(false, handshake, kInitial - handshake.size());
  const auto short_header = [&](const std::string& id) {
    return static_cast<char>(0x40 | random_.between(0, 63)) + id;
  };
  const auto say_short = [&](bool from_client, std::size_t least, std::size_t most) {
    const std::string header = short_header(from_client ? to_server : to_client);
    say(from_client, header, random_.between(least, most));
  };
  for (std::size_t i = static_cast<std::size_t>(random_.sized(4, 40)); i > 0; --i) {
    say_short(true, 25, 60);
    for (std::size_t j = random_.between(2, 4); j > 0; --j) {
      say_short(false, 1200, 1300);
    }
  }
  return out;
}

Conversation Maker::dns() {
  Conversation out;
  out.ends = ends(53, 0);
  const DnsExchange exchange = dns_exchange(random_);
  add_datagram(out, random_, noise_, true, exchange.question, 0);
  add_datagram(out, random_, noise_, false, exchange.answer, 0);
  return out;
}

Conversation Maker::chatter() {
  constexpr std::size_t kRoom = kLeastFrame - 14 - 20 - 20;
  Conversation out;
  out.ends = tcp_ends(static_cast<std::uint16_t>(random_.between(9000, 9099)), 0);
  out.ends.has_timestamps = false;
  out.ends.has_tcp_options = false;
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  for (std::size_t i = random_.between(8, 24); i > 0; --i) {
    plan.client({}, kRoom).ack(false).server({}, kRoom).ack(true);
  }
  plan.fin();
  return out;
}

Conversation Maker::bare_acks() {
  Conversation out;
  out.ends = tcp_ends(443, 0);
  out.ends.has_timestamps = false;
  out.ends.has_tcp_options = false;
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  for (std::size_t i = random_.between(30, 90); i > 0; --i) {
    plan.ack_unseen(2 * 1460);
  }
  plan.fin();
  // What the server sent went another way.
  out.packets.erase(std::remove_if(out.packets.begin(), out.packets.end(),
                                   [](const Packet& packet) { return !packet.from_client; }),
                    out.packets.end());
  return out;
}

Conversation Maker::small_udp() {
  constexpr std::size_t kRoom = kLeastFrame - 14 - 20 - 8;
  Conversation out;
  out.ends = ends(static_cast<std::uint16_t>(random_.between(20'000, 20'099)), 0);
  for (std::size_t i = random_.between(30, 90); i > 0; --i) {
    add_datagram(out, random_, noise_, random_.one_in(2), {}, kRoom);
  }
  // The client speaks first.
  out.packets.front().from_client = true;
  return out;
}

// Groups of 12 frames, 7 of 60 bytes, 4 of 566 and 1 of 1514 (64, 570 and 1518 with FCS).
Conversation Maker::imix(bool is_tcp) {
  constexpr std::array<std::size_t, 12> kFrames = {60, 60,  60,  60,  60,  60,
                                                   60, 566, 566, 566, 566, 1514};
  constexpr std::string_view kQuicShort = "\x45";  // first byte of a short header
  Conversation out;
  out.ends = is_tcp ? tcp_ends(443, 0) : ends(443, 0);
  out.ends.has_timestamps = false;
  out.ends.has_tcp_options = false;
  const std::size_t overhead = 14 + 20 + (is_tcp ? 20 : 8);
  TcpPlan plan(out, random_, noise_);
  std::vector<std::size_t> sizes;
  for (std::size_t groups = random_.between(3, 10); groups > 0; --groups) {
    sizes.insert(sizes.end(), kFrames.begin(), kFrames.end());
  }
  if (is_tcp) {
    // Six of the small ones are the handshake and the end, one of 566 is the ClientHello.
    sizes.erase(sizes.begin(), sizes.begin() + 6);
    plan.handshake();
    plan.client(client_hello(random_, 566 - overhead));
    sizes.erase(std::find(sizes.begin(), sizes.end(), std::size_t{566}));
  }
  for (std::size_t i = sizes.size(); i > 1; --i) {
    std::swap(sizes[i - 1], sizes[random_.between(0, i - 1)]);
  }
  for (const std::size_t size : sizes) {
    // Large frames go to the client, small ones to the server, and either carries the others.
    const bool from_client = size == 60 || (size == 566 && random_.one_in(2));
    if (!is_tcp) {
      add_datagram(out, random_, noise_, from_client, kQuicShort,
                   size - overhead - kQuicShort.size());
    } else if (size == 60) {
      plan.ack(true);
    } else {
      const std::size_t record = size - overhead - kRecordHeader;
      const std::string header = tls_record_header(0x17, record);
      from_client ? plan.client(header, record) : plan.server(header, record);
    }
  }
  if (is_tcp) {
    plan.fin();
  }
  return out;
}

}  // namespace imds::traces
