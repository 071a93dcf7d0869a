// read-with-libpcap FILE: reads every packet of a capture with libpcap and does nothing with it:
// what any program that takes its packets from there pays before it begins. perf/read.sh compares
// `imds-inspector --read` with it. Prints packets and bytes; the exit code is 1 if the file cannot
// be read.
#include <cstdint>
#include <cstdio>

#include <pcap/pcap.h>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: read-with-libpcap FILE\n", stderr);
    return 2;
  }
  char error[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const capture = pcap_open_offline(argv[1], error);
  if (capture == nullptr) {
    std::fprintf(stderr, "read-with-libpcap: %s\n", error);
    return 1;
  }
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* packet = nullptr;
  int more = 0;
  while ((more = pcap_next_ex(capture, &header, &packet)) == 1) {
    ++packets;
    bytes += header->caplen;
  }
  if (more != PCAP_ERROR_BREAK) {
    std::fprintf(stderr, "read-with-libpcap: %s\n", pcap_geterr(capture));
  }
  pcap_close(capture);
  std::printf("%llu packets, %llu bytes\n", static_cast<unsigned long long>(packets),
              static_cast<unsigned long long>(bytes));
  return more == PCAP_ERROR_BREAK ? 0 : 1;
}
