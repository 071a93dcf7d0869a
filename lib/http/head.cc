#include "http/head.h"

#include <algorithm>

#include "fields.h"
#include "http/probe.h"
#include "text.h"

namespace imds::http {

namespace {

// Bounded writing: what does not fit is left out, and said.
class TextWriter {
 public:
  explicit TextWriter(std::span<char> buffer) : buffer_(buffer) {}

  void put(std::string_view text) {
    const std::size_t count = std::min(text.size(), buffer_.size() - size_);
    if (count > 0) {
      std::memcpy(buffer_.data() + size_, text.data(), count);
    }
    size_ += count;
    truncated_ = truncated_ || count < text.size();
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool truncated() const { return truncated_; }
  [[nodiscard]] std::string_view from(std::size_t start) const {
    return {buffer_.data() + start, size_ - start};
  }

 private:
  std::span<char> buffer_;
  std::size_t size_ = 0;
  bool truncated_ = false;
};

// An empty value is present all the same: a view that is not null.
std::string_view present(std::string_view value) {
  return value.data() == nullptr ? std::string_view("", 0) : value;
}

// The value with its folds replaced by one blank each (RFC 9112, 5.2).
std::string_view unfold(std::string_view value, std::string_view continuation,
                        TextWriter& scratch) {
  const std::size_t start = scratch.size();
  scratch.put(value);
  for_each_folded(continuation, [&scratch, start](std::string_view part) {
    if (scratch.size() > start) {
      scratch.put(" ");
    }
    scratch.put(part);
  });
  return scratch.from(start);
}

void parse_fields(std::string_view lines, std::span<char> scratch, HeaderBlock& out) {
  TextWriter unfolded(scratch);
  FieldReader reader(lines);
  FieldLine field;
  while (reader.next(field)) {
    ++out.count;
    out.bare_lf = out.bare_lf || field.bare_lf;
    // A line that begins with a blank but has none before it to continue is odd as well.
    out.folded = out.folded || !field.continuation.empty() || is_blank(field.first.front());
    Header header;
    if (!split_field(field.first, header.name, header.value)) {
      ++out.malformed;
      continue;
    }
    const bool blank = is_blank(*(header.name.data() + header.name.size()));
    out.blank_before_colon = out.blank_before_colon || blank;
    if (!field.continuation.empty()) {
      header.value = unfold(header.value, field.continuation, unfolded);
    }
    header.value = present(header.value);
    if (out.kept_count < kMaxHeaders) {
      out.kept[out.kept_count++] = header;
    }
    note_known(header, blank || !field.continuation.empty(), out);
  }
  out.bare_cr = out.bare_cr || reader.saw_bare_cr();
  out.unfold_truncated = unfolded.truncated();
  out.bytes = {reinterpret_cast<const std::uint8_t*>(lines.data()), reader.position()};
}

Version version_of(std::string_view text) {
  if (text == "1.1") {
    return Version::http11;
  }
  return text == "1.0" ? Version::http10 : Version::other;
}

}  // namespace

const Header* HeaderBlock::find(std::string_view name) const {
  const std::span<const Header> all = headers();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Header& h) { return iequals(h.name, name); });
  return found == all.end() ? nullptr : &*found;
}

RequestLine split_request_line(std::string_view line) {
  RequestLine out;
  std::size_t end = 0;
  while (end < line.size() && end <= kMaxMethodLength && is_token_char(line[end])) {
    ++end;
  }
  if (end == 0 || end > kMaxMethodLength || end == line.size() || !is_blank(line[end])) {
    return out;
  }
  out.method = line.substr(0, end);
  out.target = trim(line.substr(end));

  constexpr std::string_view kProtocol = "HTTP/";
  const std::size_t blank = out.target.find_last_of(" \t");
  const std::string_view last =
      blank == std::string_view::npos ? std::string_view{} : out.target.substr(blank + 1);
  if (last.size() > kProtocol.size() && starts_with_nocase(last, kProtocol) &&
      is_digit(last[kProtocol.size()])) {
    out.version = last.substr(kProtocol.size());
    out.target = trim(out.target.substr(0, blank));
    out.valid = !out.target.empty();
  } else {
    out.valid = is_known_method(out.method) && begins_target(out.target);
  }
  return out;
}

bool is_trusted(const RequestHead& head, LineTrust trust) {
  switch (trust) {
    case LineTrust::any:
      return true;
    case LineTrust::guessed:
      return head.version != Version::http09 ||
             head.target.find_first_of(" \t") == std::string_view::npos;
    case LineTrust::versioned:
      return head.version != Version::http09;
  }
  return false;
}

