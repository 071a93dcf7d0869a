// HTTP/2: the frame walker gives the same header blocks however the stream is cut; decompression
// stays within its memory and buffers, and gives all of it back.
//
// Input: a byte that says how the rest is cut, one for how tight memory is, then the bytes behind
// a connection preface.
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "fuzz.h"
#include "http/http2_frames.h"
#include "http/http2_headers.h"
#include "http/http2_memory.h"

namespace {

using namespace imds;
using fuzz::require;

struct Block {
  std::string bytes;
  bool promise = false;
  bool ended = false;
  friend bool operator==(const Block&, const Block&) = default;
};

struct Walked {
  std::vector<Block> blocks;
  bool malformed = false;
  friend bool operator==(const Walked&, const Walked&) = default;
};

Walked walk(ByteSpan stream, std::size_t step) {
  http::Http2FrameWalker walker;
  Walked walked;
  for (ByteSpan rest = stream; !rest.empty();) {
    ByteSpan piece = rest.first(std::min(step, rest.size()));
    rest = rest.subspan(piece.size());
    for (bool more = true; more;) {
      const http::Http2Piece found = walker.next(piece);
      require(found.consumed <= piece.size(), "no more is consumed than is there");
      require(fuzz::is_within(found.fragment, piece), "fragments lie within the bytes");
      piece = piece.subspan(found.consumed);
      more = found.kind == http::Http2Piece::Kind::fragment;
      if (found.kind == http::Http2Piece::Kind::malformed) {
        walked.malformed = true;
        return walked;
      }
      if (more) {
        if (found.begins_block) {
          walked.blocks.push_back({{}, found.promise, false});
        }
        require(!walked.blocks.empty(), "a fragment belongs to a block");
        walked.blocks.back().bytes += fuzz::as_text(found.fragment);
        walked.blocks.back().ended = found.ends_block;
      }
    }
    require(piece.empty(), "everything is passed");
  }
  return walked;
}

constexpr std::size_t kMemory = std::size_t{1} << 20;

struct alignas(64) Arena {
  std::array<std::byte, kMemory> bytes;
};

void inflate_all(const std::vector<Block>& blocks, std::size_t memory_bytes) {
  static const auto arena = std::make_unique<Arena>();
  http::Http2Memory memory(std::span(arena->bytes).first(memory_bytes));
  {
    nghttp2_mem allocator = http::http2_allocator(memory);
    http::Http2Inflater inflater;
    if (!inflater.open(allocator)) {
      return;
    }
    std::vector<char> pseudo(512);
    std::vector<char> headers(2048);
    for (const Block& block : blocks) {
      http::Http2HeaderBlock out;
      const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(block.bytes.data()),
                           block.bytes.size());
      const auto result = inflater.inflate(bytes, block.ended, {pseudo, headers}, out);
      require(fuzz::is_within(out.headers, {headers.data(), headers.size()}),
              "header text lies within its buffer");
      require(fuzz::is_within(out.path, {pseudo.data(), pseudo.size()}),
              "pseudo-header fields lie within their buffer");
      require(memory.in_use() <= memory.capacity(), "memory is bounded");
      if (result != http::Http2Inflated::ok) {
        break;
      }
    }
  }
  require(memory.in_use() == 0, "all memory is given back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t step = input.byte() % 40 + 1u;
  const std::size_t memory = std::size_t{16384} << (input.byte() % 7);
  const ByteSpan stream = input.rest();
  (void)http::looks_like_http2_frames(stream);
  const Walked whole = walk(stream, stream.size());
  require(whole == walk(stream, step), "blocks are the same however the stream is cut");
  inflate_all(whole.blocks, memory);
  return 0;
}
