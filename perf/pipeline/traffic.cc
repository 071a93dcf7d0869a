#include "traffic.h"

#include <fstream>
#include <map>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "must.h"

namespace imds::bench {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

traces::Profile profile_named(const std::string& name) {
  auto profile = traces::find_profile(name);
  if (!profile) {
    throw std::runtime_error("there is no profile '" + name +
                             "'; imds-tracegen --list names those there are");
  }
  return *profile;
}

Traffic generate(const TrafficRequest& request, port::ReplayOptions options) {
  const traces::Profile profile = profile_named(request.profile);
  Traffic traffic;
  if (!profile.rewrite.is_none()) {
    traffic.rewrites = true;
    options.rewrite = port::ReplayRewrite{profile.rewrite.clients, profile.rewrite.step};
  }
  traces::Summary summary;
  traffic.queues = must(port::ReplaySource::from_frames(
      [&](const port::ReplaySource::EmitFrame& emit) {
        summary = traces::generate(
            profile, request.packets != 0 ? request.packets : profile.packets, request.seed,
            [&emit](Timestamp time, const support::Bytes& frame) { emit(time, frame); });
      },
      options));
  traffic.profile = profile.name;
  traffic.flows = summary.flows;
  traffic.concurrent_flows = summary.concurrent;
  traffic.loops_to_fill = summary.loops_to_fill;
  traffic.expected = summary.alerts;
  return traffic;
}

// As imds-tracegen writes it.
Traffic read(const TrafficRequest& request, port::ReplayOptions options) {
  const std::string path = request.trace + ".expected.json";
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("cannot read " + path + ": make traces with imds-tracegen");
  }
  const nlohmann::json expected = nlohmann::json::parse(file);
  Traffic traffic;
  if (const auto rewrite = expected.find("rewrite"); rewrite != expected.end()) {
    const auto text = rewrite->at("clients").get<std::string>();
    const auto clients = IpPrefix::parse(text);
    if (!clients) {
      throw std::runtime_error(path + ": '" + text + "' is no prefix");
    }
    traffic.rewrites = true;
    options.rewrite = port::ReplayRewrite{*clients, rewrite->at("step").get<std::uint32_t>()};
    traffic.loops_to_fill = rewrite->at("loops_to_fill").get<std::uint64_t>();
  }
  traffic.queues = must(port::ReplaySource::from_captures({request.trace}, options));
  traffic.profile = expected.at("profile").get<std::string>();
  traffic.flows = expected.at("flows").get<std::uint64_t>();
  traffic.concurrent_flows = expected.value("concurrent_flows", std::uint64_t{0});
  traffic.expected.by_event = expected.at("alerts").get<Counts>();
  traffic.expected.by_rule = expected.value("alerts_by_rule", Counts{});
  return traffic;
}

}  // namespace

std::uint64_t Traffic::packets() const {
  std::uint64_t sum = 0;
  for (const auto& queue : queues) {
    sum += queue->packets();
  }
  return sum;
}

std::uint64_t Traffic::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& queue : queues) {
    sum += queue->bytes();
  }
  return sum;
}

std::uint64_t Traffic::memory_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& queue : queues) {
    sum += queue->memory_bytes();
  }
  return sum;
}

Traffic make_traffic(const TrafficRequest& request) {
  port::ReplayOptions options;
  options.loops = 0;
  options.queues = request.queues;
  options.huge_pages = request.huge_pages;
  return request.trace.empty() ? generate(request, options) : read(request, options);
}

std::uint64_t flows_of_profile(const std::string& profile) {
  return profile_named(profile).flows;
}

}  // namespace imds::bench