HeadStatus parse_request_head(ByteSpan head, std::span<char> scratch, RequestHead& out) {
  clear(out.fields);
  const std::string_view text = as_text(head);
  const Line line = line_at(text, leading_blank_lines(text));
  const RequestLine request = split_request_line(line.text);
  if (!request.valid) {
    return HeadStatus::not_http;
  }
  out.method = request.method;
  out.target = request.target;
  out.version_text = request.version.empty() ? "0.9" : request.version;
  out.version = request.version.empty() ? Version::http09 : version_of(request.version);
  out.fields.bare_lf = line.bare_lf;
  out.fields.bare_cr = line.bare_cr;
  parse_fields(text.substr(line.next), scratch, out.fields);
  return HeadStatus::ok;
}

HeadStatus parse_response_head(ByteSpan head, std::span<char> scratch, ResponseHead& out) {
  clear(out.fields);
  const std::string_view text = as_text(head);
  const Line line = line_at(text, leading_blank_lines(text));
  constexpr std::string_view kProtocol = "HTTP/";
  if (!starts_with_nocase(line.text, kProtocol)) {
    return HeadStatus::not_http;
  }
  const std::string_view rest = line.text.substr(kProtocol.size());
  const std::size_t blank = rest.find_first_of(" \t");
  if (blank == std::string_view::npos || blank == 0 || !is_digit(rest.front())) {
    return HeadStatus::not_http;
  }
  const std::string_view status = trim(rest.substr(blank));
  const bool three_digits = status.size() >= 3 && is_digit(status[0]) && status[0] != '0' &&
                            is_digit(status[1]) && is_digit(status[2]) &&
                            (status.size() == 3 || is_blank(status[3]));
  if (!three_digits) {
    return HeadStatus::not_http;
  }
  out.version_text = rest.substr(0, blank);
  out.version = version_of(out.version_text);
  out.status = static_cast<std::uint16_t>((status[0] - '0') * 100 + (status[1] - '0') * 10 +
                                          (status[2] - '0'));
  out.reason = trim(status.substr(3));
  out.fields.bare_lf = line.bare_lf;
  parse_fields(text.substr(line.next), scratch, out.fields);
  return HeadStatus::ok;
}

namespace {

// Where all of it fits: nearly all lines are copied as they stand in the head.
std::string_view write_whole(const HeaderBlock& fields, char* buffer) {
  char* out = buffer;
  for (const auto& [name, value] : fields.headers()) {
    const char* const behind = name.data() + name.size();
    if (value.data() == behind + 2 && behind[0] == ':' && behind[1] == ' ') {
      const std::size_t size = name.size() + 2 + value.size();
      std::memcpy(out, name.data(), size);
      out += size;
    } else {
      std::memcpy(out, name.data(), name.size());
      out += name.size();
      *out++ = ':';
      *out++ = ' ';
      std::memcpy(out, value.data(), value.size());
      out += value.size();
    }
    *out++ = '\n';
  }
  return {buffer, static_cast<std::size_t>(out - buffer)};
}

}  // namespace

HeaderText write_header_text(const HeaderBlock& fields, std::span<char> buffer) {
  const bool is_usual =
      fields.kept_count == fields.count && !fields.folded && fields.malformed == 0;
  // Of each line at most a colon stands in the head; its end may not.
  if (is_usual && fields.bytes.size() + 3 * fields.headers().size() <= buffer.size()) {
    return {write_whole(fields, buffer.data()), false};
  }
  TextWriter writer(buffer);
  if (is_usual) {
    for (const Header& header : fields.headers()) {
      writer.put(header.name);
      writer.put(": ");
      writer.put(header.value);
      writer.put("\n");
    }
    return {writer.from(0), writer.truncated()};
  }
  FieldReader reader(as_text(fields.bytes));
  FieldLine field;
  while (reader.next(field)) {
    std::string_view name;
    std::string_view value;
    bool blank_due = false;
    if (split_field(field.first, name, value)) {
      writer.put(name);
      writer.put(": ");
      writer.put(value);
      blank_due = !value.empty();
    } else {
      writer.put(field.first);
      blank_due = true;
    }
    for_each_folded(field.continuation, [&](std::string_view part) {
      writer.put(blank_due ? " " : "");
      writer.put(part);
      blank_due = true;
    });
    writer.put("\n");
  }
  return {writer.from(0), writer.truncated()};
}

}  // namespace imds::http
