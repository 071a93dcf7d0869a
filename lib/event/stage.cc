#include "event/stage.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <charconv>

namespace imds::event {
namespace {

constexpr std::array<std::string_view, kStageCount> kNames{"claimed", "attempted",   "answered",
                                                           "token",   "credentials", "used"};

constexpr std::size_t names_size() {
  std::size_t size = 0;
  for (const std::string_view name : kNames) {
    size += name.size();
  }
  return size;
}
static_assert(names_size() + kStageCount * std::string_view("+4294967.295s ").size() <=
              kMaxTimelineText);

class Writer {
 public:
  explicit Writer(std::span<char> room) : room_(room) {}
  void add(std::string_view text) {
    assert(size_ + text.size() <= room_.size());
    std::copy(text.begin(), text.end(), room_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }
  void add(std::uint32_t number, std::size_t digits) {
    std::array<char, 10> text;
    const auto [end, problem] = std::to_chars(text.data(), text.data() + text.size(), number);
    const auto size = static_cast<std::size_t>(end - text.data());
    for (std::size_t i = size; i < digits; ++i) {
      add("0");
    }
    add({text.data(), size});
  }
  [[nodiscard]] std::string_view text() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  std::size_t size_ = 0;
};

}  // namespace

std::string_view name(Stage stage) {
  return kNames[static_cast<std::size_t>(stage)];
}

Stage reached_by(EventType type, Answer answer, Delivered delivered) {
  switch (type) {
    case EventType::address_claim:
      return Stage::claimed;
    case EventType::responder:
      return counts_as_answered(answer) ? Stage::answered : Stage::attempted;
    case EventType::http_response:
      return Stage::answered;
    case EventType::token_issued:
      return Stage::token;
    case EventType::credentials_delivered:  // or a document, which gives no access
      return delivered == Delivered::credentials ? Stage::credentials : Stage::answered;
    case EventType::credentials_used:
      return Stage::used;
    default:
      return Stage::attempted;
  }
}

Stage Timeline::furthest() const {
  return static_cast<Stage>(std::bit_width(unsigned{reached}) - 1);
}

std::string_view Timeline::fresh_name() const {
  return fresh == 0 ? std::string_view() : kNames[std::bit_width(unsigned{fresh}) - 1u];
}

std::string_view timeline_text(const Timeline& timeline, std::span<char, kMaxTimelineText> room) {
  std::array<std::size_t, kStageCount> order{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < kStageCount; ++i) {
    if (timeline.has(static_cast<Stage>(i))) {
      order[count++] = i;
    }
  }
  std::stable_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
      [&](std::size_t a, std::size_t b) { return timeline.after_ms[a] < timeline.after_ms[b]; });
  Writer text(room);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t after = timeline.after_ms[order[i]];
    text.add(i == 0 ? "" : " ");
    text.add(kNames[order[i]]);
    text.add("+");
    text.add(after / 1000, 1);
    text.add(".");
    text.add(after % 1000, 3);
    text.add("s");
  }
  return text.text();
}

}  // namespace imds::event
