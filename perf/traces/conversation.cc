#include "conversation.h"

#include <algorithm>

#include "support/packet_builder.h"

namespace imds::traces {

using support::kAck;
using support::kFin;
using support::kPsh;
using support::kSyn;

std::uint64_t Conversation::bytes() const {
  std::uint64_t sum = 0;
  for (const Packet& packet : packets) {
    sum += frame_size(ends, packet);
  }
  for (const support::Bytes& frame : frames) {
    sum += frame.size();
  }
  return sum;
}

void Conversation::write(std::size_t i, const Noise& noise, support::Bytes& out) const {
  if (i < frames.size()) {
    out = frames[i];
    return;
  }
  write_frame(ends, packets[i], text, noise, out);
}

TcpPlan::TcpPlan(Conversation& conversation, Random& random, const Noise& noise)
    : conversation_(conversation),
      random_(random),
      noise_(noise),
      room_(segment_room(conversation.ends)),
      segments_per_ack_(random.between(2, 5)) {
  for (Side* side : {&client_, &server_}) {
    side->next = static_cast<std::uint32_t>(random.bits());
    side->ip_id = static_cast<std::uint16_t>(random.bits());
  }
}

void TcpPlan::add(bool from_client, unsigned flags, std::uint32_t text_at, std::size_t text_size,
                  std::size_t noise_size) {
  constexpr std::uint16_t kFirstWindow = 64240;
  constexpr std::uint16_t kWindow = 501;  // scaled
  Side& from = from_client ? client_ : server_;
  const Side& to = from_client ? server_ : client_;
  Packet packet;
  packet.from_client = from_client;
  packet.flags = static_cast<std::uint8_t>(flags);
  packet.sequence = from.next;
  packet.acknowledgment = (flags & kAck) != 0 ? to.next : 0;
  packet.window = (flags & kSyn) != 0 ? kFirstWindow : kWindow;
  packet.ip_id = from.ip_id++;
  packet.text_at = text_at;
  packet.text_size = static_cast<std::uint16_t>(text_size);
  packet.noise_size = static_cast<std::uint16_t>(noise_size);
  packet.noise_at = noise_size == 0 ? 0 : noise_.place(random_);
  conversation_.packets.push_back(packet);
  from.next += static_cast<std::uint32_t>(text_size + noise_size);
}

TcpPlan& TcpPlan::handshake() {
  add(true, kSyn);
  ++client_.next;
  add(false, kSyn | kAck);
  ++server_.next;
  return ack(true);
}

TcpPlan& TcpPlan::send(bool from_client, std::string_view text, std::size_t noise, bool is_bulk) {
  auto text_at = static_cast<std::uint32_t>(conversation_.text.size());
  conversation_.text += text;
  std::size_t text_left = text.size();
  for (std::size_t segment = 0; text_left + noise > 0; ++segment) {
    const std::size_t of_text = std::min(text_left, room_);
    const std::size_t of_noise = std::min(noise, room_ - of_text);
    text_left -= of_text;
    noise -= of_noise;
    const bool is_last = text_left + noise == 0;
    add(from_client, is_last ? kAck | kPsh : kAck, text_at, of_text, of_noise);
    text_at += static_cast<std::uint32_t>(of_text);
    if (is_bulk && (is_last || (segment + 1) % segments_per_ack_ == 0)) {
      ack(!from_client);
    }
  }
  return *this;
}

TcpPlan& TcpPlan::server_bulk(std::string_view text, std::size_t noise) {
  return send(false, text, noise, true);
}

TcpPlan& TcpPlan::ack(bool from_client) {
  add(from_client, kAck);
  return *this;
}

TcpPlan& TcpPlan::ack_unseen(std::uint32_t bytes) {
  server_.next += bytes;
  return ack(true);
}

TcpPlan& TcpPlan::fin() {
  add(true, kFin | kAck);
  ++client_.next;
  add(false, kFin | kAck);
  ++server_.next;
  return ack(true);
}

void add_datagram(Conversation& conversation, Random& random, const Noise& noise, bool from_client,
                  std::string_view text, std::size_t noise_size) {
  Packet packet;
  packet.from_client = from_client;
  packet.ip_id = static_cast<std::uint16_t>(random.bits());
  packet.text_at = static_cast<std::uint32_t>(conversation.text.size());
  packet.text_size = static_cast<std::uint16_t>(text.size());
  packet.noise_size = static_cast<std::uint16_t>(noise_size);
  packet.noise_at = noise_size == 0 ? 0 : noise.place(random);
  conversation.text += text;
  conversation.packets.push_back(packet);
}

}  // namespace imds::traces
