#include "capture_format.h"

#include <algorithm>

#include "base/link_type.h"

namespace imds::port {
namespace {

using Kind = FormatResult::Kind;

// A file may claim any time. Kept between 1970 and 2116, so that differences never overflow.
Timestamp clamp_time(std::int64_t seconds, std::int64_t nanoseconds) {
  constexpr std::int64_t kLastSecond = INT64_MAX / 2 / kNanosPerSecond - 1;
  return {std::clamp<std::int64_t>(seconds, 0, kLastSecond) * kNanosPerSecond +
          std::clamp<std::int64_t>(nanoseconds, 0, kNanosPerSecond - 1)};
}

std::uint16_t delivered_link_type(std::uint32_t number) {
  const auto known = find_link_type(number);
  return known ? static_cast<std::uint16_t>(*known)
               : static_cast<std::uint16_t>(std::min(number, 0xffffu));
}

enum BlockType : std::uint32_t {
  kInterfaceBlock = 1,
  kObsoletePacketBlock = 2,
  kSimplePacketBlock = 3,
  kEnhancedPacketBlock = 6,
};
constexpr std::uint32_t kBlockOverhead = 12;  // type and, in front and at the end, length

constexpr std::size_t kTrailer = 4;

FormatResult check_trailer(const std::uint8_t* trailer, std::uint32_t total, ByteOrder order) {
  return order.u32(trailer) == total ? FormatResult{Kind::record, {}}
                                     : FormatResult::damaged("the two lengths of a block differ");
}

bool is_packet_block(std::uint32_t type) {
  return type == kObsoletePacketBlock || type == kSimplePacketBlock || type == kEnhancedPacketBlock;
}

// if_tsresol: a negative power of 10, or of 2 with the top bit. 0 where 64 bits cannot hold it.
std::uint64_t units_per_second(std::uint8_t resolution) {
  constexpr std::uint8_t kPowerOfTwo = 0x80;
  constexpr unsigned kMostTens = 19;
  const unsigned exponent = resolution & 0x7f;
  if ((resolution & kPowerOfTwo) != 0) {
    return exponent < 64 ? std::uint64_t{1} << exponent : 0;
  }
  std::uint64_t units = exponent <= kMostTens ? 1 : 0;
  for (unsigned i = 0; i < exponent && units != 0; ++i) {
    units *= 10;
  }
  return units;
}

Timestamp time_of(std::uint64_t ticks, std::uint64_t units, std::int64_t offset_seconds) {
  __extension__ using Wide = unsigned __int128;
  const std::uint64_t seconds = std::min<std::uint64_t>(ticks / units, INT64_MAX / 4);
  const auto nanoseconds = static_cast<std::int64_t>(
      Wide{ticks % units} * static_cast<std::uint64_t>(kNanosPerSecond) / units);
  const std::int64_t offset =
      std::clamp<std::int64_t>(offset_seconds, INT64_MIN / 4, INT64_MAX / 4);
  return clamp_time(static_cast<std::int64_t>(seconds) + offset, nanoseconds);
}

}  // namespace

FormatResult FormatResult::short_read(const CaptureStream& stream, bool begun) {
  if (stream.held()) {
    return {Kind::held_back, {}};
  }
  if (!stream.error().empty()) {
    return damaged(stream.error());
  }
  return {begun && !stream.interrupted() ? Kind::truncated : Kind::end, {}};
}

std::optional<PcapFormat> PcapFormat::from_magic(std::uint32_t magic) {
  PcapFormat format;
  switch (magic) {
    case 0xa1b2c3d4:
    case 0xa1b23c4d:
    case 0xa1b2cd34:
      format.order_.big = true;
      break;
    case 0xd4c3b2a1:
    case 0x4d3cb2a1:
    case 0x34cdb2a1:
      break;
    default:
      return std::nullopt;
  }
  format.nanoseconds_ = magic == 0xa1b23c4d || magic == 0x4d3cb2a1;
  format.long_records_ = magic == 0xa1b2cd34 || magic == 0x34cdb2a1;
  return format;
}

bool PcapFormat::read_header(const std::uint8_t* header, std::string& why) {
  constexpr std::uint32_t kLinkTypeBits = 0x03ffffff;  // above: length of the FCS
  const unsigned major = order_.u16(header + 4);
  const unsigned minor = order_.u16(header + 6);
  if (major != 2) {
    why = "is of pcap version " + std::to_string(major) + "." + std::to_string(minor) +
          "; expected 2";
    return false;
  }
  // Up to 2.3 some wrote the packet's length before the length kept.
  lengths_may_be_swapped_ = minor <= 3;
  link_type_ = order_.u32(header + 20) & kLinkTypeBits;
  delivered_link_type_ = delivered_link_type(link_type_);
  return true;
}

FormatResult PcapFormat::next(CaptureStream& stream, std::span<CaptureRecord> out,
                              std::size_t& count) const {
  constexpr std::size_t kRecordHeader = 16;
  constexpr std::size_t kLongRecordHeader = 24;  // and interface, protocol, packet type
  const std::size_t header = long_records_ ? kLongRecordHeader : kRecordHeader;
  const std::uint32_t scale = nanoseconds_ ? 1 : 1000;
  count = 0;
  while (count < out.size()) {
    const ByteSpan bytes = stream.buffered();
    if (bytes.size() < header) {
      if (count > 0) {
        break;
      }
      if (!stream.have(header)) {
        return FormatResult::short_read(stream, !stream.buffered().empty());
      }
      continue;
    }
    std::uint32_t kept = order_.u32(&bytes[8]);
    std::uint32_t original = order_.u32(&bytes[12]);
    if (lengths_may_be_swapped_ && kept > original) {
      std::swap(kept, original);
    }
    if (bytes.size() < header + kept || kept > kMaxRecordBytes) {
      if (count > 0) {
        break;
      }
      if (kept > kMaxRecordBytes) {
        return FormatResult::damaged("a record claims " + std::to_string(kept) + " bytes");
      }
      if (!stream.have(header + kept)) {
        return FormatResult::short_read(stream, true);
      }
      continue;
    }
    CaptureRecord& record = out[count++];
    record.bytes = bytes.subspan(header, kept);
    record.time = clamp_time(order_.u32(&bytes[0]), std::int64_t{order_.u32(&bytes[4])} * scale);
    record.original_length = std::max(original, kept);
    record.link_type = delivered_link_type_;
    stream.consume(header + kept);
  }
  return {Kind::record, {}};
}

FormatResult PcapngFormat::begin(CaptureStream& stream) {
  return read_section(stream);
}

FormatResult PcapngFormat::next(CaptureStream& stream, std::span<CaptureRecord> out,
                                std::size_t& count) {
  FormatResult result = next_packet(stream, out[0]);
  count = result.kind == Kind::record ? 1 : 0;
  if (count == 0) {
    return result;
  }
  stream.hold(true);
  while (count < out.size() && next_packet(stream, out[count]).kind == Kind::record) {
    ++count;
  }
  return result;
}

FormatResult PcapngFormat::next_packet(CaptureStream& stream, CaptureRecord& out) {
  for (;;) {
    constexpr std::size_t kHeader = 8;  // type and length
    if (!stream.have(kHeader)) {
      return FormatResult::short_read(stream, !stream.buffered().empty());
    }
    const std::uint8_t* const header = stream.buffered().data();
    if (load_be32(header) == kMagic) {
      if (FormatResult section = read_section(stream); section.kind != Kind::record) {
        return section;
      }
      continue;
    }
    const std::uint32_t type = order_.u32(header);
    const std::uint32_t total = order_.u32(header + 4);
    if (total < kBlockOverhead || total % 4 != 0) {
      return FormatResult::damaged("a block claims " + std::to_string(total) + " bytes");
    }
    if (type != kInterfaceBlock && !is_packet_block(type)) {
      if (FormatResult skipped = skip_block(stream, total, order_); skipped.kind != Kind::record) {
        return skipped;
      }
      continue;
    }
    if (FormatResult block = check_block(stream, total); block.kind != Kind::record) {
      return block;
    }
    const ByteSpan body = stream.buffered().subspan(kHeader, total - kBlockOverhead);
    if (type == kInterfaceBlock) {
      if (FormatResult added = add_interface(body); added.kind != Kind::record) {
        return added;
      }
      stream.consume(total);
      continue;
    }
    const std::optional<Packet> packet = parse_packet(type, body);
    if (!packet) {
      return FormatResult::damaged("a packet block is too short");
    }
    FormatResult delivered = deliver(*packet, body, out);
    if (delivered.kind == Kind::record) {
      stream.consume(total);
    }
    return delivered;
  }
}

// The block that begins the stream.
FormatResult PcapngFormat::read_section(CaptureStream& stream) {
  constexpr std::uint32_t kOrderBig = 0x1a2b3c4d;
  constexpr std::uint32_t kOrderLittle = 0x4d3c2b1a;
  constexpr std::uint32_t kLeast = 28;  // and options
  constexpr std::size_t kFixed = 24;    // type, length, byte order, version, length of the section
  if (!stream.have(kFixed)) {
    return FormatResult::short_read(stream, true);
  }
  const std::uint8_t* const fixed = stream.buffered().data();
  const std::uint32_t mark = load_be32(fixed + 8);
  if (mark != kOrderBig && mark != kOrderLittle) {
    return FormatResult::damaged("a section does not tell its byte order");
  }
  const ByteOrder order{.big = mark == kOrderBig};
  const std::uint32_t total = order.u32(fixed + 4);
  if (total < kLeast || total % 4 != 0) {
    return FormatResult::damaged("a section header claims " + std::to_string(total) + " bytes");
  }
  if (const unsigned major = order.u16(fixed + 12); major != 1) {
    return FormatResult::damaged("it is of pcapng version " + std::to_string(major) +
                                 "; expected 1");
  }
  FormatResult skipped = skip_block(stream, total, order);
  if (skipped.kind == Kind::record) {
    order_ = order;
    interfaces_.clear();
  }
  return skipped;
}

// That all of a block is there and ends with its length again.
FormatResult PcapngFormat::check_block(CaptureStream& stream, std::uint32_t total) const {
  constexpr std::uint32_t kMaxBlock = 16 << 20;  // a packet and a great many options
  if (total > kMaxBlock) {
    return FormatResult::damaged("a block claims " + std::to_string(total) + " bytes");
  }
  if (!stream.have(total)) {
    return FormatResult::short_read(stream, true);
  }
  return check_trailer(&stream.buffered()[total - kTrailer], total, order_);
}

// Passes over a block of any size, which may be more than the stream's buffer should hold.
FormatResult PcapngFormat::skip_block(CaptureStream& stream, std::uint32_t total, ByteOrder order) {
  std::size_t left = total;
  if (stream.buffered().size() < total) {
    if (stream.held()) {
      return {Kind::held_back, {}};
    }
    left = kTrailer;
    if (!stream.skip(total - left) || !stream.have(left)) {
      return FormatResult::short_read(stream, true);
    }
  }
  FormatResult checked = check_trailer(&stream.buffered()[left - kTrailer], total, order);
  if (checked.kind == Kind::record) {
    stream.consume(left);
  }
  return checked;
}

FormatResult PcapngFormat::add_interface(ByteSpan body) {
  constexpr std::size_t kMaxInterfaces = 65536;
  constexpr std::size_t kFixed = 8;  // link type, reserved, snap length
  if (body.size() < kFixed) {
    return FormatResult::damaged("an interface block is too short");
  }
  if (interfaces_.size() == kMaxInterfaces) {
    return FormatResult::damaged("it has more than 65536 interfaces");
  }
  Interface& interface = interfaces_.emplace_back();
  interface.link_type = delivered_link_type(order_.u16(body.data()));
  interface.snap_length = order_.u32(body.data() + 4);
  read_options(body.subspan(kFixed), interface);
  return {Kind::record, {}};
}

// Options that run over their block are left alone: no packet is lost for them.
void PcapngFormat::read_options(ByteSpan options, Interface& interface) const {
  constexpr std::uint16_t kEnd = 0;
  constexpr std::uint16_t kTimeResolution = 9;
  constexpr std::uint16_t kTimeOffset = 14;
  while (options.size() >= 4) {
    const std::uint16_t code = order_.u16(options.data());
    const std::size_t length = order_.u16(options.data() + 2);
    options = options.subspan(4);
    if (code == kEnd || length > options.size()) {
      return;
    }
    if (code == kTimeResolution && length >= 1) {
      interface.units_per_second = units_per_second(options[0]);
    } else if (code == kTimeOffset && length >= 8) {
      interface.offset_seconds = static_cast<std::int64_t>(order_.u64(options.data()));
    }
    options = options.subspan(std::min((length + 3) / 4 * 4, options.size()));
  }
}

std::optional<PcapngFormat::Packet> PcapngFormat::parse_packet(std::uint32_t type,
                                                               ByteSpan body) const {
  const std::uint8_t* p = body.data();
  if (type == kSimplePacketBlock) {
    constexpr std::size_t kFixed = 4;  // the packet's length; interface 0, no time
    if (body.size() < kFixed) {
      return std::nullopt;
    }
    Packet packet{.original = order_.u32(p), .at = kFixed};
    packet.kept = std::min(packet.original, static_cast<std::uint32_t>(body.size() - kFixed));
    if (!interfaces_.empty() && interfaces_[0].snap_length != 0) {
      packet.kept = std::min(packet.kept, interfaces_[0].snap_length);
    }
    return packet;
  }
  constexpr std::size_t kFixed = 20;  // interface, time, length kept, length
  if (body.size() < kFixed) {
    return std::nullopt;
  }
  const bool obsolete = type == kObsoletePacketBlock;  // there interface and drops share 4 bytes
  return Packet{.interface = obsolete ? order_.u16(p) : order_.u32(p),
                .kept = order_.u32(p + 12),
                .original = order_.u32(p + 16),
                .at = kFixed,
                .has_time = true,
                .ticks = std::uint64_t{order_.u32(p + 4)} << 32 | order_.u32(p + 8)};
}

FormatResult PcapngFormat::deliver(const Packet& packet, ByteSpan body, CaptureRecord& out) {
  if (packet.interface >= interfaces_.size()) {
    return FormatResult::damaged("a packet is of interface " + std::to_string(packet.interface) +
                                 ", which is not described before it");
  }
  if (packet.kept > body.size() - packet.at || packet.kept > kMaxRecordBytes) {
    return FormatResult::damaged("a record claims " + std::to_string(packet.kept) + " bytes");
  }
  const Interface& interface = interfaces_[packet.interface];
  if (packet.has_time && interface.units_per_second != 0) {
    latest_ = time_of(packet.ticks, interface.units_per_second, interface.offset_seconds);
  }
  out.time = latest_;
  out.bytes = body.subspan(packet.at, packet.kept);
  out.original_length = std::max(packet.original, packet.kept);
  out.link_type = interface.link_type;
  return {Kind::record, {}};
}

}  // namespace imds::port
