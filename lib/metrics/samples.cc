#include "metrics/samples.h"

#include <cassert>
#include <sstream>

#include <prometheus/text_serializer.h>

#include "base/text.h"
#include "conversion.h"

namespace imds::metrics {

void Samples::add(Family family, std::initializer_list<std::string_view> labels, double value) {
  if (labels.size() != describe(family).label_count) {
    assert(!"label values do not fit the family");
    return;
  }
  Sample sample{family, {}, value};
  sample.labels.reserve(labels.size());
  for (const std::string_view label : labels) {
    sample.labels.push_back(to_valid_utf8(label));
  }
  samples_.push_back(std::move(sample));
}

void Registry::add(Collector collector) {
  const std::lock_guard lock(mutex_);
  collectors_.push_back(std::move(collector));
}

Samples Registry::collect() const {
  const std::lock_guard lock(mutex_);
  Samples samples;
  for (const Collector& collector : collectors_) {
    collector(samples);
  }
  return samples;
}

std::vector<prometheus::MetricFamily> to_prometheus(const Samples& samples) {
  std::vector<prometheus::MetricFamily> families(kFamilyCount);
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    const FamilyInfo& info = all_families()[i];
    families[i].name = info.name;
    families[i].help = info.help;
    families[i].type = info.type == Type::counter ? prometheus::MetricType::Counter
                                                  : prometheus::MetricType::Gauge;
  }
  for (const Sample& sample : samples.all()) {
    const FamilyInfo& info = describe(sample.family);
    prometheus::ClientMetric metric;
    for (std::size_t i = 0; i < sample.labels.size(); ++i) {
      metric.label.push_back({std::string(info.labels[i]), sample.labels[i]});
    }
    (info.type == Type::counter ? metric.counter.value : metric.gauge.value) = sample.value;
    families[static_cast<std::size_t>(sample.family)].metric.push_back(std::move(metric));
  }
  std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
  return families;
}

std::string to_text(const Samples& samples) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, to_prometheus(samples));
  return out.str();
}

}  // namespace imds::metrics
