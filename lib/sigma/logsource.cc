#include "logsource.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "event/event.h"

namespace imds::sigma {
namespace {

using event::EventType;

constexpr std::uint32_t kEvery = (1u << event::kEventTypeCount) - 1;
constexpr std::uint32_t kNetwork = event::bit(EventType::connection) |
                                   event::bit(EventType::http_request) |
                                   event::bit(EventType::raw_match);

struct Served {
  std::string_view category;
  std::string_view service;
  std::uint32_t events;
};
// The specification's taxonomy knows the services `connection` and `dns` of the category network.
constexpr std::array<Served, 7> kServed{{
    {"network", "", kNetwork},
    {"network", "connection", event::bit(EventType::connection)},
    {"network", "dns", event::bit(EventType::dns)},
    {"dns", "", event::bit(EventType::dns)},
    {"proxy", "", kNetwork},
    {"webserver", "", kNetwork},
    {"firewall", "", kNetwork},
}};
constexpr std::string_view kOwnProduct = "imds-inspector";

void decide(Service& result) {
  const Logsource& source = result.logsource;
  if (!source.product.empty() && source.product != kOwnProduct) {
    result.not_served = "product " + in_quotes(source.product) +
                        " is not served: the inspector sees the network, not logs of products";
    return;
  }
  if (source.category.empty() && source.service.empty()) {
    result.events = kEvery;  // the product alone
    return;
  }
  const auto served = std::find_if(kServed.begin(), kServed.end(), [&](const Served& entry) {
    return entry.category == source.category && entry.service == source.service;
  });
  if (served != kServed.end()) {
    result.events = served->events;
    result.has_answers = served->events == kNetwork;
    return;
  }
  result.not_served =
      source.category.empty()
          ? "service " + in_quotes(source.service) + " without a category"
          : "category " + in_quotes(source.category) +
                (source.service.empty() ? std::string()
                                        : " with service " + in_quotes(source.service));
  result.not_served +=
      " is not served; served are the categories network, proxy, webserver, firewall and dns, "
      "network with service connection or dns, and the product imds-inspector";
}

}  // namespace

Result<Service> read_logsource(const Context& context, const Node& node, const Node& document) {
  if (!node.is_map()) {
    return context.error(node.is_null() ? document.position : node.position,
                         "expected a map with category, product or service under 'logsource'");
  }
  Service result;
  const std::array<std::pair<std::string_view, std::string*>, 3> parts{
      {{"category", &result.logsource.category},
       {"product", &result.logsource.product},
       {"service", &result.logsource.service}}};
  bool given = false;
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const Node& key = node.keys[i];
    const Node& value = node.children[i];
    const auto part = std::find_if(parts.begin(), parts.end(),
                                   [&](const auto& p) { return p.first == key.text; });
    if (part == parts.end()) {
      // `definition` and custom keys only inform; a slip would widen the rule unnoticed.
      const std::array<std::string_view, 3> names{"category", "product", "service"};
      const std::string_view near = nearest(key.text, names);
      if (!near.empty()) {
        return context.error(key.position, "unknown logsource attribute " + in_quotes(key.text) +
                                               did_you_mean(near));
      }
      continue;
    }
    if (!value.is_scalar() || value.text.empty()) {
      return context.error(value.is_null() ? key.position : value.position,
                           "expected a name for " + in_quotes(key.text));
    }
    std::transform(value.text.begin(), value.text.end(), std::back_inserter(*part->second),
                   ascii_lower);
    given = true;
  }
  if (!given) {
    return context.error(node.position, "expected category, product or service under 'logsource'");
  }
  decide(result);
  return result;
}

}  // namespace imds::sigma
