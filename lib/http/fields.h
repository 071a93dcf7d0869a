// Header lines one logical field at a time: a line and the lines folded onto it.
#pragma once

#include <string_view>

#include "http/head.h"
#include "text.h"

namespace imds::http {

struct FieldLine {
  std::string_view first;         // without line end
  std::string_view continuation;  // the raw lines folded onto it, line ends included; may be empty
  bool bare_lf = false;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view lines) : lines_(lines) {}

  // False at the empty line or the end; position() is then just behind it. An empty line that a
  // bare CR makes does not count.
  [[nodiscard]] bool next(FieldLine& field) {
    Line line;
    do {
      if (position_ >= lines_.size()) {
        return false;
      }
      line = line_at(lines_, position_);
      position_ = line.next;
      bare_cr_ = bare_cr_ || line.bare_cr;
    } while (line.text.empty() && line.bare_cr);
    if (line.text.empty()) {
      return false;
    }
    field.first = line.text;
    field.bare_lf = line.bare_lf;
    const std::size_t fold = position_;
    while (position_ < lines_.size() && is_blank(lines_[position_])) {
      const Line folded = line_at(lines_, position_);
      field.bare_lf = field.bare_lf || folded.bare_lf;
      bare_cr_ = bare_cr_ || folded.bare_cr;
      position_ = folded.next;
    }
    field.continuation = lines_.substr(fold, position_ - fold);
    return true;
  }
  [[nodiscard]] std::size_t position() const { return position_; }
  // Some line so far had a CR without line feed.
  [[nodiscard]] bool saw_bare_cr() const { return bare_cr_; }

 private:
  std::string_view lines_;
  std::size_t position_ = 0;
  bool bare_cr_ = false;
};

// Calls put(text) for each non-empty folded part, blanks around it removed.
template <typename Put>
void for_each_folded(std::string_view continuation, Put&& put) {
  for (std::size_t at = 0; at < continuation.size();) {
    const Line line = line_at(continuation, at);
    at = line.next;
    if (const std::string_view part = trim(line.text); !part.empty()) {
      put(part);
    }
  }
}

// All but the array of kept headers, whose 4 KiB need no clearing.
inline void clear(HeaderBlock& fields) {
  fields.bytes = {};
  fields.kept_count = 0;
  fields.count = 0;
  fields.host = fields.user_agent = fields.server = fields.upgrade = fields.content_type = {};
  fields.framing = {};
  fields.folded = fields.blank_before_colon = fields.bare_lf = fields.bare_cr = false;
  fields.repeated_host = fields.unfold_truncated = false;
  fields.malformed = 0;
}

// "Name: value" split at the first colon, blanks removed. False without colon or name.
[[nodiscard]] bool split_field(std::string_view line, std::string_view& name,
                               std::string_view& value);

// Notes a header that has a place of its own in `out`: its first occurrence and what it says about
// framing. One call per header, in order. `odd_form` as for note_framing().
void note_known(const Header& header, bool odd_form, HeaderBlock& out);

// The same of a Content-Length in the usual form.
void note_content_length(std::string_view value, Framing& framing);

// Notes what a header says about framing; others are ignored. One call per header, in order.
// `odd_form`: folded, or with blanks before the colon, so that other readers may not see it.
void note_framing(std::string_view name, std::string_view value, bool odd_form, Framing& framing);

}  // namespace imds::http
