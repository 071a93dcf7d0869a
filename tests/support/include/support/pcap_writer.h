// Writes capture files byte by byte, so that tests also get the ones no library would write:
// classic pcap (micro- or nanoseconds, either byte order) and pcapng. Throws std::runtime_error
// when the file cannot be written.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/time.h"
#include "support/packet_builder.h"
#include "support/tcp_session.h"

namespace imds::support {

enum class CaptureFormat { pcap, pcap_nanoseconds, pcapng };

struct PcapOptions {
  CaptureFormat format = CaptureFormat::pcap;
  std::uint32_t link_type = 1;  // LINKTYPE_ number; 1 is Ethernet
  std::uint32_t snap_length = 262144;
  bool big_endian = false;
};

class PcapWriter {
 public:
  explicit PcapWriter(const std::filesystem::path& path, PcapOptions options = {})
      : options_(options), file_(path, std::ios::binary | std::ios::trunc) {
    if (!file_) {
      throw std::runtime_error("cannot write " + path.string());
    }
    options_.format == CaptureFormat::pcapng ? write_section() : write_file_header();
  }

  // `original_length` 0: the packet's own. Bytes beyond the snap length are cut, as on capture.
  void write(Timestamp time, const Bytes& packet, std::uint32_t original_length = 0) {
    const auto kept =
        static_cast<std::uint32_t>(std::min<std::size_t>(packet.size(), options_.snap_length));
    const std::uint32_t original =
        original_length != 0 ? original_length : static_cast<std::uint32_t>(packet.size());
    Bytes out;
    if (options_.format == CaptureFormat::pcapng) {
      const auto ns = static_cast<std::uint64_t>(time.ns);
      Bytes body;
      put32(body, 0);  // interface
      put32(body, static_cast<std::uint32_t>(ns >> 32));
      put32(body, static_cast<std::uint32_t>(ns));
      put32(body, kept);
      put32(body, original);
      body.insert(body.end(), packet.begin(), packet.begin() + static_cast<long>(kept));
      out = block(6, std::move(body));
    } else {
      const bool nanos = options_.format == CaptureFormat::pcap_nanoseconds;
      put32(out, static_cast<std::uint32_t>(time.ns / kNanosPerSecond));
      put32(out, static_cast<std::uint32_t>(time.ns % kNanosPerSecond / (nanos ? 1 : 1000)));
      put32(out, kept);
      put32(out, original);
      out.insert(out.end(), packet.begin(), packet.begin() + static_cast<long>(kept));
    }
    write_raw(out);
  }
  void write(const TimedPacket& packet) { write(packet.time, packet.bytes); }
  void write(const std::vector<TimedPacket>& packets) {
    for (const TimedPacket& p : packets) {
      write(p);
    }
  }
  // Bytes as they are, for damaged files.
  void write_raw(const Bytes& raw) {
    file_.write(reinterpret_cast<const char*>(raw.data()), static_cast<long>(raw.size()));
    if (!file_) {
      throw std::runtime_error("capture file: write failed");
    }
  }
  void flush() { file_.flush(); }

 private:
  void put16(Bytes& out, unsigned v) const {
    const auto low = static_cast<std::uint8_t>(v);
    const auto high = static_cast<std::uint8_t>(v >> 8);
    out.push_back(options_.big_endian ? high : low);
    out.push_back(options_.big_endian ? low : high);
  }
  void put32(Bytes& out, std::uint32_t v) const {
    put16(out, options_.big_endian ? v >> 16 : v & 0xffff);
    put16(out, options_.big_endian ? v & 0xffff : v >> 16);
  }
  void write_file_header() {
    Bytes h;
    put32(h, options_.format == CaptureFormat::pcap ? 0xa1b2c3d4u : 0xa1b23c4du);
    put16(h, 2);
    put16(h, 4);
    put32(h, 0);
    put32(h, 0);
    put32(h, options_.snap_length);
    put32(h, options_.link_type);
    write_raw(h);
  }
  void write_section() {
    Bytes section;
    put32(section, 0x1a2b3c4du);
    put16(section, 1);
    put16(section, 0);
    put32(section, 0xffffffffu);  // section length unknown
    put32(section, 0xffffffffu);
    write_raw(block(0x0a0d0d0au, std::move(section)));

    Bytes interface;
    put16(interface, options_.link_type);
    put16(interface, 0);
    put32(interface, options_.snap_length);
    put16(interface, 9);  // if_tsresol
    put16(interface, 1);
    interface.insert(interface.end(), {9, 0, 0, 0});  // 10^-9 s
    put32(interface, 0);                              // end of options
    write_raw(block(1, std::move(interface)));
  }
  [[nodiscard]] Bytes block(std::uint32_t type, Bytes body) const {
    body.resize((body.size() + 3) / 4 * 4);
    const auto total = static_cast<std::uint32_t>(body.size() + 12);
    Bytes out;
    put32(out, type);
    put32(out, total);
    out.insert(out.end(), body.begin(), body.end());
    put32(out, total);
    return out;
  }

  PcapOptions options_;
  std::ofstream file_;
};

}  // namespace imds::support
