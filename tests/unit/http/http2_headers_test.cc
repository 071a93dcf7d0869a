#include "http/http2_headers.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "samples.h"
#include "support/http2_client.h"

namespace imds::http {
namespace {

using namespace support;

struct alignas(64) Line {
  std::byte bytes[64];
};

class Http2Headers : public testing::Test {
 protected:
  explicit Http2Headers(std::size_t memory_bytes = std::size_t{1} << 20)
      : lines_(memory_bytes / sizeof(Line)),
        memory_({reinterpret_cast<std::byte*>(lines_.data()), memory_bytes}),
        allocator_(http2_allocator(memory_)),
        pseudo_(65536),
        headers_(131072) {
    opened_ = inflater_.open(allocator_);
  }
  Http2Inflated inflate(std::string_view block, bool whole = true) {
    return inflater_.inflate(ExactBytes(block).span(), whole, {pseudo_, headers_}, out_);
  }
  Http2Inflated inflate(const Http2Fields& fields) { return inflate(client_.block(fields)); }

  std::vector<Line> lines_;
  Http2Memory memory_;
  nghttp2_mem allocator_;
  Http2Inflater inflater_;
  bool opened_ = false;
  std::vector<char> pseudo_;
  std::vector<char> headers_;
  Http2HeaderBlock out_;
  Http2Client client_;
};

TEST_F(Http2Headers, ARequestReadsLikeHttp1) {
  ASSERT_TRUE(opened_);
  ASSERT_EQ(inflate(Http2Client::request_fields(
                "PUT", "169.254.169.254", "/latest/api/token",
                {{"user-agent", "curl/8"}, {"x-aws-ec2-metadata-token-ttl-seconds", "21600"}})),
            Http2Inflated::ok);
  EXPECT_TRUE(out_.is_request());
  EXPECT_EQ(out_.method, "PUT");
  EXPECT_EQ(out_.target(), "/latest/api/token");
  EXPECT_EQ(out_.authority, "169.254.169.254");
  EXPECT_EQ(out_.host, "169.254.169.254");
  EXPECT_EQ(out_.user_agent, "curl/8");
  EXPECT_EQ(out_.headers,
            "host: 169.254.169.254\nuser-agent: curl/8\n"
            "x-aws-ec2-metadata-token-ttl-seconds: 21600\n");
  EXPECT_EQ(out_.count, 6u);
  EXPECT_FALSE(out_.truncated);
}

TEST_F(Http2Headers, RepeatedRequestsComeFromTheDynamicTable) {
  const Http2Fields fields =
      Http2Client::request_fields("GET", "example.com", "/a", {{"x-long", "value"}});
  std::string first;
  for (int i = 0; i < 3; ++i) {
    const std::string block = client_.block(fields);
    first = i == 0 ? block : first;
    EXPECT_EQ(block.size() < first.size(), i > 0);
    ASSERT_EQ(inflate(block), Http2Inflated::ok);
    EXPECT_EQ(out_.headers, "host: example.com\nx-long: value\n");
    EXPECT_EQ(out_.path, "/a");
  }
}

TEST_F(Http2Headers, HostAndAuthority) {
  ASSERT_EQ(inflate({{":method", "GET"}, {":path", "/"}, {"host", "one"}}), Http2Inflated::ok);
  EXPECT_EQ(out_.authority.data(), nullptr);
  EXPECT_EQ(out_.host, "one");
  EXPECT_EQ(out_.headers, "host: one\n");
  ASSERT_EQ(inflate(Http2Client::request_fields("GET", "one", "/", {{"host", "one"}})),
            Http2Inflated::ok);
  EXPECT_EQ(out_.headers, "host: one\n");
  ASSERT_EQ(inflate(Http2Client::request_fields("GET", "one", "/", {{"Host", "two"}})),
            Http2Inflated::ok);
  EXPECT_EQ(out_.authority, "one");
  EXPECT_EQ(out_.host, "two");
  EXPECT_EQ(out_.headers, "host: one\nHost: two\n");
}

TEST_F(Http2Headers, ConnectAndExtendedConnect) {
  ASSERT_EQ(inflate({{":method", "CONNECT"}, {":authority", "10.0.0.1:80"}}), Http2Inflated::ok);
  EXPECT_EQ(out_.target(), "10.0.0.1:80");
  ASSERT_EQ(inflate({{":method", "CONNECT"},
                     {":protocol", "websocket"},
                     {":path", "/chat"},
                     {":scheme", "https"},
                     {":authority", "example.com"}}),
            Http2Inflated::ok);
  EXPECT_EQ(out_.target(), "/chat");
  EXPECT_EQ(out_.protocol, "websocket");
  EXPECT_EQ(out_.headers, ":protocol: websocket\nhost: example.com\n");
}

TEST_F(Http2Headers, OddPseudoHeadersAreTolerated) {
  ASSERT_EQ(inflate({{"x-first", "1"},
                     {":path", "/a"},
                     {":unknown", "?"},
                     {":path", "/b"},
                     {":method", "GET"},
                     {":", ""},
                     {"", "nameless"}}),
            Http2Inflated::ok);
  EXPECT_EQ(out_.path, "/a");
  EXPECT_EQ(out_.method, "GET");
  EXPECT_EQ(out_.headers, "x-first: 1\n:unknown: ?\n:path: /b\n:: \n: nameless\n");
}

TEST_F(Http2Headers, TrailersAreNoRequest) {
  ASSERT_EQ(inflate({{"grpc-status", "0"}}), Http2Inflated::ok);
  EXPECT_FALSE(out_.is_request());
  ASSERT_EQ(inflate(std::string()), Http2Inflated::ok);
  EXPECT_FALSE(out_.is_request());
}

TEST_F(Http2Headers, CookieCrumbsStayApart) {
  ASSERT_EQ(
      inflate(Http2Client::request_fields("GET", "a", "/", {{"cookie", "a=1"}, {"cookie", "b=2"}})),
      Http2Inflated::ok);
  EXPECT_EQ(out_.headers, "host: a\ncookie: a=1\ncookie: b=2\n");
}

TEST_F(Http2Headers, ABlockCutAnywhereGivesWhatStandsBeforeTheCut) {
  const std::string block = Http2Client().block(
      Http2Client::request_fields("GET", "169.254.169.254", "/latest/meta-data/", {{"a", "b"}}));
  for (std::size_t size = 0; size < block.size(); ++size) {
    Http2Inflater inflater;
    ASSERT_TRUE(inflater.open(allocator_));
    EXPECT_EQ(inflater.inflate(ExactBytes(block.substr(0, size)).span(), false, {pseudo_, headers_},
                               out_),
              Http2Inflated::ok);
    EXPECT_EQ(out_.method.data() != nullptr, size >= 1);
  }
  EXPECT_EQ(inflate(block.substr(0, block.size() - 1)), Http2Inflated::malformed);
  EXPECT_EQ(out_.authority, "169.254.169.254");
}

TEST_F(Http2Headers, TableSizeUpdates) {
  // Largest that is followed, in the encoding of RFC 7541, 5.1: 31 + 65505.
  ASSERT_EQ(inflate(std::string("\x3f\xe1\xff\x03\x82", 5)), Http2Inflated::ok);
  EXPECT_EQ(out_.method, "GET");
  ASSERT_EQ(inflate(std::string("\x20\x3f\xe1\x1f\x82", 5)), Http2Inflated::ok);
  EXPECT_EQ(inflate(std::string("\x3f\xe2\xff\x03\x82", 5)), Http2Inflated::table_too_large);
  EXPECT_EQ(out_.count, 0u);
}

TEST_F(Http2Headers, AServerThatAllowsALargerTable) {
  Http2Client client(65536);
  client.change_table(65536);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) {
      const std::string block = client.block(
          Http2Client::request_fields("GET", "example.com", "/" + std::to_string(i),
                                      {{"x-" + std::to_string(i), std::string(200, 'v')}}));
      ASSERT_EQ(inflate(block), Http2Inflated::ok) << i;
      EXPECT_EQ(out_.path, "/" + std::to_string(i));
    }
  }
}

