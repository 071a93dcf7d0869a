#include "http/http2_headers.h"

#include <algorithm>
#include <cstring>

#include "text.h"

namespace imds::http {

namespace {

// A dynamic table size update (RFC 7541, 6.3) stands at the beginning of a block, if at all.
bool announces_larger_table(ByteSpan block) {
  std::size_t at = 0;
  while (at < block.size() && (block[at] & 0xe0) == 0x20) {
    std::uint64_t size = block[at++] & 0x1f;
    if (size == 0x1f) {
      for (unsigned shift = 0; at < block.size() && shift <= 28; shift += 7) {
        const std::uint8_t octet = block[at++];
        size += std::uint64_t{octet & 0x7fu} << shift;
        if ((octet & 0x80) == 0) {
          break;
        }
      }
    }
    if (size > kMaxHttp2TableSize) {
      return true;
    }
  }
  return false;
}

// A caller's buffer, filled from the front.
class Writer {
 public:
  explicit Writer(std::span<char> buffer) : buffer_(buffer) {}
  // The text as it now stands in the buffer, perhaps cut.
  std::string_view put(std::string_view text) {
    const std::size_t count = std::min(text.size(), buffer_.size() - size_);
    char* const to = buffer_.data() + size_;
    if (count > 0) {
      std::memcpy(to, text.data(), count);
    }
    size_ += count;
    truncated_ = truncated_ || count < text.size();
    return {to, count};
  }
  [[nodiscard]] std::string_view all() const { return {buffer_.data(), size_}; }
  [[nodiscard]] bool truncated() const { return truncated_; }

 private:
  std::span<char> buffer_;
  std::size_t size_ = 0;
  bool truncated_ = false;
};

class BlockWriter {
 public:
  BlockWriter(const Http2Buffers& buffers, Http2HeaderBlock& out)
      : out_(out), pseudo_(buffers.pseudo), headers_(buffers.headers) {
    out_ = Http2HeaderBlock{};
  }

  void field(std::string_view name, std::string_view value) {
    ++out_.count;
    if (!name.empty() && name.front() == ':' && pseudo_field(name, value)) {
      return;
    }
    if (name == "host" || iequals(name, "host")) {
      const bool repeats_authority = out_.authority.data() != nullptr && value == out_.authority;
      if (!has_host_field_) {
        has_host_field_ = true;
        out_.host = repeats_authority ? out_.authority : pseudo_.put(value);
      }
      if (repeats_authority) {
        return;
      }
    }
    const std::string_view written = line(name, value);
    if (out_.user_agent.data() == nullptr && iequals(name, "user-agent")) {
      out_.user_agent = written;
    }
  }

  void finish() {
    out_.headers = headers_.all();
    out_.truncated = cut_ || pseudo_.truncated() || headers_.truncated();
  }

 private:
  // False: stands in the header text like any other.
  bool pseudo_field(std::string_view name, std::string_view value) {
    std::string_view* const known = name == ":method"      ? &out_.method
                                    : name == ":path"      ? &out_.path
                                    : name == ":authority" ? &out_.authority
                                    : name == ":scheme"    ? &out_.scheme
                                    : name == ":protocol"  ? &out_.protocol
                                                           : nullptr;
    if (known == nullptr || known->data() != nullptr) {
      return false;
    }
    *known = pseudo_.put(value);
    if (known == &out_.authority) {
      if (!has_host_field_) {
        out_.host = out_.authority;
      }
      (void)line("host", value);
    }
    return known != &out_.protocol;
  }

  // The value as it stands in the header text.
  std::string_view line(std::string_view name, std::string_view value) {
    if (out_.count > kMaxHttp2Headers) {
      cut_ = true;
      return {};
    }
    headers_.put(name);
    headers_.put(": ");
    const std::string_view written = headers_.put(value);
    headers_.put("\n");
    return written;
  }

  Http2HeaderBlock& out_;
  Writer pseudo_;
  Writer headers_;
  bool has_host_field_ = false;
  bool cut_ = false;
};

std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

Http2Memory& memory_of(void* user_data) {
  return *static_cast<Http2Memory*>(user_data);
}

void* allocate_zeroed(std::size_t count, std::size_t size, void* user_data) {
  if (size != 0 && count > Http2Memory::kLargest / size) {
    return nullptr;
  }
  void* const block = memory_of(user_data).allocate(count * size);
  if (block != nullptr) {
    std::memset(block, 0, count * size);
  }
  return block;
}

void* reallocate(void* block, std::size_t size, void* user_data) {
  Http2Memory& memory = memory_of(user_data);
  if (block != nullptr && size <= memory.block_size(block)) {
    return block;
  }
  void* const larger = memory.allocate(size);
  if (larger != nullptr && block != nullptr) {
    std::memcpy(larger, block, memory.block_size(block));
    memory.release(block);
  }
  return larger;
}

}  // namespace

nghttp2_mem http2_allocator(Http2Memory& memory) {
  return {&memory,
          [](std::size_t size, void* user_data) { return memory_of(user_data).allocate(size); },
          [](void* block, void* user_data) { memory_of(user_data).release(block); },
          allocate_zeroed, reallocate};
}

bool Http2Inflater::open(nghttp2_mem& memory) {
  nghttp2_hd_inflater* state = nullptr;
  if (nghttp2_hd_inflate_new2(&state, &memory) != 0) {
    return false;
  }
  state_.reset(state);
  // What the client may choose; its table still begins with the default size.
  return nghttp2_hd_inflate_change_table_size(state, kMaxHttp2TableSize) == 0;
}

Http2Inflated Http2Inflater::inflate(ByteSpan block, bool whole, const Http2Buffers& buffers,
                                     Http2HeaderBlock& out) {
  BlockWriter writer(buffers, out);
  if (announces_larger_table(block)) {
    writer.finish();
    return Http2Inflated::table_too_large;
  }
  Http2Inflated result = Http2Inflated::ok;
  while (true) {
    nghttp2_nv field;
    int flags = 0;
    const auto used = nghttp2_hd_inflate_hd2(state_.get(), &field, &flags, block.data(),
                                             block.size(), whole ? 1 : 0);
    if (used < 0) {
      result = used == NGHTTP2_ERR_NOMEM ? Http2Inflated::no_memory : Http2Inflated::malformed;
      break;
    }
    block = block.subspan(static_cast<std::size_t>(used));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      writer.field(text_of(field.name, field.namelen), text_of(field.value, field.valuelen));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(state_.get());
      break;
    }
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && block.empty()) {
      break;
    }
  }
  writer.finish();
  return result;
}

}  // namespace imds::http
