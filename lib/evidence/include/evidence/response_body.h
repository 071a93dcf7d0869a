// One response body on its way through decompression and the search for credentials: what it was,
// how long it was, never what it said.
//
// One owner. Nothing allocates. `most` bytes are read, of what was sent and again of what it
// decompresses to; the rest is passed over and that is told.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cursor.h"
#include "event/exchange.h"
#include "evidence/credentials_reader.h"
#include "evidence/inflater.h"

namespace imds::evidence {

using event::ContentKind;

// Why a body was not read to its end. Bits.
enum BodyLoss : std::uint8_t {
  kTooLarge = 0x01,    // more than is read, or it decompresses to more
  kNotDecoded = 0x02,  // a coding that is not known, or no room to decompress it
  kBroken = 0x04,      // its compressed data or its framing is faulty
  kGap = 0x08,         // bytes of it were lost
  kUnfinished = 0x10,  // the connection ended before it
};

inline constexpr std::size_t kBodyLossCount = 5;

// The codings a Content-Encoding names. Several, or one that is not known: unknown.
[[nodiscard]] Coding coding_of(std::string_view content_encoding);

class ResponseBody {
 public:
  // Begins anew. `inflaters` must outlive the body. content() is known if `tells_content`.
  void begin(Coding coding, std::uint64_t most, Inflaters& inflaters, bool tells_content = true);
  // The next bytes, without chunk framing.
  void feed(ByteSpan bytes);
  void note_loss(BodyLoss loss);
  // So many bytes were lost here.
  void note_gap(std::uint64_t bytes);
  // Nothing more will be read: gives back what it holds. Facts stay.
  void end();

  // No further byte can tell anything.
  [[nodiscard]] bool is_over() const {
    return (losses_ & (kTooLarge | kNotDecoded | kBroken)) != 0;
  }
  [[nodiscard]] const CredentialsReader& json() const { return reader_; }
  [[nodiscard]] std::uint8_t losses() const { return losses_; }  // BodyLoss bits
  // Bytes, decompressed: those that were read or passed over.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] ContentKind content() const;
  // It begins as a page of HTML, blanks aside: no client takes it for a token or for JSON, whatever
  // it quotes. Portals answer so, whatever they are asked.
  [[nodiscard]] bool is_page() const { return is_page_; }

 private:
  void take(ByteSpan bytes);
  void look_for_page(ByteSpan bytes);

  // First what every body needs.
  Inflaters* inflaters_ = nullptr;
  std::uint64_t most_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t size_ = 0;
  Inflaters::Handle inflater_ = 0;
  Coding coding_ = Coding::identity;
  std::uint8_t losses_ = 0;
  bool has_ended_ = false;  // the compressed data did
  bool is_text_ = true;     // no control character so far
  bool tells_content_ = true;
  // Which of the beginnings in response_body.cc may stand here: decided byte by byte.
  std::uint16_t beginnings_ = 0;
  std::uint8_t position_ = 0;
  std::uint8_t pages_ = 0;  // the same, of the beginnings of pages
  std::uint8_t page_position_ = 0;
  bool is_page_ = false;
  ContentKind begins_as_ = ContentKind::unknown;
  CredentialsReader reader_;
};

}  // namespace imds::evidence
