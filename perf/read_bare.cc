// read-bare FILE: takes every packet of a capture from port::CaptureSource and gives it back, as a
// worker would that inspects nothing. perf/read.sh tells with it which part of `--read` is reading.
// Prints packets, and processor nanoseconds per packet without the start of the program. The exit
// code is 1 if the file cannot be read.
#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <rte_mbuf.h>

#include "port/capture.h"
#include "port/packet_meta.h"
#include "support/eal.h"

namespace {

using namespace imds;

double processor_ns() {
  timespec used = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
}

int report(const Error& error) {
  std::fprintf(stderr, "read-bare: %s\n", error.to_string().c_str());
  return 1;
}

int read_all(const std::string& path) {
  auto reader = port::CaptureReader::open({path});
  if (!reader) {
    return report(reader.error());
  }
  support::start_eal(64);
  if (const Status registered = port::register_packet_meta(); !registered) {
    return report(registered.error());
  }
  auto source = port::CaptureSource::create(std::move(*reader));
  if (!source) {
    return report(source.error());
  }
  const double begin = processor_ns();
  std::array<rte_mbuf*, 64> burst = {};
  while (!(*source)->exhausted()) {
    const std::uint16_t count = (*source)->receive(burst);
    (*source)->release(std::span(burst).first(count));
  }
  const double took = processor_ns() - begin;
  const auto packets = (*source)->stats().received_packets.get();
  std::printf("%llu packets, %.1f ns each\n", static_cast<unsigned long long>(packets),
              packets == 0 ? 0.0 : took / static_cast<double>(packets));
  return (*source)->errors().empty() ? 0 : report((*source)->errors().front());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: read-bare FILE\n", stderr);
    return 2;
  }
  return read_all(argv[1]);
}
