#include "evidence/credentials_reader.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace imds::evidence {
namespace {

ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr std::string_view kSecret = "FAKE-SECRET-ACCESS-KEY-0123456789";
constexpr std::string_view kToken = "FAKE-SESSION-TOKEN-0123456789";

std::string credentials(std::string_view id = "ASIAQNZGKIQY56JQ7WML") {
  return "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2025-10-08T12:00:00Z\",\n"
         "  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"" +
         std::string(id) + "\",\n  \"SecretAccessKey\" : \"" + std::string(kSecret) +
         "\",\n  \"Token\" : \"" + std::string(kToken) +
         "\",\n  \"Expiration\" : \"2025-10-08T18:00:00Z\"\n}";
}

CredentialsReader read(std::string_view text) {
  CredentialsReader reader;
  reader.feed(bytes_of(text));
  return reader;
}

// What a reader says, in one text.
std::string said(const CredentialsReader& reader) {
  const auto of = [](const JsonFacts& f) {
    return std::to_string(f.keys) + ' ' + std::string(f.access_key_id.view()) + ' ' +
           std::to_string(f.account) + ' ' + std::string(event::name(f.account_source())) + ' ' +
           std::to_string(f.expiration) + ' ' + std::string(f.role.view()) + ' ' +
           std::string(f.region.view());
  };
  const JsonFacts* const found = reader.credentials();
  return (found != nullptr ? of(*found) : "none") + " | " + of(reader.outermost()) +
         (reader.too_deep() ? " deep" : "");
}

bool holds(const CredentialsReader& reader, std::string_view text) {
  const std::string_view memory(reinterpret_cast<const char*>(&reader), sizeof reader);
  return memory.find(text) != std::string_view::npos;
}

TEST(CredentialsReader, FindsWhatTheServiceSends) {
  const CredentialsReader reader = read(credentials());
  const JsonFacts* const found = reader.credentials();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->access_key_id.view(), "ASIAQNZGKIQY56JQ7WML");
  EXPECT_EQ(found->account, 29608264753u);
  EXPECT_EQ(found->account_source(), AccountSource::key_id);
  EXPECT_EQ(found->expiration, 1759946400);
}

TEST(CredentialsReader, FourKeysSuffice) {
  EXPECT_NE(read(R"({"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"d"})")
                .credentials(),
            nullptr);
  for (const char* less : {R"({"SecretAccessKey":"b","Token":"c","Expiration":"d"})",
                           R"({"AccessKeyId":"a","Token":"c","Expiration":"d"})",
                           R"({"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"d"})",
                           R"({"AccessKeyId":"a","SecretAccessKey":"b","Token":"c"})"}) {
    EXPECT_EQ(read(less).credentials(), nullptr) << less;
  }
}

TEST(CredentialsReader, KeepsNoSecret) {
  const std::string text = credentials();
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const CredentialsReader reader = read(std::string_view(text).substr(0, size));
    for (const std::string_view secret : {kSecret, kToken}) {
      for (std::size_t length = 8; length <= secret.size(); ++length) {
        ASSERT_FALSE(holds(reader, secret.substr(0, length))) << size;
      }
    }
  }
}

TEST(CredentialsReader, UndoesEscapesInNames) {
  EXPECT_NE(read(R"({"\u0041ccessKeyId":"a","Secret\u0041ccessKey":"b","T\u006Fken":"c",)"
                 R"("E\u0078piration":"d"})")
                .credentials(),
            nullptr);
  EXPECT_EQ(read(R"({"\u0141ccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"d"})")
                .credentials(),
            nullptr);
}

TEST(CredentialsReader, UndoesEscapesInValues) {
  const CredentialsReader reader =
      read(R"({"AccessKeyId":"\u0041SIAQNZGKIQY56JQ7WML","SecretAccessKey":"b\"","Token":"\\",)"
           R"("Expiration":"2025-10-08T18:00:00Z"})");
  ASSERT_NE(reader.credentials(), nullptr);
  EXPECT_EQ(reader.credentials()->account, 29608264753u);
}

TEST(CredentialsReader, ComparesNamesAsGoDoes) {
  EXPECT_NE(read(R"({"accesskeyid":"a","SECRETACCESSKEY":"b","token":"c","expiration":"d"})")
                .credentials(),
            nullptr);
}