TEST_F(Http2Headers, ABombIsCutAndTheTableStaysInStep) {
  const Http2Fields bomb{{"x-bomb", std::string(3000, 'b')}};
  ASSERT_EQ(inflate(bomb), Http2Inflated::ok);
  // One octet each names the newest entry of the dynamic table.
  ASSERT_EQ(inflate(std::string(60000, '\xbe')), Http2Inflated::ok);
  EXPECT_TRUE(out_.truncated);
  EXPECT_EQ(out_.count, 60000u);
  EXPECT_EQ(out_.headers.size(), headers_.size());
  // Short ones: the number is limited, too; what rules need is found behind them.
  ASSERT_EQ(inflate(std::string(5000, '\x90') + "\x82\x84"), Http2Inflated::ok);
  EXPECT_TRUE(out_.truncated);
  EXPECT_EQ(std::count(out_.headers.begin(), out_.headers.end(), '\n'), long{kMaxHttp2Headers});
  EXPECT_EQ(out_.method, "GET");
  ASSERT_EQ(inflate(bomb), Http2Inflated::ok);
  EXPECT_EQ(out_.headers, "x-bomb: " + std::string(3000, 'b') + "\n");
}

TEST_F(Http2Headers, RandomBytesNeverHarm) {
  std::mt19937 random(11);
  const std::size_t before = memory_.in_use();
  for (int i = 0; i < 3000; ++i) {
    std::string block(random() % 200, '\0');
    std::generate(block.begin(), block.end(), [&] { return static_cast<char>(random()); });
    Http2Inflater inflater;
    ASSERT_TRUE(inflater.open(allocator_));
    (void)inflater.inflate(ExactBytes(block).span(), random() % 2 == 0, {pseudo_, headers_}, out_);
  }
  EXPECT_EQ(memory_.in_use(), before);
}

