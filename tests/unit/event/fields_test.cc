#include "event/fields.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "event/event.h"

namespace imds::event {
namespace {

class AliasFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("imds-fields-" + std::to_string(getpid()) + ".yaml");
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Result<FieldTable> load(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return FieldTable::load(path_);
  }
  // Expects an error at that place whose message contains `part`.
  void expect_error(const std::string& text, int line, int column, const std::string& part) {
    const auto table = load(text);
    ASSERT_FALSE(table.has_value()) << text;
    EXPECT_EQ(table.error().kind, ErrorKind::config);
    EXPECT_EQ(table.error().where.file, path_.string());
    EXPECT_EQ(table.error().where.line, line) << table.error().to_string();
    EXPECT_EQ(table.error().where.column, column) << table.error().to_string();
    EXPECT_NE(table.error().message.find(part), std::string::npos) << table.error().message;
  }

  std::filesystem::path path_;
};

TEST(Describe, EveryFieldHasItsOwnNameAndSomeEvent) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const FieldDescription& field = describe(static_cast<FieldId>(i));
    EXPECT_EQ(static_cast<std::size_t>(field.id), i);
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_NE(field.events, 0u) << field.name;
  }
}

TEST(Describe, FieldsOfRequestsAreNotFieldsOfConnections) {
  EXPECT_EQ(describe(FieldId::url).events & bit(EventType::connection), 0u);
  EXPECT_NE(describe(FieldId::url).events & bit(EventType::raw_match), 0u);
  EXPECT_EQ(describe(FieldId::url_path).events,
            bit(EventType::http_request) | bit(EventType::http_response) |
                bit(EventType::token_issued) | bit(EventType::credentials_delivered));
  EXPECT_EQ(describe(FieldId::raw).events, bit(EventType::raw_match));
  EXPECT_NE(describe(FieldId::source_mac).events & bit(EventType::address_claim), 0u);
}

TEST(FieldTable, KnowsEveryHeaderByName) {
  const FieldTable table;
  const FieldRef token{FieldId::request_header, "x-aws-ec2-metadata-token"};
  for (const char* name :
       {"http.request.header.x-aws-ec2-metadata-token",
        "http.request.headers.X-aws-ec2-metadata-token", "request_headers.X-AWS-EC2-Metadata-Token",
        "cs(X-aws-ec2-metadata-token)"}) {
    EXPECT_EQ(table.resolve(name), token) << name;
  }
  EXPECT_EQ(field_name(token), "http.request.header.x-aws-ec2-metadata-token");
  EXPECT_EQ(table.resolve("http.response.header.Server"),
            (FieldRef{FieldId::response_header, "server"}));
  // The Host header has a field of its own.
  EXPECT_EQ(table.resolve("cs(Host)"), (FieldRef{FieldId::http_host, {}}));
  EXPECT_EQ(table.find("http.request.header.cookie"), FieldId::request_header);
  for (const char* name : {"http.request.header.", "http.request.header.*", "cs()", "cs(a b)",
                           "http.request.header.a:b", "request_headers.", "cs(Cookie"}) {
    EXPECT_EQ(table.resolve(name), std::nullopt) << name;
  }
  EXPECT_EQ(table.resolve("cs(" + std::string(65, 'a') + ")"), std::nullopt);
}

TEST_F(AliasFile, HeadersHaveAliases) {
  const auto table = load("http.request.header.cookie: [cs-cookie]\n");
  ASSERT_TRUE(table) << table.error().to_string();
  EXPECT_EQ(table->resolve("cs-cookie"), (FieldRef{FieldId::request_header, "cookie"}));
  expect_error("cs(Cookie): [a]\n", 1, 1, "is no field of any event");
  expect_error("http.request.header.Cookie: [a]\n", 1, 1, "is no field of any event");
}

TEST(FieldTable, KnowsCanonicalNames) {
  const FieldTable table;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const FieldDescription& field = describe(static_cast<FieldId>(i));
    EXPECT_EQ(table.find(is_single_header(field.id) ? field_name({field.id, "x"})
                                                    : std::string(field.name)),
              field.id);
  }
  EXPECT_EQ(table.find("dst_ip"), std::nullopt);
  EXPECT_EQ(table.find(""), std::nullopt);
}

TEST(FieldTable, NamesCompareExactly) {
  EXPECT_EQ(FieldTable().find("Source.IP"), std::nullopt);
}

TEST(FieldTable, SuggestsTheNearestName) {
  const FieldTable table;
  EXPECT_EQ(table.nearest("destination.ipp"), "destination.ip");
  EXPECT_EQ(table.nearest("sourc.ip"), "source.ip");
  EXPECT_EQ(table.nearest("URL.PATH"), "url.path");
  EXPECT_EQ(table.nearest("CommandLine"), "");
  EXPECT_EQ(table.nearest(""), "");
  EXPECT_EQ(table.nearest(std::string(1000, 'u')), "");
}

TEST(EditDistance, CountsChangedLettersWithoutCase) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("DST_IP", "dst_ip"), 0u);
}

