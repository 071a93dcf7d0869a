// A conversation as a plan: what each packet is to carry, and frames made from it one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frames.h"
#include "noise.h"
#include "random.h"
#include "trace.h"

namespace imds::traces {

struct Conversation {
  Ends ends;
  std::string text;  // what packets carry besides noise
  std::vector<Packet> packets;
  std::vector<support::Bytes> frames;  // ready-made ones, instead of `packets`
  Alerts alerts;
  std::size_t next = 0;  // packet to be handed out

  [[nodiscard]] std::size_t size() const { return packets.size() + frames.size(); }
  [[nodiscard]] bool is_done() const { return next == size(); }
  [[nodiscard]] std::uint64_t bytes() const;
  // The frame of packet `i`, into `out`.
  void write(std::size_t i, const Noise& noise, support::Bytes& out) const;
};

// Plans a TCP connection as a tap sees it: sequence numbers, acknowledgements, windows.
class TcpPlan {
 public:
  TcpPlan(Conversation& conversation, Random& random, const Noise& noise);

  TcpPlan& handshake();
  // One message, cut into segments: text, and after it noise.
  TcpPlan& client(std::string_view text, std::size_t noise = 0) { return send(true, text, noise); }
  TcpPlan& server(std::string_view text, std::size_t noise = 0) { return send(false, text, noise); }
  // The same with an acknowledgement after two to five segments, as receivers of much
  // data do.
  TcpPlan& server_bulk(std::string_view text, std::size_t noise);
  TcpPlan& ack(bool from_client);
  // A bare acknowledgement of `bytes` more that are not in the trace.
  TcpPlan& ack_unseen(std::uint32_t bytes);
  TcpPlan& fin();

 private:
  struct Side {
    std::uint32_t next = 0;
    std::uint16_t ip_id = 0;
  };
  TcpPlan& send(bool from_client, std::string_view text, std::size_t noise, bool is_bulk = false);
  void add(bool from_client, unsigned flags, std::uint32_t text_at = 0, std::size_t text_size = 0,
           std::size_t noise_size = 0);

  Conversation& conversation_;
  Random& random_;
  const Noise& noise_;
  std::size_t room_;
  std::size_t segments_per_ack_;
  Side client_;
  Side server_;
};

// One UDP datagram: text, and after it noise.
void add_datagram(Conversation& conversation, Random& random, const Noise& noise, bool from_client,
                  std::string_view text, std::size_t noise_size);

}  // namespace imds::traces
