// HTTP: the comparison every skipped segment gets, and what a request head costs step by step.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "http/body.h"
#include "http/head.h"
#include "http/head_end.h"
#include "http/ordinary_head.h"
#include "http/probe.h"
#include "http/sketch.h"
#include "http/target.h"

namespace imds::http {
namespace {

// 430 bytes, as a browser sends.
constexpr std::string_view kBrowser =
    "GET /assets/application-7f3c2a9d.js?v=20251008 HTTP/1.1\r\n"
    "Host: static.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: */*\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Referer: http://www.example.com/products/list?page=2\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Cache-Control: max-age=0\r\n"
    "\r\n";

constexpr std::string_view kDisguised =
    "/x/../%6c%61test;a=b//meta-data/./iam%2fsecurity-credentials/";

ByteSpan bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void per_item(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations());
}

void may_start_http_miss(benchmark::State& state) {
  std::vector<std::uint64_t> words(64, 0x0102030405060708u);
  for (auto _ : state) {
    for (const std::uint64_t& word : words) {
      benchmark::DoNotOptimize(may_start_http(word));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(words.size()));
}
BENCHMARK(may_start_http_miss);

void starts_like_request_yes(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(starts_like_request(bytes(kBrowser)));
  }
  per_item(state);
}
BENCHMARK(starts_like_request_yes);

void head_end(benchmark::State& state) {
  for (auto _ : state) {
    HeadEndFinder finder;
    benchmark::DoNotOptimize(finder.feed(bytes(kBrowser)));
  }
  per_item(state);
}
BENCHMARK(head_end);

void sketch(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(sketch_request(bytes(kBrowser)));
  }
  per_item(state);
}
BENCHMARK(sketch);

// All of the above and parsing, as nearly every head is read.
void ordinary(benchmark::State& state) {
  RequestHead head;
  for (auto _ : state) {
    benchmark::DoNotOptimize(read_ordinary_head(bytes(kBrowser), 65536, head));
    benchmark::ClobberMemory();
  }
  per_item(state);
}
BENCHMARK(ordinary);

void parse(benchmark::State& state) {
  RequestHead head;
  std::array<char, 4096> scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_request_head(bytes(kBrowser), scratch, head));
    benchmark::ClobberMemory();
  }
  per_item(state);
}
BENCHMARK(parse);

void header_text(benchmark::State& state) {
  RequestHead head;
  std::array<char, 4096> buffer;
  if (parse_request_head(bytes(kBrowser), buffer, head) != HeadStatus::ok) {
    state.SkipWithError("the sample does not parse");
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_header_text(head.fields, buffer));
  }
  per_item(state);
}
BENCHMARK(header_text);

void normalise(benchmark::State& state, std::string_view target) {
  std::array<char, 4096> buffer;
  for (auto _ : state) {
    const Target split = split_target("GET", target, "169.254.169.254");
    benchmark::DoNotOptimize(normalise_target(split, buffer));
  }
  per_item(state);
}
BENCHMARK_CAPTURE(normalise, plain, "/latest/meta-data/iam/security-credentials/");
BENCHMARK_CAPTURE(normalise, disguised, kDisguised);

void skip_chunked(benchmark::State& state) {
  std::string body;
  for (int i = 0; i < 100; ++i) {
    body += "400\r\n" + std::string(1024, 'x') + "\r\n";
  }
  body += "0\r\n\r\n";
  for (auto _ : state) {
    ChunkSkipper skipper;
    benchmark::DoNotOptimize(skipper.consume(bytes(body)));
  }
  state.SetItemsProcessed(state.iterations() * 100);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(skip_chunked);

}  // namespace
}  // namespace imds::http

BENCHMARK_MAIN();