TEST_F(AliasFile, AddsAliases) {
  const auto table = load("destination.ip:\n  - dst_ip  # comment\n  - id.resp_h\nurl: [c-uri]\n");
  ASSERT_TRUE(table.has_value()) << table.error().to_string();
  EXPECT_EQ(table->find("dst_ip"), FieldId::destination_ip);
  EXPECT_EQ(table->find("id.resp_h"), FieldId::destination_ip);
  EXPECT_EQ(table->find("c-uri"), FieldId::url);
  EXPECT_EQ(table->find("source.ip"), FieldId::source_ip);
  EXPECT_EQ(table->nearest("dst_pi"), "dst_ip");
}

TEST_F(AliasFile, AnAliasCanMeanAnotherFieldAsWell) {
  const auto table = load("url:\n  - also: q\nurl.query: [q, r]\n");
  ASSERT_TRUE(table.has_value()) << table.error().to_string();
  EXPECT_EQ(table->find("q"), FieldId::url_query);
  EXPECT_EQ(table->also("q"), FieldId::url);
  EXPECT_EQ(table->also("r"), std::nullopt);
  EXPECT_EQ(table->also("url.query"), std::nullopt);
  expect_error("url:\n  - also: q\n", 2, 11, "'q' is no alias of another field");
  expect_error("url: [q, also: q]\n", 1, 16, "'q' is no alias of another field");
  expect_error("url:\n  - also: [q]\n", 2, 5, "expected a field name");
  expect_error("url:\n  - {also: q, x: y}\nurl.query: [q]\n", 2, 5, "expected a field name");
}

TEST_F(AliasFile, RefusesAnUnknownField) {
  expect_error("url: []\ndestination.pi: [dst]\n", 2, 1, "did you mean 'destination.ip'?");
  expect_error("[a]: [dst]\n", 1, 1, "no field of any event");
}

TEST_F(AliasFile, RefusesAnAliasGivenTwice) {
  expect_error("url: [uri]\nurl.path:\n  - path\n  - uri\n", 4, 5, "already given at line 1");
  expect_error("url: [uri, uri]\n", 1, 12, "already given at line 1");
}

TEST_F(AliasFile, RefusesAnAliasThatIsAFieldsName) {
  expect_error("url: [url.path]\n", 1, 7, "'url.path' is already the name of a field");
}

TEST_F(AliasFile, RefusesAFieldGivenTwice) {
  expect_error("url: [uri]\nurl: [c-uri]\n", 2, 1, "already has its list at line 1");
}

TEST_F(AliasFile, RefusesOtherShapes) {
  expect_error("- url\n", 1, 1, "expected a map");
  expect_error("url: uri\n", 1, 6, "expected a list of aliases for 'url'");
  expect_error("url:\n  - [uri]\n", 2, 5, "expected a field name");
  expect_error("url: ['']\n", 1, 7, "expected a field name");
  expect_error("url:\n  - 'uri\n  - c-uri\nurl.path: [path]\n", 2, 5, "expected a field name");
  EXPECT_FALSE(load("").has_value());
  EXPECT_FALSE(load("url:\n").has_value());
}

TEST_F(AliasFile, RefusesBrokenYaml) {
  const auto table = load("url: [uri\nurl.path: [x]\n");
  ASSERT_FALSE(table.has_value());
  EXPECT_GT(table.error().where.line, 0);
}

TEST_F(AliasFile, RefusesTextAfterTheFirstDocument) {
  expect_error("url: [uri]\n---\nurl.path: [path]\n", 2, 1, "nothing after the first document");
  expect_error("url: [uri]\n...\n, b\n", 3, 1, "nothing after the first document");
}

TEST_F(AliasFile, RefusesWhatCannotBeRead) {
  EXPECT_FALSE(FieldTable::load(path_ / "missing").has_value());
  EXPECT_FALSE(FieldTable::load(std::filesystem::temp_directory_path()).has_value());
  expect_error("#" + std::string(2 << 20, 'x'), 0, 0, "over 1 MiB");
}

TEST(ShippedAliases, Load) {
  const auto table = FieldTable::load(IMDS_CONF_DIR "/fields.yaml");
  ASSERT_TRUE(table.has_value()) << table.error().to_string();
  const std::pair<const char*, FieldId> expected[] = {
      {"dst_ip", FieldId::destination_ip},
      {"destination.ip", FieldId::destination_ip},
      {"DestinationIp", FieldId::destination_ip},
      {"dest_ip", FieldId::destination_ip},
      {"id.resp_h", FieldId::destination_ip},
      {"s-ip", FieldId::destination_ip},
      {"c-ip", FieldId::source_ip},
      {"src_ip", FieldId::source_ip},
      {"SourceIp", FieldId::source_ip},
      {"dst_port", FieldId::destination_port},
      {"request_url", FieldId::url},
      {"c-uri", FieldId::url},
      {"cs-uri-stem", FieldId::url_path},
      {"cs-uri-query", FieldId::url_query},
      {"cs-host", FieldId::http_host},
      {"cs-method", FieldId::http_request_method},
      {"cs-user-agent", FieldId::user_agent},
      {"c-useragent", FieldId::user_agent},
      {"vlan", FieldId::network_vlan_id},
      {"url.original", FieldId::url},
  };
  for (const auto& [alias, field] : expected) {
    EXPECT_EQ(table->find(alias), field) << alias;
  }
}

}  // namespace
}  // namespace imds::event
