// The two formats of capture files, read from a stream by our own code: pcapng with interfaces of
// different kinds, and captures whose header gives too small a snap length, are what the usual
// library refuses or cuts. Private to the room. One thread each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cursor.h"
#include "base/time.h"
#include "capture_stream.h"
#include "port/capture.h"

namespace imds::port {

// A record that claims more is damaged; every tool that writes captures cuts packets here.
inline constexpr std::uint32_t kMaxRecordBytes = 262144;

// Numbers as the machine that wrote them stores them.
struct ByteOrder {
  bool big = false;
  [[nodiscard]] std::uint16_t u16(const std::uint8_t* p) const {
    const std::uint16_t value = load_be16(p);
    return big ? value : __builtin_bswap16(value);
  }
  [[nodiscard]] std::uint32_t u32(const std::uint8_t* p) const {
    const std::uint32_t value = load_be32(p);
    return big ? value : __builtin_bswap32(value);
  }
  [[nodiscard]] std::uint64_t u64(const std::uint8_t* p) const {
    const std::uint64_t value = load_be64(p);
    return big ? value : __builtin_bswap64(value);
  }
};

// How reading a record went.
struct FormatResult {
  enum class Kind : std::uint8_t { record, held_back, end, truncated, damaged };
  Kind kind = Kind::end;
  std::string why;  // with damaged

  static FormatResult damaged(std::string text) { return {Kind::damaged, std::move(text)}; }
  // What it means that a stream does not have all of a record, of which some is `begun`.
  static FormatResult short_read(const CaptureStream& stream, bool begun);
};

// Both formats fill `out` from the front with as many records as the stream holds, and say in
// `count` how many; they view into the stream's buffer. Only for the first one the stream is asked
// for more than it holds. With a count above 0 the result is a record's; what follows the last one
// is told by the next call.

// libpcap's format: micro- and nanoseconds, either byte order, and the longer record header of
// Kuznetzov's patched libpcap.
class PcapFormat {
 public:
  static constexpr std::size_t kHeaderSize = 24;
  // `magic` as the first four bytes say it in big endian. nullopt: not this format.
  [[nodiscard]] static std::optional<PcapFormat> from_magic(std::uint32_t magic);

  // All kHeaderSize bytes of the file header. False: `why` says why not.
  [[nodiscard]] bool read_header(const std::uint8_t* header, std::string& why);
  [[nodiscard]] FormatResult next(CaptureStream& stream, std::span<CaptureRecord> out,
                                  std::size_t& count) const;
  // A LINKTYPE_ number, without the flags that share its field.
  [[nodiscard]] std::uint32_t link_type() const { return link_type_; }

 private:
  ByteOrder order_;
  bool nanoseconds_ = false;
  bool long_records_ = false;
  bool lengths_may_be_swapped_ = false;
  std::uint32_t link_type_ = 0;
  std::uint16_t delivered_link_type_ = 0;
};

// draft-ietf-opsawg-pcapng: sections, interfaces, enhanced, simple and obsolete packet blocks; all
// other blocks are passed over.
class PcapngFormat {
 public:
  static constexpr std::uint32_t kMagic = 0x0a0d0d0a;

  // The first section. Anything but a record is an error.
  [[nodiscard]] FormatResult begin(CaptureStream& stream);
  [[nodiscard]] FormatResult next(CaptureStream& stream, std::span<CaptureRecord> out,
                                  std::size_t& count);

 private:
  struct Interface {
    std::uint16_t link_type = 0;               // as delivered
    std::uint32_t snap_length = 0;             // 0: none
    std::uint64_t units_per_second = 1000000;  // 0: cannot be told
    std::int64_t offset_seconds = 0;
  };
  // Of a packet block, whatever its kind.
  struct Packet {
    std::uint32_t interface = 0;
    std::uint32_t kept = 0;
    std::uint32_t original = 0;
    std::size_t at = 0;  // of its bytes in the block's body
    bool has_time = false;
    std::uint64_t ticks = 0;
  };

  [[nodiscard]] FormatResult next_packet(CaptureStream& stream, CaptureRecord& out);
  [[nodiscard]] FormatResult read_section(CaptureStream& stream);
  [[nodiscard]] FormatResult check_block(CaptureStream& stream, std::uint32_t total) const;
  [[nodiscard]] static FormatResult skip_block(CaptureStream& stream, std::uint32_t total,
                                               ByteOrder order);
  [[nodiscard]] FormatResult add_interface(ByteSpan body);
  void read_options(ByteSpan options, Interface& interface) const;
  [[nodiscard]] std::optional<Packet> parse_packet(std::uint32_t type, ByteSpan body) const;
  [[nodiscard]] FormatResult deliver(const Packet& packet, ByteSpan body, CaptureRecord& out);

  ByteOrder order_;
  std::vector<Interface> interfaces_;
  Timestamp latest_;  // for packets without a time of their own
};

}  // namespace imds::port
