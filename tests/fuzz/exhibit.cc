// Evidence: a secret planted in a packet never shows in what is kept of it, whatever stands around
// it; frames keep their length or are cut; right checksums stay right.
//
// Input: a byte (form, wrapping, flags), a byte (flags of an arbitrary frame), then bytes: what
// stands before the secret, and behind a NUL after it; and again, all of them, as a frame.
#include <algorithm>
#include <string>

#include "exhibit/lane.h"
#include "exhibit/redaction.h"
#include "fuzz.h"
#include "packet/checksum.h"
#include "support/packet_builder.h"

namespace {

using namespace imds;

constexpr std::string_view kSecret = "Zx9SecretZx9";
constexpr std::size_t kMostAround = 1200;

support::Bytes frame_of(std::uint8_t choice, const std::string& payload) {
  support::PacketBuilder builder;
  builder.ethernet();
  if ((choice & 0x10) != 0) {
    builder.vlan(100);
  }
  if ((choice & 0x20) != 0) {
    builder.ipv4("192.0.2.1", "192.0.2.2").udp(50000, 4789).tunnel(support::vxlan(42)).ethernet();
  }
  if ((choice & 0x40) != 0) {
    builder.ipv6("fd00::1", "fd00:ec2::254");
  } else {
    builder.ipv4("10.0.0.1", "169.254.169.254");
  }
  if ((choice & 0x80) != 0) {
    builder.udp(40000, 80);
  } else {
    builder.tcp(40000, 80).seq(1);
  }
  return builder.payload(payload).build();
}

// Around a secret that every receiver would take for one. Empty: nothing can be said.
std::string payload_of(unsigned form, std::string before, const std::string& after,
                       std::uint8_t& flags) {
  flags = exhibit::kMayBeginMessage;
  const std::string secret(kSecret);
  switch (form) {
    case 0:
      return before + "\r\nX-aws-ec2-metadata-token: " + secret + "\r\n" + after;
    case 1:
      return before + "\r\n\r\n" + secret + after;
    case 2:
      std::replace(before.begin(), before.end(), '\n', '_');
      return "GET /" + before + "?token=" + secret + " HTTP/1.1\r\n" + after;
    default:
      flags = 0;
      return before + secret + after;
  }
}

void planted(std::uint8_t choice, std::string_view around) {
  const std::size_t middle = std::min(around.find('\0'), around.size());
  const std::string before(around.substr(0, std::min(middle, kMostAround)));
  const std::string after(
      around.substr(std::min(middle + 1, around.size())).substr(0, kMostAround));
  std::uint8_t flags = 0;
  const std::string payload = payload_of(choice & 3, before, after, flags);
  if ((choice & 0x80) != 0 && (choice & 3) == 3) {
    return;  // a datagram is always a message of its own
  }
  support::Bytes frame = frame_of(choice, payload);
  const std::size_t size = frame.size();
  const exhibit::Redacted redacted =
      exhibit::redact(frame, 1, static_cast<std::uint32_t>(size), flags, {});
  fuzz::require(frame.size() == size && redacted.size <= size, "frames never grow");
  fuzz::require(
      std::search(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(redacted.size),
                  kSecret.begin(),
                  kSecret.end()) == frame.begin() + static_cast<std::ptrdiff_t>(redacted.size),
      "the secret does not show");
  packet::PacketView view;
  packet::decode(frame, {}, view);
  fuzz::require(redacted.is_cut || packet::wrong_checksum(view) == DecodeReason::none,
                "right checksums stay right");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.byte();
  const std::uint8_t flags = input.byte();
  const ByteSpan rest = input.rest();
  const std::string_view around = fuzz::as_text(rest);
  if (around.find(kSecret) != std::string_view::npos) {
    return -1;
  }
  planted(choice, around);
  support::Bytes frame(rest.begin(), rest.end());
  const auto link = static_cast<std::uint16_t>((choice & 1) != 0 ? 101 : 1);
  const exhibit::Redacted redacted = exhibit::redact(
      frame, link, static_cast<std::uint32_t>(frame.size() + (choice & 0x0e)), flags & 3, {});
  fuzz::require(redacted.size <= frame.size(), "an arbitrary frame never grows");
  fuzz::require(redacted.is_cut == (redacted.size < frame.size()), "a cut is told");
  return 0;
}
