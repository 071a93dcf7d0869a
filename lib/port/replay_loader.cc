// Filling replay sources.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "frame_addresses.h"
#include "packet_pool.h"
#include "port/steering.h"
#include "replay_packets.h"

namespace imds::port {
namespace {

constexpr std::uint8_t kUdp = 17;

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

// 0 means that there is no checksum; in those that are there, all ones means the same.
void avoid_zero(std::uint8_t* checksum) {
  if (load_be16(checksum) == 0) {
    store_be16(checksum, 0xffff);
  }
}

}  // namespace

class ReplaySource::Loader {
 public:
  explicit Loader(const ReplayOptions& options)
      : options_(options),
        limit_(options.most_bytes != 0 ? options.most_bytes
                                       : available_memory(options.huge_pages)) {}

  [[nodiscard]] Status begin();
  void add(const CaptureRecord& record);
  [[nodiscard]] Result<Queues> finish();

 private:
  [[nodiscard]] bool store(ReplaySource& queue, const CaptureRecord& record,
                           const std::optional<FrameAddresses>& found);
  void note_rewrite(const FrameAddresses& found, std::uint8_t* frame, Packet& packet) const;

  const ReplayOptions& options_;
  std::uint64_t limit_;
  std::uint64_t needed_ = 0;
  bool too_many_ = false;  // only counting what is needed
  Timestamp first_;
  Timestamp last_;
  std::uint64_t packets_ = 0;
  Queues queues_;
};

Status ReplaySource::Loader::begin() {
  if (options_.queues == 0 || options_.mbufs == 0) {
    return fail(ErrorKind::usage, "replay takes one queue and one mbuf at least");
  }
  if (options_.rewrite && !options_.rewrite->clients.address.is_v4()) {
    return fail(ErrorKind::usage, "only IPv4 clients can be rewritten");
  }
  for (unsigned i = 0; i < options_.queues; ++i) {
    queues_.emplace_back(new ReplaySource);
    for (GrowingMemory* memory : {&queues_[i]->memory_->bytes, &queues_[i]->memory_->list}) {
      auto created = GrowingMemory::create(limit_, options_.huge_pages);
      if (!created) {
        return pass_on(created);
      }
      *memory = std::move(*created);
    }
  }
  return {};
}

void ReplaySource::Loader::add(const CaptureRecord& record) {
  if (packets_++ == 0) {
    first_ = record.time;
  }
  last_ = record.time;
  needed_ += round_up(record.bytes.size(), kReplayAlign) + sizeof(Packet);
  if (needed_ > limit_) {
    too_many_ = true;
  }
  if (too_many_) {
    return;
  }
  std::size_t queue = 0;
  std::optional<FrameAddresses> found;
  if (options_.queues > 1 || options_.rewrite) {
    found = find_addresses(record.bytes, record.link_type);
  }
  if (found) {
    queue = symmetric_hash(found->tuple, false) % options_.queues;
  }
  too_many_ = !store(*queues_[queue], record, found);
}

bool ReplaySource::Loader::store(ReplaySource& queue, const CaptureRecord& record,
                                 const std::optional<FrameAddresses>& found) {
  Packets& memory = *queue.memory_;
  const std::uint64_t place = memory.bytes.size() / kReplayAlign;
  std::uint8_t* const frame = memory.bytes.append(round_up(record.bytes.size(), kReplayAlign));
  std::uint8_t* const listed = memory.list.append(sizeof(Packet));
  if (place > UINT32_MAX || frame == nullptr || listed == nullptr) {
    return false;
  }
  Packet packet;
  packet.meta.timestamp_ns = record.time.ns;
  packet.meta.original_length = record.original_length;
  packet.meta.link_type = record.link_type;
  packet.meta.flags = record.original_length > record.bytes.size() ? kTruncated : 0;
  packet.place = static_cast<std::uint32_t>(place);
  packet.length = static_cast<std::uint32_t>(record.bytes.size());
  std::copy(record.bytes.begin(), record.bytes.end(), frame);
  if (found && options_.rewrite) {
    note_rewrite(*found, frame, packet);
  }
  std::memcpy(listed, &packet, sizeof packet);
  ++queue.packet_count_;
  queue.bytes_ += packet.length;
  queue.most_segments_ =
      std::max<std::size_t>(queue.most_segments_, segments_for(packet.length, kLongestSegment));
  return true;
}

void ReplaySource::Loader::note_rewrite(const FrameAddresses& found, std::uint8_t* frame,
                                        Packet& packet) const {
  const IpPrefix& clients = options_.rewrite->clients;
  if (clients.contains(found.tuple.source)) {
    packet.addresses_at[0] = found.source_at;
  }
  if (clients.contains(found.tuple.destination)) {
    packet.addresses_at[1] = found.destination_at;
  }
  if (packet.addresses_at == std::array<std::uint16_t, 2>{}) {
    return;
  }
  packet.ip_checksum_at = found.ip_checksum_at;
  packet.l4_checksum_at = found.l4_checksum_at;
  avoid_zero(frame + packet.ip_checksum_at);
  if (packet.l4_checksum_at != 0 && found.tuple.protocol != kUdp) {
    avoid_zero(frame + packet.l4_checksum_at);
  }
}

Result<ReplaySource::Queues> ReplaySource::Loader::finish() {
  if (packets_ == 0) {
    return fail(ErrorKind::runtime, "there are no packets to replay");
  }
  if (too_many_) {
    return fail(ErrorKind::environment, "the packets to replay need " + mebibytes(needed_) +
                                            " of memory, and " + mebibytes(limit_) +
                                            " are available: replay fewer of them");
  }
  for (const auto& queue : queues_) {
    queue->loop_ns_ = std::max<std::int64_t>(last_.ns - first_.ns, 0) + 1000;
    GrowingMemory& list = queue->memory_->list;
    for (std::size_t i = 0; i < kReplayPrefetch && queue->packet_count_ > 0; ++i) {
      std::uint8_t* const copy = list.append(sizeof(Packet));
      if (copy == nullptr) {
        return fail(ErrorKind::environment, "no memory left for the packets to replay");
      }
      std::memcpy(copy, list.data() + i % queue->packet_count_ * sizeof(Packet), sizeof(Packet));
    }
    if (Status s = queue->prepare(options_); !s) {
      return pass_on(s);
    }
  }
  return std::move(queues_);
}

Result<ReplaySource::Queues> ReplaySource::from_captures(const std::vector<std::string>& paths,
                                                         const ReplayOptions& options) {
  auto reader = CaptureReader::open(paths);
  if (!reader) {
    return pass_on(reader);
  }
  Loader loader(options);
  if (Status s = loader.begin(); !s) {
    return pass_on(s);
  }
  while (const CaptureRecord* record = (*reader)->next()) {
    loader.add(*record);
  }
  if (!(*reader)->errors().empty()) {
    return tl::unexpected<Error>((*reader)->errors().front());
  }
  return loader.finish();
}

Result<ReplaySource::Queues> ReplaySource::from_frames(const MakeFrames& make,
                                                       const ReplayOptions& options) {
  Loader loader(options);
  if (Status s = loader.begin(); !s) {
    return pass_on(s);
  }
  make([&loader](Timestamp time, ByteSpan frame) {
    CaptureRecord record;
    record.bytes = frame;
    record.time = time;
    record.original_length = static_cast<std::uint32_t>(frame.size());
    record.link_type = kLinkEthernet;
    loader.add(record);
  });
  return loader.finish();
}

}  // namespace imds::port
