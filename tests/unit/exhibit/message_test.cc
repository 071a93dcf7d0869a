#include "exhibit/message.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace imds::exhibit {
namespace {

std::string overwritten(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.begin(), text.end());
  (void)overwrite_message(bytes);
  return {bytes.begin(), bytes.end()};
}

TEST(Message, KeepsARequestWithoutSecrets) {
  const std::string head =
      "GET /latest/meta-data/iam/info HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: "
      "curl/7.88\r\n"
      "Accept: */*\r\n\r\n";
  EXPECT_EQ(overwritten(head), head);
}

TEST(Message, OverwritesValuesOfHeadersThatMayBeSecret) {
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nX-aws-ec2-metadata-token: AQAE==\r\nCookie:a=b\r\n\r\n"),
            "GET / HTTP/1.1\r\nX-aws-ec2-metadata-token: XXXXXX\r\nCookie:XXX\r\n\r\n");
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nAuthorization: Basic eA==\r\nX-New: 1\r\n\r\n"),
            "GET / HTTP/1.1\r\nAuthorization: XXXXXXXXXX\r\nX-New: X\r\n\r\n");
}

TEST(Message, OverwritesQueriesAndUserinfo) {
  EXPECT_EQ(overwritten("GET /a?token=s&b HTTP/1.1\r\n"), "GET /a?XXXXXXXXX HTTP/1.1\r\n");
  EXPECT_EQ(overwritten("GET /a%3ftoken=s HTTP/1.1\r\n"), "GET /a%XXXXXXXXX HTTP/1.1\r\n");
  EXPECT_EQ(overwritten("GET /a%252525253Fto HTTP/1.1\r\n"),
            "GET /a%" + std::string(12, 'X') + " HTTP/1.1\r\n");
  EXPECT_EQ(overwritten("GET http://u:p@h/a HTTP/1.1\r\n"), "GET http://XXX@h/a HTTP/1.1\r\n");
  EXPECT_EQ(overwritten("GET /a;s=1 HTTP/1.1\r\n"), "GET /a;XXX HTTP/1.1\r\n");
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nHost: u:p@h\r\n"), "GET / HTTP/1.1\r\nHost: XXXXX\r\n");
}

TEST(Message, OverwritesBodies) {
  EXPECT_EQ(overwritten("HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\n{\"Token\":1}"),
            "HTTP/1.1 200 OK\r\nServer: EC2ws\r\n\r\nXXXXXXXXXXX");
  EXPECT_EQ(overwritten("HTTP/1.1 200 OK\n\nHost: a\n"), "HTTP/1.1 200 OK\n\nXXXXXXXX");
}

TEST(Message, OverwritesWhatIsNotAllThere) {
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nX-aws-ec2-met"), "GET / HTTP/1.1\r\nXXXXXXXXXXXXX");
  EXPECT_EQ(overwritten("GET /latest/meta-d"), "XXXXXXXXXXXXXXXXXX");
}

TEST(Message, OverwritesWhatIsNoMessage) {
  EXPECT_EQ(overwritten("{\"a\"}\nHost: x\n"), std::string(14, 'X'));
  EXPECT_EQ(overwritten("HTTP/1.1 2x0 OK\nHost: x\n"), std::string(24, 'X'));
  EXPECT_EQ(overwritten("HTTP/1.1 200 AQAE0=\n"), "HTTP/1.1 200" + std::string(7, 'X') + "\n");
  EXPECT_EQ(overwritten(""), "");
}

TEST(Message, IsNotFooledByLenientReceivers) {
  // A bare CR, a folded line, a space before the colon.
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nHost: a\rCookie: b\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: XXXXXXXXXXX\r\n\r\n");
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nCookie: b\r\n secret\r\n\r\n"),
            "GET / HTTP/1.1\r\nCookie: X\r\nXXXXXXX\r\n\r\n");
  EXPECT_EQ(overwritten("GET / HTTP/1.1\r\nHost : b\r\n"), "GET / HTTP/1.1\r\nXXXXXXXX\r\n");
}

}  // namespace
}  // namespace imds::exhibit
