// Differential: requests whose packets are cut, shuffled, repeated and fragmented on the way must
// give exactly the events of the same requests delivered whole, with the fast lane and without.
//
// Input: choices (address family, sequence number, how many requests and of what kind), then for
// each packet how it is treated. See Script.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuzz.h"
#include "stream_rig.h"

namespace {

using namespace imds;

// Requests in one connection; their bodies never look like another request, so that there is one
// reading only.
std::string make_stream(fuzz::Input& input) {
  constexpr std::array<std::string_view, 6> kTargets = {
      "/latest/meta-data/iam/info", "/latest/api/token", "/%6catest/%6deta-data/",
      "/a/../latest//meta-data/x",  "/index.html",       "http://0xa9fea9fe/latest/meta-data"};
  constexpr std::array<std::string_view, 4> kHeaders = {
      "", "X-aws-ec2-metadata-token: fake\r\n", "X-Folded: a\r\n b\r\n", "User-Agent: fuzz\r\n"};
  std::string stream;
  for (std::size_t n = input.between(1, 4); n > 0; --n) {
    const bool is_first = stream.empty();  // it is always one that must be found
    const std::size_t body = input.byte() % 2 == 0 ? 0 : input.between(1, 3000);
    stream += body > 0 ? "POST " : "GET ";
    stream += is_first ? kTargets[0] : kTargets[input.byte() % kTargets.size()];
    stream += " HTTP/1.1\r\nHost: example.com\r\n";
    stream += kHeaders[input.byte() % kHeaders.size()];
    if (body > 0) {
      stream += "Content-Length: " + std::to_string(body) + "\r\n";
    }
    stream += "\r\n" + std::string(body, 'x');
  }
  return stream;
}

struct Segment {
  std::size_t offset;
  std::size_t size;
};

// The stream in segments of chosen sizes; some are sent again, with other borders; some trade
// places with one of the next few.
std::vector<Segment> cut(fuzz::Input& input, std::size_t size) {
  std::vector<Segment> segments;
  for (std::size_t at = 0; at < size;) {
    const std::size_t wanted = input.empty()           ? 1400
                               : input.byte() % 3 == 0 ? input.between(1, 8)
                                                       : input.between(1, 1400);
    const std::size_t length = std::min(wanted, size - at);
    segments.push_back({at, length});
    if (input.byte() % 8 == 1) {
      const std::size_t back = std::min<std::size_t>(at, input.byte());
      segments.push_back({at - back, std::min(length + back, std::size_t{1400})});
    }
    at += length;
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::size_t other = i + input.byte() % 4;
    if (other < segments.size()) {
      std::swap(segments[i], segments[other]);
    }
  }
  return segments;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::StreamRig rig;
  static fuzz::StreamRig reference(false);
  fuzz::Input input(data, size);
  fuzz::Endpoints ends;
  ends.v6 = input.byte() % 2 == 1;
  ends.isn = input.word();
  const std::string stream = make_stream(input);

  rig.begin(ends);
  for (std::size_t at = 0; at < stream.size(); at += 1400) {
    rig.send(std::string_view(stream).substr(at, 1400), at);
  }
  const std::vector<std::string> whole = rig.end();
  fuzz::require(!whole.empty(), "the first request is found");

  rig.begin(ends);
  reference.begin(ends);
  for (const Segment& segment : cut(input, stream.size())) {
    const std::string_view bytes = std::string_view(stream).substr(segment.offset, segment.size);
    const unsigned fragment_bytes = input.byte() % 4 == 1 ? input.byte() % 20 * 8u + 8u : 0;
    const std::uint8_t turn = input.byte();
    rig.send(bytes, segment.offset, fragment_bytes, turn);
    reference.send(bytes, segment.offset, fragment_bytes, turn);
  }
  const std::vector<std::string> in_pieces = rig.end();
  fuzz::require(in_pieces == reference.end(), "the fast lane changes no event");

  if (whole != in_pieces) {
    for (const std::string& event : whole) {
      std::fprintf(stderr, "whole:  %s\n", event.c_str());
    }
    for (const std::string& event : in_pieces) {
      std::fprintf(stderr, "pieces: %s\n", event.c_str());
    }
  }
  fuzz::require(whole == in_pieces, "cutting, shuffling and fragmenting change no event");
  fuzz::require(rig.books_balance(), "every packet has one disposition");
  return 0;
}