TEST(CredentialsReader, ValuesAreNoNames) {
  EXPECT_EQ(read(R"({"a":"AccessKeyId","b":"SecretAccessKey","c":"Token","d":"Expiration"})")
                .credentials(),
            nullptr);
  EXPECT_EQ(read(R"(["AccessKeyId","SecretAccessKey","Token","Expiration"])").credentials(),
            nullptr);
  EXPECT_EQ(read(R"({"AccessKeyIds":"a","SecretAccessKeyy":"b","Tokens":"c","Expirations":"d"})")
                .credentials(),
            nullptr);
}

TEST(CredentialsReader, NullAndEmptyValuesAreNone) {
  EXPECT_EQ(read(R"({"AccessKeyId":null,"SecretAccessKey":"b","Token":"c","Expiration":"d"})")
                .credentials(),
            nullptr);
  EXPECT_EQ(read(R"({"AccessKeyId":"","SecretAccessKey":"b","Token":"c","Expiration":"d"})")
                .credentials(),
            nullptr);
}

TEST(CredentialsReader, KeysMustStandInOneObject) {
  EXPECT_EQ(read(R"({"a":{"AccessKeyId":"a","SecretAccessKey":"b"},"Token":"c","Expiration":"d"})")
                .credentials(),
            nullptr);
  EXPECT_NE(read(R"([{"AccessKeyId":"a","SecretAccessKey":"b","x":[{}],"Token":"c",)"
                 R"("Expiration":"d"}])")
                .credentials(),
            nullptr);
}

TEST(CredentialsReader, InnerObjectsDoNotChangeWhatTheOuterOneSays) {
  const CredentialsReader reader =
      read(R"({"AccessKeyId":"ASIAQNZGKIQY56JQ7WML","SecretAccessKey":"b","Token":"c",)"
           R"("x":{"AccessKeyId":"AKIASP2TPHJSQH3FJRUX","SecretAccessKey":"b","Token":"c",)"
           R"("Expiration":"d"},"Expiration":"d"})");
  ASSERT_NE(reader.credentials(), nullptr);
  EXPECT_EQ(reader.credentials()->account, 29608264753u);
  EXPECT_EQ(reader.credentials()->account_source(), AccountSource::key_id);
}

TEST(CredentialsReader, RepeatedKeyIdsConflict) {
  const CredentialsReader reader =
      read(R"({"AccessKeyId":"ASIAQNZGKIQY56JQ7WML","AccessKeyId":"AKIASP2TPHJSQH3FJRUX",)"
           R"("SecretAccessKey":"b","Token":"c","Expiration":"d"})");
  ASSERT_NE(reader.credentials(), nullptr);
  EXPECT_EQ(reader.credentials()->account, 171436882533u);
  EXPECT_EQ(reader.credentials()->account_source(), AccountSource::conflicting);
}

TEST(CredentialsReader, KeyIdsWordCountsMostAndContradictionIsTold) {
  const CredentialsReader reader =
      read(R"({"AccountId":"123456789012","AccessKeyId":"ASIAQNZGKIQY56JQ7WML",)"
           R"("SecretAccessKey":"b","Token":"c","Expiration":"d"})");
  EXPECT_EQ(reader.credentials()->account, 29608264753u);
  EXPECT_EQ(reader.credentials()->account_source(), AccountSource::conflicting);
}

TEST(CredentialsReader, OldKeyIdsTakeTheAccountFromBeside) {
  const CredentialsReader by_id =
      read(R"({"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"b","Token":"c",)"
           R"("Expiration":"d","AccountId":"123456789012"})");
  EXPECT_EQ(by_id.credentials()->account, 123456789012u);
  EXPECT_EQ(by_id.credentials()->account_source(), AccountSource::document);
  const CredentialsReader by_arn =
      read(R"({"RoleArn":"arn:aws:iam::123456789012:role/task","AccessKeyId":)"
           R"("AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"b","Token":"c","Expiration":"d"})");
  EXPECT_EQ(by_arn.credentials()->account_source(), AccountSource::arn);
  EXPECT_EQ(by_arn.credentials()->role.view(), "task");
}

TEST(CredentialsReader, ReadsIdentityDocumentsAndRoles) {
  const CredentialsReader document =
      read(R"({"accountId":"123456789012","region":"eu-central-1","instanceId":"i-0"})");
  EXPECT_EQ(document.credentials(), nullptr);
  EXPECT_TRUE(document.outermost().has(JsonFacts::kIdentity));
  EXPECT_EQ(document.outermost().region.view(), "eu-central-1");
  const CredentialsReader role =
      read(R"({"InstanceProfileArn":"arn:aws:iam::123456789012:instance-profile/web"})");
  EXPECT_EQ(role.outermost().role.view(), "web");
  EXPECT_EQ(role.outermost().account, 123456789012u);
}