TEST_F(Http2Headers, EveryBlockIsGivenBack) {
  ASSERT_EQ(inflate(Http2Client::request_fields("GET", "a", "/", {{"x", std::string(20000, 'x')}})),
            Http2Inflated::ok);
  inflater_.close();
  EXPECT_EQ(memory_.in_use(), 0u);
}

// The most memory a client can make an inflater hold on to: entries as small as they can be, and
// values whose codes are as long as they can be.
TEST_F(Http2Headers, MemoryOfOneConnectionIsBounded) {
  std::size_t largest_default = 0;
  std::size_t largest = 0;
  for (const std::size_t table : {std::size_t{4096}, kMaxHttp2TableSize}) {
    for (const std::size_t value : {0u, 1u, 15u, 100u, 1000u}) {
      inflater_.close();
      ASSERT_TRUE(inflater_.open(allocator_));
      std::string block = table > 4096 ? std::string("\x3f\xe1\xff\x03", 4) : std::string();
      for (std::size_t i = 0; i < 2200 && block.size() < 64000; ++i) {
        // Literal with indexing: an empty name, a value of 30-bit codes for octet 10 (RFC 7541, B).
        std::string codes;
        std::uint64_t bits = 0;
        unsigned count = 0;
        for (std::size_t octet = 0; octet < value; ++octet) {
          bits = bits << 30 | 0x3ffffffc;
          for (count += 30; count >= 8; count -= 8) {
            codes += static_cast<char>(bits >> (count - 8));
          }
        }
        if (count > 0) {
          codes += static_cast<char>(bits << (8 - count) | ((1u << (8 - count)) - 1));
        }
        block += std::string("\x40\x00", 2);
        if (codes.size() < 127) {
          block += static_cast<char>(0x80 | codes.size());
        } else {
          std::size_t rest = codes.size() - 127;
          block += '\xff';
          for (; rest >= 128; rest /= 128) {
            block += static_cast<char>(0x80 | rest % 128);
          }
          block += static_cast<char>(rest);
        }
        block += codes;
      }
      ASSERT_EQ(inflate(block), Http2Inflated::ok) << table << ' ' << value;
      std::size_t& most = table > 4096 ? largest : largest_default;
      most = std::max(most, memory_.in_use());
    }
  }
  RecordProperty("bytes_default_table", static_cast<int>(largest_default));
  RecordProperty("bytes_largest_table", static_cast<int>(largest));
  EXPECT_LE(largest_default, 48u << 10);
  EXPECT_LE(largest, 576u << 10);
}

class Http2HeadersLittleMemory : public Http2Headers {
 protected:
  Http2HeadersLittleMemory() : Http2Headers(8192) {}
};

