// The conversations traces are made of. Private to the trace generator.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/packet_builder.h"
#include "support/tcp_session.h"

namespace imds::traces {

enum class Kind : std::uint8_t {
  small_tcp,  // segments of a few bytes and bare acknowledgements, frames of 60 bytes
  small_udp,  // datagrams in frames of 60 bytes
  tls,        // a handshake and encrypted records, mostly towards the client
  http,       // requests and answers with bodies of 10 to 100 KB
  udp,        // short questions and answers, and long datagrams as of QUIC
  heads,      // request heads only, one per packet, nothing from the server
  imds,       // a client takes a token and credentials from the metadata service
};

struct Conversation {
  std::vector<support::Bytes> frames;
  std::map<std::string, std::uint64_t> alerts;
};

class ConversationMaker {
 public:
  explicit ConversationMaker(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] Conversation make(Kind kind);
  [[nodiscard]] std::mt19937_64& random() { return random_; }

 private:
  [[nodiscard]] std::size_t between(std::size_t least, std::size_t most);
  [[nodiscard]] std::string noise(std::size_t size);
  [[nodiscard]] std::string tls_record(std::uint8_t type, std::size_t size);
  [[nodiscard]] std::string client_address();
  [[nodiscard]] std::string server_address();
  [[nodiscard]] support::TcpSession session(unsigned server_port);
  [[nodiscard]] std::string request(std::string_view method, std::string_view body);
  [[nodiscard]] std::string target();

  [[nodiscard]] Conversation small_tcp();
  [[nodiscard]] Conversation small_udp();
  [[nodiscard]] Conversation tls();
  [[nodiscard]] Conversation http();
  [[nodiscard]] Conversation udp();
  [[nodiscard]] Conversation heads();
  [[nodiscard]] Conversation imds();

  std::mt19937_64 random_;
  std::uint32_t serial_ = 0;  // of conversations: no two share client address and port
};

}  // namespace imds::traces
