// The command line: what is understood, and what is refused.
#include "command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace imds::inspector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Result<CommandLine> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "imds-inspector");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, NothingGivenIsLiveByTheConfiguration) {
  const auto line = parse({});
  ASSERT_TRUE(line.has_value());
  EXPECT_THAT(line->read, IsEmpty());
  EXPECT_FALSE(line->config_file.has_value());
  EXPECT_FALSE(line->check || line->inject_test || line->help || line->version);
}

TEST(CommandLine, RepeatedOptionsKeepTheirOrder) {
  const auto line = parse({"--read", "b.pcap", "--rules", "r1", "--read=a.pcap", "--rules", "r2",
                           "--read", "-", "--format", "ecs"});
  ASSERT_TRUE(line.has_value()) << line.error().message;
  EXPECT_THAT(line->read, ElementsAre("b.pcap", "a.pcap", "-"));
  EXPECT_THAT(line->rules, ElementsAre("r1", "r2"));
  EXPECT_EQ(line->format, OutputFormat::ecs);
}

TEST(CommandLine, ThrottleIsForCaptures) {
  EXPECT_FALSE(parse({"--read", "a.pcap"})->throttle);
  EXPECT_TRUE(parse({"--read", "a.pcap", "--throttle"})->throttle);
  const auto live = parse({"--throttle"});
  ASSERT_FALSE(live.has_value());
  EXPECT_EQ(live.error().kind, ErrorKind::usage);
  EXPECT_THAT(live.error().message, HasSubstr("--throttle needs --read"));
}

TEST(CommandLine, WhatFollowsTheSeparatorIsForDpdk) {
  const auto line = parse({"--interface", "eth1", "--", "--log-level", "*:debug", "--", "-v"});
  ASSERT_TRUE(line.has_value()) << line.error().message;
  EXPECT_THAT(line->interfaces, ElementsAre("eth1"));
  EXPECT_THAT(line->eal_arguments, ElementsAre("--log-level", "*:debug", "--", "-v"));
}

TEST(CommandLine, OverridesAreTakenAsGiven) {
  const auto line = parse({"--workers", "3", "--ring", "/r", "--metrics-listen", "127.0.0.1:1",
                           "--log-level", "debug", "--config", "c.yaml", "--inject-test"});
  ASSERT_TRUE(line.has_value()) << line.error().message;
  EXPECT_EQ(line->workers, 3u);
  EXPECT_EQ(line->ring, "/r");
  EXPECT_EQ(line->metrics_listen, "127.0.0.1:1");
  EXPECT_EQ(line->log_level, "debug");
  EXPECT_EQ(line->config_file, "c.yaml");
  EXPECT_TRUE(line->inject_test);
}

TEST(CommandLine, HelpWinsOverEverythingElse) {
  EXPECT_TRUE(parse({"-h"})->help);
  EXPECT_TRUE(parse({"--read", "x", "--inject-test", "--help"})->help);
  EXPECT_THAT(help_text(), HasSubstr("--inject-test"));
  EXPECT_THAT(help_text(), HasSubstr("4 environment"));
}

struct Refused {
  std::vector<const char*> arguments;
  const char* named;
};

class Usage : public ::testing::TestWithParam<Refused> {};

TEST_P(Usage, IsRefusedAndSaysWhy) {
  const auto line = parse(GetParam().arguments);
  ASSERT_FALSE(line.has_value());
  EXPECT_EQ(line.error().kind, ErrorKind::usage);
  EXPECT_THAT(line.error().message, HasSubstr(GetParam().named));
}

INSTANTIATE_TEST_SUITE_P(
    All, Usage,
    ::testing::Values(Refused{{"--reed", "x"}, "--reed"},                  // misspelt
                      Refused{{"--rea", "x"}, "--rea"},                    // abbreviated
                      Refused{{"--read"}, "--read"},                       // without value
                      Refused{{"--read", "--", "x"}, "--read"},            // the same
                      Refused{{"x.pcap"}, "--read"},                       // without option
                      Refused{{"--format", "xml", "--read", "x"}, "xml"},  //
                      Refused{{"--format", "ecs"}, "--format"},  // live alerts go elsewhere
                      Refused{{"--metrics-text", "-"}, "--metrics-text"},  //
                      Refused{{"--workers", "two"}, "two"},                //
                      Refused{{"--workers", "1", "--workers", "2"}, "--workers"},
                      Refused{{"--read", "x", "--inject-test"}, "--inject-test"},
                      Refused{{"--read", "x", "--reload"}, "--reload"},
                      Refused{{"--check", "--reload"}, "--reload"},
                      Refused{{"--inject-test", "--reload"}, "--reload"},
                      Refused{{"--read", "x", "--interface", "lo"}, "--interface"},
                      Refused{{"--read", "x", "--workers", "2"}, "--workers"}));

}  // namespace
}  // namespace imds::inspector
