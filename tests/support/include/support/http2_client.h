// Writes what an HTTP/2 client sends, with nghttp2's own compressor: Huffman codes and dynamic
// table are those of real clients.
//
//   Http2Client client;
//   const std::string bytes = client.preface() + client.request("GET", "169.254.169.254", "/");
#pragma once

#include <cstdint>
#include <memory>
#include <nghttp2/nghttp2.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace imds::support {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

// One frame. `length` overrides the true one.
inline std::string http2_frame(unsigned type, unsigned flags, std::uint32_t stream,
                               std::string_view payload, std::int64_t length = -1) {
  const auto size = static_cast<std::uint32_t>(length < 0 ? std::int64_t(payload.size()) : length);
  const auto octet = [](std::uint32_t value) { return static_cast<char>(value & 0xff); };
  std::string out{octet(size >> 16),   octet(size >> 8),   octet(size),
                  octet(type),         octet(flags),       octet(stream >> 24),
                  octet(stream >> 16), octet(stream >> 8), octet(stream)};
  return out.append(payload);
}

inline constexpr unsigned kHttp2Data = 0;
inline constexpr unsigned kHttp2Headers = 1;
inline constexpr unsigned kHttp2Priority = 2;
inline constexpr unsigned kHttp2Settings = 4;
inline constexpr unsigned kHttp2PushPromise = 5;
inline constexpr unsigned kHttp2Ping = 6;
inline constexpr unsigned kHttp2WindowUpdate = 8;
inline constexpr unsigned kHttp2Continuation = 9;
inline constexpr unsigned kHttp2EndStream = 0x01;
inline constexpr unsigned kHttp2EndHeaders = 0x04;
inline constexpr unsigned kHttp2Padded = 0x08;
inline constexpr unsigned kHttp2PriorityFlag = 0x20;

class Http2Client {
 public:
  explicit Http2Client(std::size_t table = 4096) {
    nghttp2_hd_deflater* deflater = nullptr;
    nghttp2_hd_deflate_new(&deflater, table);
    deflater_.reset(deflater);
  }

  // As libcurl begins: preface, SETTINGS, WINDOW_UPDATE.
  static std::string preface() {
    const std::string settings{"\0\x03\0\0\0\x64\0\x04\x02\0\0\0\0\x02\0\0\0\0", 18};
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(kHttp2Settings, 0, 0, settings) +
           http2_frame(kHttp2WindowUpdate, 0, 0, std::string("\x01\xff\0\x01", 4));
  }

  // A compressed header block.
  std::string block(const Http2Fields& fields) {
    std::vector<nghttp2_nv> nv;
    for (const auto& [name, value] : fields) {
      nv.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_.get(), nv.data(), nv.size()), '\0');
    const auto size =
        nghttp2_hd_deflate_hd(deflater_.get(), reinterpret_cast<std::uint8_t*>(out.data()),
                              out.size(), nv.data(), nv.size());
    out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return out;
  }
  // The compressor takes up the server's new table size: the next block announces it.
  void change_table(std::size_t bytes_max) {
    nghttp2_hd_deflate_change_table_size(deflater_.get(), bytes_max);
  }

  std::string headers(std::uint32_t stream, const Http2Fields& fields, bool end_stream = true) {
    return http2_frame(kHttp2Headers, kHttp2EndHeaders | (end_stream ? kHttp2EndStream : 0), stream,
                       block(fields));
  }
  static Http2Fields request_fields(std::string_view method, std::string_view authority,
                                    std::string_view path, const Http2Fields& more = {}) {
    Http2Fields fields{{":method", std::string(method)},
                       {":path", std::string(path)},
                       {":scheme", "http"},
                       {":authority", std::string(authority)}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  // On the next stream.
  std::string request(std::string_view method, std::string_view authority, std::string_view path,
                      const Http2Fields& more = {}, bool end_stream = true) {
    const std::uint32_t stream = std::exchange(next_stream_, next_stream_ + 2);
    return headers(stream, request_fields(method, authority, path, more), end_stream);
  }
  static std::string data(std::uint32_t stream, std::size_t size, bool end_stream = true) {
    return http2_frame(kHttp2Data, end_stream ? kHttp2EndStream : 0, stream,
                       std::string(size, 'd'));
  }

 private:
  static std::uint8_t* bytes(const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  struct Delete {
    void operator()(nghttp2_hd_deflater* d) const { nghttp2_hd_deflate_del(d); }
  };
  std::unique_ptr<nghttp2_hd_deflater, Delete> deflater_;
  std::uint32_t next_stream_ = 1;
};

}  // namespace imds::support