TEST(CredentialsReader, KeysAtTheEndOfAMegabyteAreFound) {
  std::string text = R"({"x":")" + std::string(1 << 20, 'x') + R"(","y":[)";
  for (int i = 0; i < 20000; ++i) {
    text += "{\"a\":\"\\u0041\"},";
  }
  text += "0]," + credentials().substr(1);
  EXPECT_NE(read(text).credentials(), nullptr);
}

TEST(CredentialsReader, NestingIsBoundedAndTold) {
  std::string text;
  for (int i = 0; i < 100000; ++i) {
    text += "{\"a\":";
  }
  const CredentialsReader deep = read(text + credentials() + std::string(100000, '}'));
  EXPECT_EQ(deep.credentials(), nullptr);
  EXPECT_TRUE(deep.too_deep());
  // What comes back to the surface is read again.
  std::string whole =
      "{\"x\":" + text + "0" + std::string(100000, '}') + "," + credentials().substr(1);
  EXPECT_NE(read(whole).credentials(), nullptr);
}

TEST(CredentialsReader, UnshowableValuesAreNotShown) {
  const CredentialsReader reader = read(
      "{\"AccessKeyId\":\"ASIA\x1b[31m\xff\xfe\x80\x01 56JQ\",\"SecretAccessKey\":\"b\","
      "\"Token\":\"c\",\"Expiration\":\"\xc3\x28\",\"region\":\"a\\u0007b\"}");
  ASSERT_NE(reader.credentials(), nullptr);
  EXPECT_EQ(reader.credentials()->access_key_id.view(), "");
  EXPECT_EQ(reader.credentials()->account_source(), AccountSource::none);
  EXPECT_EQ(reader.credentials()->region.view(), "");
  EXPECT_EQ(reader.credentials()->expiration, 0);
}

TEST(CredentialsReader, OverlongValuesAreNotShown) {
  const CredentialsReader reader = read(R"({"AccessKeyId":")" + std::string(500, 'A') +
                                        R"(","SecretAccessKey":"b","Token":"c","Expiration":"d"})");
  ASSERT_NE(reader.credentials(), nullptr);
  EXPECT_EQ(reader.credentials()->access_key_id.view(), "");
}

TEST(CredentialsReader, BeginsInTheMiddle) {
  const std::string text = credentials();
  // Inside a value that goes on to its line's end.
  const std::size_t cut = text.find("cess\"");
  CredentialsReader reader;
  reader.note_gap();
  reader.feed(bytes_of(std::string_view(text).substr(cut)));
  ASSERT_NE(reader.credentials(), nullptr);
  EXPECT_EQ(reader.credentials()->account, 29608264753u);
}

TEST(CredentialsReader, OrdinaryJsonIsNone) {
  for (const char* text :
       {R"({"access_token":"x","token_type":"bearer","expires_in":3600})",
        R"({"Credentials":{"AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"c",)"
        R"("Expiration":"d"}})",
        R"({"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","Status":"Active"})", "", "}}}}]]]]::::\"",
        "<html>AccessKeyId SecretAccessKey Token Expiration</html>"}) {
    EXPECT_EQ(read(text).credentials(), nullptr) << text;
  }
}

// However the bytes are cut, the same is said.
TEST(CredentialsReader, CutsChangeNothing) {
  const std::string nasty =
      R"({"\u0041ccessKeyId":"\u0041SIAQNZGKIQY56JQ7WML","x":{"y":{"z":{"u":{"v":{}}}}},)"
      "\"Secret\\u0041ccessKey\":\"b\\\\\\\"\\u12\",\"Token\":\"\xff\\\"\"," +
      credentials().substr(2) + R"([{"accountId":"123456789012"}])";
  for (const std::string& text : {credentials(), nasty}) {
    const std::string whole = said(read(text));
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      CredentialsReader reader;
      reader.feed(bytes_of(std::string_view(text).substr(0, cut)));
      reader.feed(bytes_of(std::string_view(text).substr(cut)));
      ASSERT_EQ(said(reader), whole) << cut;
    }
    std::mt19937 random(7);
    for (int round = 0; round < 2000; ++round) {
      CredentialsReader reader;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 9, text.size() - at);
        reader.feed(bytes_of(std::string_view(text).substr(at, size)));
        at += size;
      }
      ASSERT_EQ(said(reader), whole) << round;
    }
  }
}

}  // namespace
}  // namespace imds::evidence
