// Samples of one scrape and the registry of those who supply them.
//
// Nothing is kept between scrapes and workers do nothing for one: a collector reads the workers'
// Counters (relaxed loads) and appends what it finds. Collectors run in the HTTP server's threads
// or in the caller of to_text(), one scrape at a time.
#pragma once

#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/families.h"

namespace imds::metrics {

struct Sample {
  Family family = Family::build_info;
  std::vector<std::string> labels;  // values, in the order of FamilyInfo::labels
  double value = 0;
};

class Samples {
 public:
  // `labels`: the values, as many and in the same order as describe(family).labels. A sample with
  // the wrong number is a mistake of the program: it asserts, and is left out in release.
  // Malformed UTF-8 in a value is replaced.
  void add(Family family, std::initializer_list<std::string_view> labels, double value);
  void add(Family family, double value) { add(family, {}, value); }

  [[nodiscard]] const std::vector<Sample>& all() const { return samples_; }

 private:
  std::vector<Sample> samples_;
};

using Collector = std::function<void(Samples&)>;

// Thread-safe. What a collector captures must outlive the registry or the exporter using it,
// whichever goes first.
class Registry {
 public:
  void add(Collector collector);

  // Runs every collector, in the order they were added.
  [[nodiscard]] Samples collect() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Collector> collectors_;
};

// Prometheus text exposition format of the samples: families in the table's order, those without
// a sample left out. What the HTTP endpoint serves, without HTTP.
[[nodiscard]] std::string to_text(const Samples& samples);

}  // namespace imds::metrics
