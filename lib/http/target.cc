#include "http/target.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "host.h"
#include "percent.h"
#include "plain_target.h"
#include "text.h"

namespace imds::http {

namespace {

// Length of "scheme:" and the slashes after it; 0 if the target does not begin with one. Readers
// of http URLs take any number of slashes, of either kind.
std::size_t scheme_prefix(std::string_view target, std::string_view& scheme) {
  std::size_t colon = 0;
  while (colon < target.size() && (is_alpha(target[colon]) ||
                                   (colon > 0 && (is_digit(target[colon]) || target[colon] == '+' ||
                                                  target[colon] == '-' || target[colon] == '.')))) {
    ++colon;
  }
  if (colon == 0 || colon == target.size() || target[colon] != ':') {
    return 0;
  }
  std::size_t end = colon + 1;
  while (end < target.size() && is_slash(target[end])) {
    ++end;
  }
  const std::string_view name = target.substr(0, colon);
  const bool web = iequals(name, "http") || iequals(name, "https");
  if (!web && end - colon - 1 < 2) {
    return 0;
  }
  scheme = name;
  return end;
}

void take_authority(std::string_view text, Target& out) {
  const Authority authority = split_authority(text);
  out.userinfo = authority.userinfo;
  out.host = authority.host;
  out.port = parse_port(authority.port);
}

void take_path_and_query(std::string_view text, Target& out) {
  const std::size_t end = std::min(text.find('#'), text.size());
  const std::size_t mark = std::min(text.find('?'), end);
  out.path = text.substr(0, mark);
  if (mark < end) {
    out.query = text.substr(mark + 1, end - mark - 1);
  }
}

// The caller's buffer, filled from the front.
struct Out {
  std::span<char> buffer;
  std::size_t size = 0;
  bool truncated = false;

