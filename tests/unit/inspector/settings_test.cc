// What the command line says instead of the configuration, and rules as they are loaded.
#include "settings.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace imds::inspector {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Settings_ : public ::testing::Test {
 protected:
  Settings_() {
    fs::create_directories(folder_ / "rules");
    write("inspector.yaml", "rules: {paths: [rules], fields: " IMDS_CONF_DIR "/fields.yaml}\n");
    line_.config_file = (folder_ / "inspector.yaml").string();
  }
  ~Settings_() override { fs::remove_all(folder_); }

  void write(const char* name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  void expect_usage(const char* named) {
    const auto settings = load_settings(line_);
    ASSERT_FALSE(settings.has_value());
    EXPECT_EQ(settings.error().kind, ErrorKind::usage);
    EXPECT_THAT(settings.error().message, HasSubstr(named));
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("imds-settings-" + std::to_string(getpid()));
  CommandLine line_;
};

constexpr const char* kRule =
    "title: Paths\nid: 11111111-2222-4333-8444-555555555555\nlevel: high\n"
    "logsource: {category: network}\n"
    "detection: {a: {url|contains: /latest/meta-data}, condition: a}\n";

TEST_F(Settings_, TheCommandLineWins) {
  write("clients.yaml", "clients: [{kind: curl, user_agent: ['curl/*']}]\n");
  write("inspector.yaml",
        "ports: [{name: a, interface: eth7}]\nworkers: {cores: [0, 1]}\n"
        "metrics: {enabled: false}\nlog: {level: error}\nobserver: {hostname: sensor-1}\n");
  line_.interfaces = {"eth1", "eth2"};
  line_.workers = 3;
  line_.ring = "/other";
  line_.metrics_listen = "127.0.0.1:9";
  line_.log_level = "debug";
  line_.rules = {"x.yml"};
  line_.eal_arguments = {"--log-level", "8"};
  const auto settings = load_settings(line_);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  const config::Config& config = settings->config;
  ASSERT_EQ(config.ports.size(), 2u);
  EXPECT_EQ(config.ports[1].interface, "eth2");
  EXPECT_EQ(config.workers.count, 3);
  EXPECT_TRUE(config.workers.cores.empty());
  EXPECT_EQ(config.alerts.ring.name, "/other");
  EXPECT_TRUE(config.metrics.enabled);
  EXPECT_EQ(config.metrics.listen.port, 9);
  EXPECT_EQ(config.log.level, config::LogLevel::debug);
  EXPECT_THAT(config.rules.paths, ElementsAre("x.yml"));
  EXPECT_THAT(config.eal.extra_arguments, ElementsAre("--log-level", "8"));
  EXPECT_EQ(settings->hostname, "sensor-1");
}

TEST_F(Settings_, WrongOverridesAreUsageErrors) {
  line_.workers = 0;
  expect_usage("--workers 0");
  line_.workers = 100000;
  expect_usage("1 to 127");
  line_.workers.reset();
  line_.ring = "no slash";
  expect_usage("--ring no slash");
  line_.ring.reset();
  line_.interfaces = {"lo", "lo"};
  expect_usage("twice");
  line_.interfaces = {"lo,iface=eth0"};
  expect_usage("--interface lo,iface=eth0");
  line_.interfaces.clear();
  line_.metrics_listen = "[::1]:80";
  expect_usage("--metrics-listen");
  line_.metrics_listen.reset();
  line_.log_level = "loud";
  expect_usage("--log-level loud");
}

TEST_F(Settings_, WarningsSayThatTheCommandLineIsMeant) {
  line_.metrics_listen = "0.0.0.0:9";
  line_.eal_arguments = {"-l", "0"};
  const auto settings = load_settings(line_);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  ASSERT_EQ(settings->config.warnings.size(), 2u);
  for (const config::Warning& warning : settings->config.warnings) {
    EXPECT_EQ(warning.where.file, "command line") << warning.to_string();
  }
}

TEST_F(Settings_, AMissingConfigurationIsAConfigError) {
  line_.config_file = "/nonexistent/x.yaml";
  const auto settings = load_settings(line_);
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().kind, ErrorKind::config);
  EXPECT_THAT(settings.error().to_string(), HasSubstr("/nonexistent/x.yaml"));
}

TEST_F(Settings_, WithoutConfigurationABuildFindsItsSourceTree) {
  line_.config_file.reset();
  const auto settings = load_settings(line_);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  EXPECT_EQ(fs::path(settings->config_path), fs::path(IMDS_CONF_DIR) / "inspector.yaml");
}

TEST_F(Settings_, WithoutTheRuleFileNoRuleIsInForceAndThatIsSaid) {
  const auto settings = load_settings(line_);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  const auto rules = load_ruleset(settings->config.rules);
  ASSERT_TRUE(rules.has_value()) << rules.error().to_string();
  EXPECT_EQ(rules->compiled->size(), 0u);
  EXPECT_THAT(rules->warnings, Contains(HasSubstr("no *.yml")));
  EXPECT_THAT(rules->warnings, Contains(HasSubstr("nothing will alert")));
}

TEST_F(Settings_, RulesInForceAndRulesPassedOver) {
  write("rules/a.yml", kRule);
  write("rules/b.yml", "title: W\nlogsource: {product: windows}\ndetection: {}\n");
  const auto settings = load_settings(line_);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  const auto rules = load_ruleset(settings->config.rules);
  ASSERT_TRUE(rules.has_value()) << rules.error().to_string();
  EXPECT_EQ(rules->compiled->size(), 1u);
  ASSERT_EQ(rules->skipped.size(), 1u);
  EXPECT_THAT(rules->skipped[0].where.file, HasSubstr("b.yml"));
}

TEST_F(Settings_, AWrongRuleOrFieldTableIsAConfigError) {
  write("rules/a.yml", "title: [\n");
  auto settings = load_settings(line_);
  ASSERT_TRUE(settings.has_value()) << settings.error().to_string();
  const auto rules = load_ruleset(settings->config.rules);
  ASSERT_FALSE(rules.has_value());
  EXPECT_EQ(rules.error().kind, ErrorKind::config);
  EXPECT_THAT(rules.error().to_string(), HasSubstr("a.yml:"));
  settings->config.rules.fields = (folder_ / "none.yaml").string();
  const auto fields = load_ruleset(settings->config.rules);
  ASSERT_FALSE(fields.has_value());
  EXPECT_EQ(fields.error().kind, ErrorKind::config);
}

}  // namespace
}  // namespace imds::inspector