TEST_F(Http2HeadersLittleMemory, NoMemoryIsSaid) {
  ASSERT_TRUE(opened_);
  EXPECT_EQ(
      inflate(Http2Client::request_fields("GET", "a", "/x", {{"x", std::string(9000, '\x01')}})),
      Http2Inflated::no_memory);
  EXPECT_EQ(out_.path, "/x");
  inflater_.close();
  EXPECT_EQ(memory_.in_use(), 0u);
}

TEST(Http2MemoryTest, CutsAndJoinsBlocks) {
  std::vector<Line> lines(1000);  // no power of two
  auto* const first = reinterpret_cast<std::byte*>(lines.data());
  Http2Memory memory({first, 1000 * sizeof(Line)});
  EXPECT_EQ(memory.capacity(), 64000u);
  std::mt19937 random(3);
  std::map<std::byte*, std::size_t> held;
  for (int i = 0; i < 20000; ++i) {
    if (random() % 2 == 0) {
      const std::size_t size = random() % 3000;
      auto* const block = static_cast<std::byte*>(memory.allocate(size));
      if (block == nullptr) {
        continue;
      }
      const std::size_t taken = memory.block_size(block);
      ASSERT_GE(taken, size);
      ASSERT_GE(block, first);
      ASSERT_LE(block + taken, first + memory.capacity());
      const auto next = held.lower_bound(block);
      ASSERT_TRUE(next == held.end() || block + taken <= next->first);
      ASSERT_TRUE(next == held.begin() ||
                  std::prev(next)->first + std::prev(next)->second <= block);
      std::memset(block, 0x5a, taken);
      held.emplace(block, taken);
    } else if (!held.empty()) {
      const auto some = std::next(held.begin(), static_cast<long>(random() % held.size()));
      memory.release(some->first);
      held.erase(some);
    }
  }
  std::size_t sum = 0;
  for (const auto& [block, size] : held) {
    sum += size;
    memory.release(block);
  }
  EXPECT_GT(sum, 0u);
  EXPECT_EQ(memory.in_use(), 0u);
  EXPECT_NE(memory.allocate(32768), nullptr) << "all of it is one piece again";
  EXPECT_EQ(memory.allocate(Http2Memory::kLargest + 1), nullptr);
}

// Pages nobody asked for are not taken from the machine.
TEST(Http2MemoryTest, TouchesNothingBeforeItIsAllocated) {
  constexpr std::byte kUntouched{0xa5};
  Line marked;
  std::fill(std::begin(marked.bytes), std::end(marked.bytes), kUntouched);
  std::vector<Line> lines(3 * Http2Memory::kLargest / sizeof(Line) + 5, marked);
  auto* const bytes = reinterpret_cast<std::byte*>(lines.data());
  const auto is_untouched = [&](std::size_t from) {
    return std::all_of(bytes + from, bytes + lines.size() * sizeof(Line),
                       [&](std::byte b) { return b == kUntouched; });
  };
  Http2Memory memory({bytes, lines.size() * sizeof(Line)});
  EXPECT_TRUE(is_untouched(0));
  ASSERT_NE(memory.allocate(1), nullptr);
  EXPECT_TRUE(is_untouched(Http2Memory::kLargest));
  EXPECT_EQ(memory.capacity(), lines.size() * sizeof(Line));
}

TEST(Http2MemoryTest, AsksForSpaceUntilThereIsNoMore) {
  std::vector<Line> lines(4);
  struct Owner {
    Http2Memory* memory = nullptr;
    std::vector<void*> blocks;
  } owner;
  Http2Memory memory(
      {lines.data()->bytes, 4 * sizeof(Line)},
      [](void* context) {
        auto& o = *static_cast<Owner*>(context);
        if (o.blocks.empty()) {
          return false;
        }
        o.memory->release(o.blocks.back());
        o.blocks.pop_back();
        return true;
      },
      &owner);
  owner.memory = &memory;
  for (int i = 0; i < 4; ++i) {
    owner.blocks.push_back(memory.allocate(64));
    ASSERT_NE(owner.blocks.back(), nullptr);
  }
  EXPECT_NE(memory.allocate(256), nullptr);
  EXPECT_TRUE(owner.blocks.empty());
  EXPECT_EQ(memory.allocate(64), nullptr);
}

}  // namespace
}  // namespace imds::http