  void put(std::string_view text) {
    const std::size_t count = std::min(text.size(), buffer.size() - size);
    if (count > 0) {
      std::memcpy(buffer.data() + size, text.data(), count);
    }
    size += count;
    truncated = truncated || count < text.size();
  }
  void put_lower(std::string_view text) {
    const std::size_t start = size;
    put(text);
    std::transform(buffer.data() + start, buffer.data() + size, buffer.data() + start, ascii_lower);
  }
  [[nodiscard]] std::string_view from(std::size_t start) const {
    return {buffer.data() + start, size - start};
  }
};

// Resolves slashes, parameters and dot segments in place, in one pass: what is written never
// overtakes what is read. Returns the new size.
std::size_t tidy_path(char* path, std::size_t size) {
  const std::size_t floor = size > 0 && is_slash(path[0]) ? 1 : 0;
  std::size_t read = 0;
  std::size_t written = 0;
  if (floor == 1) {
    path[written++] = '/';
  }
  while (read < size) {
    if (is_slash(path[read])) {
      ++read;
      continue;
    }
    const std::size_t begin = read;
    while (read < size && !is_slash(path[read])) {
      ++read;
    }
    std::string_view segment(path + begin, read - begin);
    segment = segment.substr(0, segment.find(';'));
    if (segment.empty() || segment == ".") {
      continue;
    }
    if (segment == "..") {
      // Back over the slash at the end, then over the segment before it.
      written -= written > floor ? 1 : 0;
      while (written > floor && path[written - 1] != '/') {
        --written;
      }
      continue;
    }
    std::memmove(path + written, segment.data(), segment.size());
    written += segment.size();
    if (read < size) {
      path[written++] = '/';
    }
  }
  return written;
}

// Appends text percent-decoded.
std::string_view put_decoded(std::string_view text, Out& out) {
  const std::size_t start = out.size;
  out.put(text);
  out.size = start + percent_decode(out.buffer.data() + start, out.size - start);
  return out.from(start);
}

// `rooted`: a reader that takes text without a leading slash for a path takes it from the root.
std::string_view put_path(std::string_view path, bool rooted, Out& out) {
  const std::size_t start = out.size;
  out.put(rooted ? "/" : "");
  put_decoded(path, out);
  out.size = start + tidy_path(out.buffer.data() + start, out.size - start);
  return out.from(start);
}

// The view is the host itself; with `in_url` an IPv6 address gets brackets around it.
std::string_view put_host(std::string_view host, bool in_url, Out& out) {
  if (const auto address = host_address(host)) {
    std::array<char, IpAddress::kLongestText> text;
    const bool brackets = in_url && address->is_v6();
    out.put(brackets ? "[" : "");
    const std::size_t start = out.size;
    out.put(address->write_to(text));
    const std::string_view domain = out.from(start);
    out.put(brackets ? "]" : "");
    return domain;
  }
  const std::size_t start = out.size;
  out.put(host);
  out.size = start + decode_host(out.buffer.data() + start, out.size - start);
  return out.from(start);
}

// The authority of an absolute or authority target, userinfo left out. The view is the host.
std::string_view put_authority(const Target& target, Out& out) {
  const std::string_view domain = put_host(target.host, true, out);
  if (target.port != 0) {
    char digits[6];
    const char* end = std::to_chars(digits, digits + sizeof digits, target.port).ptr;
    out.put(":");
    out.put({digits, static_cast<std::size_t>(end - digits)});
  }
  return domain;
}

// The raw view if the normal form says the same, so that equal readings are the same view.
std::string_view same_or(std::string_view raw, std::string_view normalised, bool& changed) {
  if (raw == normalised) {
    return raw;
  }
  changed = true;
  return normalised;
}

}  // namespace

Target split_target(std::string_view method, std::string_view target,
                    std::string_view host_header) {
  Target out;
  out.text = target;
  if (host_header.data() != nullptr) {
    take_authority(host_header, out);
    out.userinfo = {};
  }
  if (target == "*") {
    out.form = TargetForm::asterisk;
    out.path = target;
    return out;
  }
  if (const std::size_t prefix = scheme_prefix(target, out.scheme); prefix != 0) {
    const std::string_view rest = target.substr(prefix);
    const std::size_t end = std::min(rest.find_first_of("/\\?#"), rest.size());
    out.form = TargetForm::absolute;
    take_authority(rest.substr(0, end), out);
    take_path_and_query(rest.substr(end), out);
    return out;
  }
  if (iequals(method, "CONNECT") && !target.empty() && !is_slash(target.front())) {
    out.form = TargetForm::authority;
    take_authority(target, out);
    return out;
  }
  out.form = !target.empty() && is_slash(target.front()) ? TargetForm::origin : TargetForm::other;
  take_path_and_query(target, out);
  return out;
}

NormalisedTarget normalise_target(const Target& target, std::span<char> buffer) {
  // Nearly every target is written as it is meant.
  if (target.form == TargetForm::origin && is_plain_target(target.text)) {
    NormalisedTarget result{target.text, target.path, target.query, target.host, false, false};
    if (target.host.data() != nullptr && !is_normal_host(target.host)) {
      Out out{buffer, 0, false};
      result.domain = same_or(target.host, put_host(target.host, false, out), result.changed);
      result.truncated = out.truncated;
    }
    return result;
  }
  Out out{buffer, 0, false};
  std::string_view domain;
  std::string_view path;
  std::string_view query;
  const bool names_host =
      target.form == TargetForm::absolute || target.form == TargetForm::authority;
  if (target.form == TargetForm::absolute) {
    out.put_lower(target.scheme);
    out.put("://");
  }
  if (names_host) {
    domain = put_authority(target, out);
  }
  if (target.form == TargetForm::asterisk) {
    path = target.path;
    out.put(path);
  } else if (target.form != TargetForm::authority) {
    path = put_path(target.path, target.form == TargetForm::other, out);
    if (target.query.data() != nullptr) {
      out.put("?");
      query = put_decoded(target.query, out);
    }
  }
  const std::string_view whole = out.from(0);
  if (!names_host && target.host.data() != nullptr) {
    domain = put_host(target.host, false, out);
  }

  NormalisedTarget result;
  result.target = same_or(target.text, whole, result.changed);
  result.path = same_or(target.path, path, result.changed);
  result.query = same_or(target.query, query, result.changed);
  result.domain = same_or(target.host, domain, result.changed);
  result.truncated = out.truncated;
  return result;
}

}  // namespace imds::http
