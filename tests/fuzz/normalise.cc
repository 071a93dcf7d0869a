// Normalisation of targets and hosts: the buffer of the announced size suffices, nothing is left
// that should have been resolved, and an undisguised target means itself.
//
// Input: method, target and Host header on a line each.
#include <string>
#include <vector>

#include "fuzz.h"
#include "http/sketch.h"
#include "http/target.h"

namespace {

using namespace imds;
using fuzz::require;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// A rule string in the normal form that does not stand in the raw head would be missed by the
// prefilter, unless the sketch calls the head disguised.
void check_superset(std::string_view method, std::string_view target, std::string_view host,
                    const http::NormalisedTarget& normal) {
  std::string head(method);
  head.append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n\r\n");
  const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(head.data()), head.size());
  const http::RequestSketch sketch = http::sketch_request(bytes);
  if (!sketch.valid || sketch.disguise != 0) {
    return;
  }
  const auto lowered = [](std::string_view text) {
    std::string out(text);
    for (char& c : out) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
  };
  const std::string plain = lowered(head);
  require(plain.find(lowered(normal.path)) != std::string::npos, "an undisguised path is there");
  require(plain.find(lowered(normal.query)) != std::string::npos, "an undisguised query is there");
  require(plain.find(lowered(normal.domain)) != std::string::npos, "an undisguised host is there");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view method = take_line(text);
  const std::string_view target = take_line(text);
  const std::string_view host = take_line(text);

  const http::Target split = http::split_target(method, target, host);
  std::vector<char> buffer(split.text.size() + split.host.size() + http::kNormaliseSlack);
  const http::NormalisedTarget normal = http::normalise_target(split, buffer);
  require(!normal.truncated, "the announced size suffices");
  if (normal.changed) {
    require(normal.path.find("//") == std::string_view::npos, "slashes are collapsed");
    require(normal.path.find("/./") == std::string_view::npos, "dot segments are resolved");
    require(normal.path.find("/../") == std::string_view::npos, "dot segments are resolved");
  } else {
    require(normal.path == split.path && normal.domain == split.host, "unchanged means the same");
  }
  // The head can only carry what a request line and a header line can.
  const std::string_view breaking("\r\n\0", 3);
  if (target.find_first_of(breaking) == std::string_view::npos &&
      host.find_first_of(breaking) == std::string_view::npos && host.size() < 4096) {
    const std::size_t first = host.find_first_not_of(" \t");
    const std::size_t last = host.find_last_not_of(" \t");
    const auto is_one_word = [](std::string_view word) {
      return word.find_first_of(" \t\r") == std::string_view::npos;
    };
    if (first == 0 && last + 1 == host.size() && is_one_word(method) && is_one_word(target)) {
      check_superset(method, target, host, normal);
    }
  }
  (void)http::host_address(host);
  return 0;
}
