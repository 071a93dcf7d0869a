// conf/prometheus and conf/grafana: valid for Prometheus, and speaking only of metrics there are.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "metrics/families.h"
#include "promtool.h"

namespace imds::metrics {
namespace {

const std::string kConf = std::string(SOURCE_FOLDER) + "/conf/";

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

nlohmann::json dashboard() {
  return nlohmann::json::parse(text_of(kConf + "grafana/dashboards/imds-inspector.json"));
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

// Every panel's expressions as plain PromQL.
std::vector<std::string> panel_expressions() {
  const nlohmann::json board = dashboard();
  std::vector<std::string> expressions;
  for (const auto& panel : board.at("panels")) {
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      std::string expression = target.at("expr");
      replace_all(expression, "$__rate_interval", "1m");
      replace_all(expression, "$instance", ".*");
      expressions.push_back(expression);
    }
  }
  return expressions;
}

std::set<std::string> metric_names_in(const std::string& text) {
  static const std::regex kName("imds_inspector_[a-z0-9_]+");
  std::set<std::string> names;
  for (std::sregex_iterator it(text.begin(), text.end(), kName), end; it != end; ++it) {
    names.insert(it->str());
  }
  return names;
}

std::set<std::string> known_names() {
  std::set<std::string> names;
  for (const FamilyInfo& info : all_families()) {
    names.insert(std::string(info.name));
  }
  return names;
}

TEST(ShippedPrometheus, ConfigurationAndRulesAreValid) {
  EXPECT_EQ(promtool("check config " + kConf + "prometheus/prometheus.yml"), "");
}

TEST(ShippedPrometheus, AlertsFireWhenTheyShould) {
  EXPECT_EQ(promtool("test rules " + std::string(SOURCE_FOLDER) +
                     "/tests/unit/metrics/alert_rules_test.yml"),
            "");
}

TEST(ShippedPrometheus, RulesNameOnlyMetricsThereAre) {
  const std::set<std::string> used =
      metric_names_in(text_of(kConf + "prometheus/imds-inspector.rules.yml"));
  EXPECT_GT(used.size(), 10u);
  EXPECT_THAT(used, ::testing::Each(::testing::AnyOfArray(known_names())));
}

TEST(ShippedGrafana, PanelsNameOnlyMetricsThereAre) {
  std::set<std::string> used;
  for (const std::string& expression : panel_expressions()) {
    const std::set<std::string> names = metric_names_in(expression);
    EXPECT_FALSE(names.empty()) << expression;
    used.insert(names.begin(), names.end());
  }
  EXPECT_GT(used.size(), 25u);
  EXPECT_THAT(used, ::testing::Each(::testing::AnyOfArray(known_names())));
}

// Prometheus parses each expression, as the expression of a recording rule.
TEST(ShippedGrafana, ExpressionsArePlainPromql) {
  std::string rules = "groups:\n- name: panels\n  rules:\n";
  std::size_t count = 0;
  for (const std::string& expression : panel_expressions()) {
    EXPECT_EQ(expression.find('$'), std::string::npos) << expression;
    rules += "  - record: panel:" + std::to_string(count++) +
             "\n    expr: " + nlohmann::json(expression).dump() + "\n";
  }
  EXPECT_GT(count, 30u);
  const std::string file =
      ::testing::TempDir() + "metrics_panels_" + std::to_string(getpid()) + ".yml";
  std::ofstream(file) << rules;
  EXPECT_EQ(promtool("check rules " + file), "");
  std::remove(file.c_str());
}

TEST(ShippedGrafana, PanelsAreCompleteAndDoNotOverlap) {
  std::set<int> ids;
  std::set<std::pair<int, int>> cells;
  const nlohmann::json board = dashboard();
  for (const auto& panel : board.at("panels")) {
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second);
    EXPECT_FALSE(panel.at("title").get<std::string>().empty());
    const auto& grid = panel.at("gridPos");
    for (int x = grid.at("x"); x < grid.at("x").get<int>() + grid.at("w").get<int>(); ++x) {
      EXPECT_LT(x, 24) << panel.at("title");
      for (int y = grid.at("y"); y < grid.at("y").get<int>() + grid.at("h").get<int>(); ++y) {
        EXPECT_TRUE(cells.emplace(x, y).second) << panel.at("title");
      }
    }
    if (panel.at("type") != "row") {
      EXPECT_EQ(panel.at("datasource").at("uid"), "imds-prometheus");
      EXPECT_FALSE(panel.at("description").get<std::string>().empty());
      EXPECT_FALSE(panel.at("targets").empty());
    }
  }
  EXPECT_GT(ids.size(), 30u);
}

TEST(ShippedGrafana, ProvisioningNamesTheDatasourceOfThePanels) {
  EXPECT_THAT(text_of(kConf + "grafana/provisioning/datasources/prometheus.yaml"),
              ::testing::HasSubstr("uid: imds-prometheus\n"));
}

}  // namespace
}  // namespace imds::metrics
