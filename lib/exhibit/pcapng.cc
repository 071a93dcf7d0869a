#include "exhibit/pcapng.h"

#include <algorithm>
#include <cstring>

namespace imds::exhibit {

namespace {

// Block types, sections 4.1 to 4.3 of the draft.
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint16_t kMajor = 1;
constexpr std::uint16_t kMinor = 0;
constexpr std::uint64_t kUnknownLength = UINT64_MAX;

// Options, sections 3.5, 4.1 and 4.2.
constexpr std::uint16_t kEndOfOptions = 0;
constexpr std::uint16_t kComment = 1;
constexpr std::uint16_t kUserApplication = 4;
constexpr std::uint16_t kInterfaceName = 2;
constexpr std::uint16_t kTimeResolution = 9;
constexpr std::uint8_t kNanoseconds = 9;  // a power of ten

constexpr std::size_t kLongestText = 200;
constexpr std::size_t kLongestName = 64;
// Type, length, interface, time, two lengths; the length again.
constexpr std::size_t kPacketOverhead = 32;
constexpr std::size_t kOptionsOverhead = 8;  // the comment's header, and the end of options

constexpr std::size_t padded(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

template <typename T>
void append(std::vector<std::uint8_t>& out, T value) {
  std::uint8_t bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void append_padded(std::vector<std::uint8_t>& out, ByteSpan bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.resize(out.size() + padded(bytes.size()) - bytes.size());
}

void append_option(std::vector<std::uint8_t>& out, std::uint16_t code, std::string_view text) {
  append(out, code);
  append(out, static_cast<std::uint16_t>(text.size()));
  append_padded(out, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void end_options(std::vector<std::uint8_t>& out) {
  append(out, kEndOfOptions);
  append(out, std::uint16_t{0});
}

// A block's two lengths.
class Block {
 public:
  Block(std::vector<std::uint8_t>& out, std::uint32_t type) : out_(out), begin_(out.size()) {
    append(out, type);
    append(out, std::uint32_t{0});
  }
  ~Block() {
    const auto length = static_cast<std::uint32_t>(out_.size() - begin_ + sizeof(std::uint32_t));
    std::memcpy(&out_[begin_ + 4], &length, sizeof length);
    append(out_, length);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  std::vector<std::uint8_t>& out_;
  std::size_t begin_;
};

}  // namespace

void append_section_header(std::vector<std::uint8_t>& out, std::string_view application,
                           std::string_view comment) {
  const Block block(out, kSectionHeader);
  append(out, kByteOrderMagic);
  append(out, kMajor);
  append(out, kMinor);
  append(out, kUnknownLength);
  append_option(out, kComment, comment.substr(0, kLongestText));
  append_option(out, kUserApplication, application.substr(0, kLongestText));
  end_options(out);
}

void append_interface(std::vector<std::uint8_t>& out, std::uint16_t link, std::string_view name) {
  const Block block(out, kInterface);
  append(out, link);
  append(out, std::uint16_t{0});
  append(out, std::uint32_t{0});  // no limit of length
  if (!name.empty()) {
    append_option(out, kInterfaceName, name.substr(0, kLongestName));
  }
  const char resolution = kNanoseconds;
  append_option(out, kTimeResolution, {&resolution, 1});
  end_options(out);
}

void append_packet(std::vector<std::uint8_t>& out, const PacketBlock& packet) {
  const Block block(out, kEnhancedPacket);
  const auto time = static_cast<std::uint64_t>(packet.time_ns);
  append(out, packet.interface);
  append(out, static_cast<std::uint32_t>(time >> 32));
  append(out, static_cast<std::uint32_t>(time));
  append(out, static_cast<std::uint32_t>(packet.bytes.size()));
  append(out, packet.original_length);
  append_padded(out, packet.bytes);
  if (!packet.comment.empty()) {
    append_option(out, kComment, packet.comment.substr(0, kLongestComment));
    end_options(out);
  }
}

std::size_t longest_packet_block(std::size_t size) {
  return kPacketOverhead + padded(size) + kOptionsOverhead + padded(kLongestComment);
}

}  // namespace imds::exhibit
