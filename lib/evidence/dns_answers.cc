#include "evidence/dns_answers.h"

#include <algorithm>
#include <cstring>

namespace imds::evidence {

void DnsAnswers::read(DnsReader& reader) {
  size_ = 0;
  count_ = 0;
  cut_ = false;
  first_owner_size_ = 0;
  first_type_ = 0;
  DnsAnswer answer;
  for (bool first = true; !cut_ && reader.next_answer(answer); first = false) {
    if (first) {
      note_first(answer);
    }
    add(answer);
  }
}

void DnsAnswers::note_first(const DnsAnswer& answer) {
  first_type_ = answer.type;
  first_owner_size_ = std::min(answer.owner.size(), first_owner_.size());
  std::copy_n(answer.owner.begin(), first_owner_size_, first_owner_.begin());
}

void DnsAnswers::add(const DnsAnswer& answer) {
  const std::size_t begin = size_;
  if (answer.address.is_set()) {
    std::array<char, IpAddress::kLongestText> room;
    (void)append(answer.address.write_to(room));
  } else if (!answer.name.empty()) {
    (void)append(answer.name);
  } else {
    // A text whose length lies goes to the record's end.
    for (ByteSpan rest = answer.strings; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest[0], rest.size() - 1);
      if (!append({reinterpret_cast<const char*>(rest.data()) + 1, size})) {
        break;
      }
      rest = rest.subspan(1 + size);
    }
  }
  end_text(begin);
}

// What fits of it. False: not all did.
bool DnsAnswers::append(std::string_view text) {
  const std::size_t fits = std::min(text.size(), bytes_.size() - size_);
  std::memcpy(bytes_.data() + size_, text.data(), fits);
  size_ += fits;
  cut_ = cut_ || fits < text.size();
  return fits == text.size();
}

void DnsAnswers::end_text(std::size_t begin) {
  if (size_ == begin) {
    return;
  }
  if (count_ == texts_.size()) {
    cut_ = true;
    return;
  }
  texts_[count_++] = {bytes_.data() + begin, size_ - begin};
}

}  // namespace imds::evidence
