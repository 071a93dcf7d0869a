#include <algorithm>

#include "base/text.h"
#include "checks.h"
#include "schema.h"

namespace imds::config {
namespace {

void read_user_agent(const Value& value, std::string& out) {
  value.text(out, check_user_agent);
}

std::optional<std::uint16_t> vlan_id(std::string_view text) {
  const std::optional<std::uint64_t> id = parse_whole_number(text);
  if (!id || *id < 1 || *id > 4094) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(*id);
}

void read_vlan_range(const Value& value, VlanRange& range) {
  const std::optional<std::string_view> text = value.scalar();
  if (text == "untagged") {
    range = {0, 0};
    return;
  }
  if (text) {
    const std::size_t dash = text->find('-');
    const auto first = vlan_id(text->substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : vlan_id(text->substr(dash + 1));
    if (first && last && *first <= *last) {
      range = {*first, *last};
      return;
    }
  }
  value.fail("expected a VLAN id from 1 to 4094, a range such as 100-199, or untagged");
}

void read_responder(const Value& value, Responder& responder) {
  const std::optional<std::string_view> text = value.scalar();
  if (const auto mac = parse_mac(text.value_or("")); mac && !mac->is_zero()) {
    responder.mac = *mac;
  } else if (const auto prefix = IpPrefix::parse(text.value_or(""))) {
    responder.address = *prefix;
  } else {
    value.fail("expected a MAC address such as 02:00:5e:10:00:01, an address or a prefix");
  }
}

void read_instant(Section& s, std::string_view key, bool whole_day, std::optional<Timestamp>& out) {
  if (const auto value = s.value(key)) {
    out = parse_instant(value->scalar().value_or(""), whole_day);
    if (!out) {
      value->fail("expected a date such as 2026-12-31 or a time such as 2026-12-31T18:00:00Z");
    }
  }
}

void read_hours(const Value& value, DailyHours& hours) {
  if (const auto parsed = parse_hours(value.scalar().value_or(""))) {
    hours = *parsed;
  } else {
    value.fail("expected hours of a day in UTC, such as 22:00-06:00");
  }
}

void read_times(Section& s, Suppression& suppression) {
  read_instant(s, "from", false, suppression.from);
  read_instant(s, "until", true, suppression.until);
  if (suppression.from && suppression.until && *suppression.until <= *suppression.from) {
    s.fail("until is not after from");
  }
  s.list("daily", suppression.daily, kMaxListElements, read_hours);
}

}  // namespace

void read_rule_id(const Value& value, std::string& out) {
  value.text(out, check_rule_id);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
}

void read_tag(const Value& value, std::string& out) {
  value.text(out, check_tag);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
}

void read_suppression(const Value& value, Suppression& suppression) {
  suppression.where = value.origin();
  value.section([&](Section& s) {
    if (!s.text("name", suppression.name, check_name)) {
      s.fail("a suppression needs a name");
    }
    s.list("source", suppression.source, kMaxListElements, read_prefix);
    s.list("destination", suppression.destination, kMaxListElements, read_prefix);
    s.list("outer", suppression.outer, kMaxListElements, read_prefix);
    s.list("vlan", suppression.vlan, kMaxListElements, read_vlan_range);
    s.list("endpoint", suppression.endpoint, kMaxListElements, read_text);
    s.list("rule", suppression.rule, kMaxListElements, read_rule_id);
    s.list("tag", suppression.tag, kMaxListElements, read_tag);
    s.list("user_agent", suppression.user_agent, kMaxListElements, read_user_agent);
    s.list("responder", suppression.responder, kMaxListElements, read_responder);
    read_times(s, suppression);
  });
}

}  // namespace imds::config
