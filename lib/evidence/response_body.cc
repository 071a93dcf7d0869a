#include "evidence/response_body.h"

#include <algorithm>
#include <array>

#include "base/simd.h"
#include "base/text.h"

namespace imds::evidence {

namespace {

struct Beginning {
  std::string_view text;  // lower case
  ContentKind kind;
};
constexpr std::array<Beginning, 15> kBeginnings{{
    {"#!", ContentKind::shell_script},
    {"#cloud-config", ContentKind::cloud_config},
    {"#include", ContentKind::cloud_init},
    {"#cloud-boothook", ContentKind::cloud_init},
    {"#part-handler", ContentKind::cloud_init},
    {"#upstart-job", ContentKind::cloud_init},
    {"## template:", ContentKind::cloud_init},
    {"content-type:", ContentKind::mime},
    {"mime-version:", ContentKind::mime},
    {"<powershell>", ContentKind::powershell},
    {"<script>", ContentKind::powershell},
    {"\x1f\x8b", ContentKind::gzip},
    {"{", ContentKind::json},
    {"[", ContentKind::json},
    {"\xef\xbb\xbf{", ContentKind::json},
}};
static_assert(kBeginnings.size() < 16);
constexpr std::uint16_t kAllBeginnings = (1u << kBeginnings.size()) - 1;
constexpr std::array<std::string_view, 3> kPages{"<!doctype html", "<html", "<head"};
constexpr std::uint8_t kAllPages = (1u << kPages.size()) - 1;
// White space, and the bytes of a byte order mark.
bool is_before_page(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\xef' || c == '\xbb' ||
         c == '\xbf';
}
// How much of a body is looked at to tell text from other bytes.
constexpr std::uint64_t kLookedAt = 4096;

// All below 0x20 but \t, \n, \f and \r; and 0x7f.
std::uint32_t controls_in(Block32 block) {
  return (block.within('\0', '\b') | block.equal('\v') | block.within('\x0e', '\x1f') |
          block.equal('\x7f'))
      .mask();
}

bool is_control(std::uint8_t c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7f;
}

bool holds_control(ByteSpan bytes) {
  if (bytes.size() < Block32::kSize) {
    return std::any_of(bytes.begin(), bytes.end(), is_control);
  }
  for (std::size_t at = 0; at + Block32::kSize <= bytes.size(); at += Block32::kSize) {
    if (controls_in(Block32::load(&bytes[at])) != 0) {
      return true;
    }
  }
  return controls_in(Block32::load(bytes.data() + bytes.size() - Block32::kSize)) != 0;
}

}  // namespace

Coding coding_of(std::string_view content_encoding) {
  if (content_encoding.empty() || iequals(content_encoding, "identity")) {
    return Coding::identity;
  }
  if (iequals(content_encoding, "gzip") || iequals(content_encoding, "x-gzip")) {
    return Coding::gzip;
  }
  return iequals(content_encoding, "deflate") ? Coding::deflate : Coding::unknown;
}

void ResponseBody::begin(Coding coding, std::uint64_t most, Inflaters& inflaters,
                         bool tells_content) {
  end();
  reader_.begin();
  inflaters_ = &inflaters;
  most_ = most;
  received_ = size_ = 0;
  coding_ = coding;
  losses_ = 0;
  has_ended_ = false;
  is_text_ = true;
  tells_content_ = tells_content;
  beginnings_ = kAllBeginnings;
  position_ = 0;
  begins_as_ = ContentKind::unknown;
  pages_ = kAllPages;
  page_position_ = 0;
  is_page_ = false;
  if (coding == Coding::gzip || coding == Coding::deflate) {
    inflater_ = inflaters.take(coding);
  }
  if (coding == Coding::unknown || (coding != Coding::identity && inflater_ == 0)) {
    losses_ |= kNotDecoded;
  }
}

void ResponseBody::feed(ByteSpan bytes) {
  if (is_over() || has_ended_) {
    size_ += coding_ == Coding::identity ? bytes.size() : 0;
    return;
  }
  const std::uint64_t left = most_ - received_;
  const ByteSpan part =
      bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size())));
  received_ += part.size();
  if (coding_ == Coding::identity) {
    take(part);
    size_ += bytes.size() - part.size();
  } else {
    switch (inflaters_->inflate(inflater_, part, most_ - size_,
                                [this](ByteSpan plain) { take(plain); })) {
      case Inflaters::Result::more:
        break;
      case Inflaters::Result::ended:
        has_ended_ = true;
        break;
      case Inflaters::Result::full:
        note_loss(kTooLarge);
        break;
      case Inflaters::Result::broken:
        note_loss(kBroken);
        break;
    }
  }
  if (part.size() < bytes.size()) {
    note_loss(kTooLarge);
  }
}

void ResponseBody::take(ByteSpan bytes) {
  if (pages_ != 0) {
    look_for_page(bytes);
  }
  if (tells_content_ && size_ < kLookedAt) {
    const auto looked = bytes.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kLookedAt - size_)));
    is_text_ = is_text_ && !holds_control(looked);
    for (std::size_t i = 0; i < looked.size() && beginnings_ != 0; ++i, ++position_) {
      const char c = ascii_lower(static_cast<char>(looked[i]));
      for (std::size_t b = 0; b < kBeginnings.size(); ++b) {
        const std::string_view text = kBeginnings[b].text;
        const bool possible = (beginnings_ & (1u << b)) != 0;
        if (possible && text[position_] != c) {
          beginnings_ &= static_cast<std::uint16_t>(~(1u << b));
        } else if (possible && position_ + 1u == text.size()) {
          begins_as_ = kBeginnings[b].kind;
          beginnings_ = 0;
          break;
        }
      }
    }
  }
  size_ += bytes.size();
  reader_.feed(bytes);
}

void ResponseBody::look_for_page(ByteSpan bytes) {
  for (std::size_t i = 0; i < bytes.size() && pages_ != 0; ++i) {
    const char c = ascii_lower(static_cast<char>(bytes[i]));
    if (page_position_ == 0 && is_before_page(c)) {
      continue;
    }
    for (std::size_t p = 0; p < kPages.size(); ++p) {
      const std::string_view text = kPages[p];
      const bool possible = (pages_ & (1u << p)) != 0;
      if (possible && text[page_position_] != c) {
        pages_ &= static_cast<std::uint8_t>(~(1u << p));
      } else if (possible && page_position_ + 1u == text.size()) {
        is_page_ = true;
        pages_ = 0;
        return;
      }
    }
    ++page_position_;
  }
}

void ResponseBody::note_loss(BodyLoss loss) {
  losses_ |= loss;
  if (is_over() && inflater_ != 0) {
    inflaters_->give_back(inflater_);
  }
}

void ResponseBody::note_gap(std::uint64_t bytes) {
  note_loss(kGap);
  if (coding_ != Coding::identity) {
    note_loss(kBroken);  // what follows cannot be decompressed
    return;
  }
  size_ += bytes;
  received_ += std::min(bytes, most_ - received_);
  beginnings_ = 0;
  pages_ = 0;
  reader_.note_gap();
}

void ResponseBody::end() {
  if (inflater_ != 0) {
    inflaters_->give_back(inflater_);
  }
}

ContentKind ResponseBody::content() const {
  if (!tells_content_) {
    return ContentKind::unknown;
  }
  if (begins_as_ != ContentKind::unknown) {
    return begins_as_;
  }
  if (size_ == 0) {
    return losses_ == 0 ? ContentKind::empty : ContentKind::unknown;
  }
  return is_text_ ? ContentKind::text : ContentKind::binary;
}

}  // namespace imds::evidence
