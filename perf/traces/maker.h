// The conversations traces are made of. No two of one maker share client address and port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "conversation.h"

namespace imds::traces {

enum class Kind : std::uint8_t {
  tls,        // TLS 1.3 on 443: handshake, then records mostly towards the client
  web,        // HTTP/1 requests, answers with bodies of 10 to 100 KB
  quic,       // long datagrams from the server, short ones to it
  dns,        // one question, one answer
  imds,       // a client of the metadata service: everything it asks alerts
  exchange,   // a client that is given a token, a role and credentials, to the end
  chatter,    // TCP segments of a few bytes, each acknowledged, in 64-byte frames
  bare_acks,  // one direction of downloads: acknowledgements of data that went another way
  small_udp,  // datagrams in 64-byte frames
  heads,      // HTTP requests only, one per packet, nothing from the server but its handshake
  imix_tcp,   // frames of 64, 570 and 1518 bytes as 7 to 4 to 1
  imix_udp,
  hostile,  // requests in disguise, and what only looks like one
};

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed), noise_(seed ^ 0x6e6f697365) {}

  // Wraps all conversations from now on: vlan stands for one and two tags, taking turns.
  void set_link(Link link) { link_ = link; }

  [[nodiscard]] Conversation make(Kind kind);
  // One download through TLS, of `packets` packets in all.
  [[nodiscard]] Conversation elephant(std::uint64_t packets);
  // A TLS connection of exactly `packets` packets, 12 at least, of full and small records.
  [[nodiscard]] Conversation short_tls(const IpAddress& client, std::uint16_t port,
                                       std::size_t packets);
  // As Kind::imds, of this client and to the endpoint, IPv4.
  [[nodiscard]] Conversation imds_of(const IpAddress& client, std::uint16_t port);

  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] const Noise& noise() const { return noise_; }

 private:
  // Addresses and ports of a new conversation; `v6_in`: one in so many is IPv6, 0: none.
  [[nodiscard]] Ends ends(std::uint16_t server_port, std::size_t v6_in);
  [[nodiscard]] Ends tcp_ends(std::uint16_t server_port, std::size_t v6_in);
  [[nodiscard]] std::string random_text(std::size_t size);
  // A temporary access key id of some account, as its encoding has it.
  [[nodiscard]] std::string random_key_id();
  [[nodiscard]] std::string target();
  // A head of a browser, up to and with its empty line. `body`: bytes that follow.
  [[nodiscard]] std::string browser_head(std::string_view method, std::size_t body);
  // A request of a program, with its body.
  [[nodiscard]] std::string api_request();

  void tls_handshake(TcpPlan& plan);
  void web_answer(TcpPlan& plan, std::size_t body);
  void imds_exchange(Conversation& conversation, bool at_endpoint);
  [[nodiscard]] Conversation tls();
  [[nodiscard]] Conversation web();
  [[nodiscard]] Conversation quic();
  [[nodiscard]] Conversation dns();
  [[nodiscard]] Conversation imds();
  [[nodiscard]] Conversation exchange();
  [[nodiscard]] Conversation chatter();
  [[nodiscard]] Conversation bare_acks();
  [[nodiscard]] Conversation small_udp();
  [[nodiscard]] Conversation heads();
  [[nodiscard]] Conversation imix(bool is_tcp);

  // hostile.cc
  void to_endpoint(Conversation& conversation);
  void contradict(Conversation& conversation, std::string other);
  void answer_and_close(TcpPlan& plan);
  [[nodiscard]] Conversation hostile();
  [[nodiscard]] Conversation hostile_datagrams(bool is_request);
  [[nodiscard]] Conversation unfinished(bool is_head);

  Random random_;
  Noise noise_;
  std::uint32_t serial_ = 0;
  Link link_ = Link::plain;
};

}  // namespace imds::traces
