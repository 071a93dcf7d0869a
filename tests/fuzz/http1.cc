// Message heads and bodies of HTTP/1: bounds, and that cutting the stream changes nothing.
//
// Input: a byte that says how the rest is cut, then a stream.
#include <algorithm>
#include <memory>
#include <vector>

#include "fuzz.h"
#include "http/body.h"
#include "http/head.h"
#include "http/head_end.h"
#include "http/ordinary_head.h"
#include "http/probe.h"
#include "http/sketch.h"

namespace {

using namespace imds;
using fuzz::require;

http::HeadEndFinder::Found find_whole(ByteSpan stream) {
  http::HeadEndFinder finder;
  return finder.feed(stream);
}

// The same, `step` bytes at a time.
http::HeadEndFinder::Found find_cut(ByteSpan stream, std::size_t step) {
  http::HeadEndFinder finder;
  http::HeadEndFinder::Found all;
  for (ByteSpan rest = stream; !rest.empty();) {
    const ByteSpan piece = rest.first(std::min(step, rest.size()));
    const auto found = finder.feed(piece);
    all.status = found.status;
    all.consumed += found.consumed;
    if (found.status != http::HeadEndFinder::Status::need_more) {
      return all;
    }
    rest = rest.subspan(piece.size());
  }
  return all;
}

void check_fields(const http::HeaderBlock& fields, ByteSpan head,
                  const std::vector<char>& scratch) {
  const std::string_view text = fuzz::as_text(head);
  const std::string_view unfolded(scratch.data(), scratch.size());
  for (const http::Header& header : fields.headers()) {
    require(fuzz::is_within(header.name, text), "header names lie within the head");
    require(fuzz::is_within(header.value, text) || fuzz::is_within(header.value, unfolded),
            "header values lie within the head or the scratch");
  }
  std::vector<char> buffer(fields.bytes.size() + fields.count + 1);
  require(!http::write_header_text(fields, buffer).truncated, "the announced size suffices");
}

http::BodyPlan check_request(ByteSpan head) {
  static const auto parsed = std::make_unique<http::RequestHead>();
  std::vector<char> scratch(head.size());
  const bool ok = http::parse_request_head(head, scratch, *parsed) == http::HeadStatus::ok;
  const http::RequestSketch sketch = http::sketch_request(head);
  require(sketch.valid == ok, "sketch and parser agree on what a request is");
  if (!ok) {
    return {};
  }
  require(fuzz::is_within(parsed->target, fuzz::as_text(head)), "the target lies within the head");
  check_fields(parsed->fields, head, scratch);
  const http::BodyPlan plan = http::plan_request_body(*parsed);
  if (!parsed->fields.folded) {
    require(plan.kind == sketch.body.kind && plan.length == sketch.body.length,
            "sketch and parser agree on the body");
  }
  return plan;
}

bool same_headers(const http::HeaderBlock& a, const http::HeaderBlock& b) {
  const auto same = [](std::string_view x, std::string_view y) {
    return x.data() == y.data() && x.size() == y.size();
  };
  return a.count == b.count && a.kept_count == b.kept_count && a.bytes.data() == b.bytes.data() &&
         a.bytes.size() == b.bytes.size() && same(a.host, b.host) &&
         same(a.user_agent, b.user_agent) && same(a.server, b.server) &&
         same(a.upgrade, b.upgrade) && same(a.content_type, b.content_type) &&
         a.repeated_host == b.repeated_host && a.framing.keep_alive == b.framing.keep_alive &&
         a.framing.close == b.framing.close && a.framing.upgrade() == b.framing.upgrade() &&
         std::equal(a.headers().begin(), a.headers().end(), b.headers().begin(),
                    [&](const http::Header& x, const http::Header& y) {
                      return same(x.name, y.name) && same(x.value, y.value);
                    });
}

// What the quick pass reads must be what the three slow ones read.
void check_ordinary(ByteSpan stream, const http::HeadEndFinder::Found& found) {
  static const auto quick = std::make_unique<http::RequestHead>();
  static const auto parsed = std::make_unique<http::RequestHead>();
  const http::OrdinaryHead ordinary = http::read_ordinary_head(stream, 65536, *quick);
  if (ordinary.size == 0) {
    return;
  }
  require(found.status == http::HeadEndFinder::Status::complete && found.consumed == ordinary.size,
          "an ordinary head ends where any head ends");
  const ByteSpan head = stream.first(ordinary.size);
  const http::RequestSketch sketch = http::sketch_request(head);
  require(sketch.valid && sketch.disguise == ordinary.disguise,
          "an ordinary head's disguise is as the sketch has it");
  require(sketch.body.kind == ordinary.body.kind && sketch.body.length == ordinary.body.length &&
              sketch.body.conflicting == ordinary.body.conflicting,
          "an ordinary head's body is as the sketch has it");
  std::vector<char> scratch(head.size());
  require(http::parse_request_head(head, scratch, *parsed) == http::HeadStatus::ok,
          "an ordinary head can be parsed");
  require(parsed->method.data() == quick->method.data() && parsed->method == quick->method &&
              parsed->target.data() == quick->target.data() && parsed->target == quick->target &&
              parsed->version_text == quick->version_text && parsed->version == quick->version &&
              same_headers(parsed->fields, quick->fields),
          "an ordinary head is parsed as any head");
  require(!parsed->fields.folded && !parsed->fields.bare_cr && !parsed->fields.bare_lf &&
              !parsed->fields.blank_before_colon && parsed->fields.malformed == 0,
          "nothing is odd about an ordinary head");
}

// How much of `bytes` is body, cut into pieces of `step`.
http::Skipped skip(const http::BodyPlan& plan, ByteSpan bytes, std::size_t step) {
  http::BodySkipper skipper(plan);
  http::Skipped all;
  for (ByteSpan rest = bytes; !rest.empty();) {
    const ByteSpan piece = rest.first(std::min(step, rest.size()));
    const http::Skipped skipped = skipper.consume(piece);
    require(skipped.consumed <= piece.size(), "no more is skipped than is there");
    all.consumed += skipped.consumed;
    all.status = skipped.status;
    if (skipped.status != http::SkipStatus::more) {
      return all;
    }
    rest = rest.subspan(piece.size());
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t step = input.byte() % 64 + 1u;
  const ByteSpan stream = input.rest();
  (void)http::starts_like_request(stream);
  (void)http::starts_like_response(stream);
  (void)http::simple_request_size(stream);

  const auto whole = find_whole(stream);
  const auto cut = find_cut(stream, step);
  require(whole.status == cut.status && whole.consumed == cut.consumed,
          "a head ends where it ends, however it is cut");
  const ByteSpan head = stream.first(whole.consumed);
  const http::BodyPlan plan = check_request(head);
  check_ordinary(stream, whole);

  static const auto response = std::make_unique<http::ResponseHead>();
  std::vector<char> scratch(head.size());
  if (http::parse_response_head(head, scratch, *response) == http::HeadStatus::ok) {
    check_fields(response->fields, head, scratch);
    (void)http::plan_response_body(*response, "GET");
  }

  const ByteSpan body = stream.subspan(head.size());
  for (const http::BodyKind kind : {plan.kind, http::BodyKind::chunked}) {
    http::BodyPlan reading = plan;
    reading.kind = kind;
    const http::Skipped at_once = skip(reading, body, body.size());
    const http::Skipped in_pieces = skip(reading, body, step);
    require(at_once.status == in_pieces.status && at_once.consumed == in_pieces.consumed,
            "a body ends where it ends, however it is cut");
  }
  return 0;
}
