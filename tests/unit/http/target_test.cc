#include "http/target.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "samples.h"

namespace imds::http {
namespace {

TEST(SplitTarget, Forms) {
  struct Case {
    const char* method;
    const char* target;
    TargetForm form;
    const char* scheme;
    const char* userinfo;
    const char* host;
    unsigned port;
    const char* path;
    const char* query;
  };
  for (const Case& c : {
           Case{"GET", "/a/b?c=d?e", TargetForm::origin, "", "", "header", 8080, "/a/b", "c=d?e"},
           Case{"GET", "/a#frag?no", TargetForm::origin, "", "", "header", 8080, "/a", ""},
           Case{"GET", "//latest/x", TargetForm::origin, "", "", "header", 8080, "//latest/x", ""},
           Case{"GET", "\\latest", TargetForm::origin, "", "", "header", 8080, "\\latest", ""},
           Case{"GET", "http://h/p?q", TargetForm::absolute, "http", "", "h", 0, "/p", "q"},
           Case{"GET", "HTTP://u:p@h:81/p", TargetForm::absolute, "HTTP", "u:p", "h", 81, "/p", ""},
           Case{"GET", "http://a@b@h/p", TargetForm::absolute, "http", "a@b", "h", 0, "/p", ""},
           Case{"GET", "http:\\\\h\\p", TargetForm::absolute, "http", "", "h", 0, "\\p", ""},
           Case{"GET", "http:/h/p", TargetForm::absolute, "http", "", "h", 0, "/p", ""},
           Case{"GET", "http:///h/p", TargetForm::absolute, "http", "", "h", 0, "/p", ""},
           Case{"GET", "http://h?q", TargetForm::absolute, "http", "", "h", 0, "", "q"},
           Case{"GET", "ftp://h/p", TargetForm::absolute, "ftp", "", "h", 0, "/p", ""},
           Case{"GET", "http://[fd00:ec2::254]:80/", TargetForm::absolute, "http", "",
                "[fd00:ec2::254]", 80, "/", ""},
           Case{"GET", "http://h:99999/", TargetForm::absolute, "http", "", "h", 0, "/", ""},
           Case{"GET", "http://h:8x/", TargetForm::absolute, "http", "", "h", 0, "/", ""},
           Case{"CONNECT", "h:443", TargetForm::authority, "", "", "h", 443, "", ""},
           Case{"CONNECT", "[::1]:443", TargetForm::authority, "", "", "[::1]", 443, "", ""},
           Case{"OPTIONS", "*", TargetForm::asterisk, "", "", "header", 8080, "*", ""},
           Case{"GET", "latest/x", TargetForm::other, "", "", "header", 8080, "latest/x", ""},
           Case{"GET", "mailto:x@y", TargetForm::other, "", "", "header", 8080, "mailto:x@y", ""},
           Case{"GET", "", TargetForm::other, "", "", "header", 8080, "", ""},
       }) {
    const Target t = split_target(c.method, c.target, "header:8080");
    EXPECT_EQ(t.form, c.form) << c.target;
    EXPECT_EQ(t.scheme, c.scheme) << c.target;
    EXPECT_EQ(t.userinfo, c.userinfo) << c.target;
    EXPECT_EQ(t.host, c.host) << c.target;
    EXPECT_EQ(t.port, c.port) << c.target;
    EXPECT_EQ(t.path, c.path) << c.target;
    EXPECT_EQ(t.query, c.query) << c.target;
  }
  EXPECT_EQ(split_target("GET", "/", {}).host.data(), nullptr);
  EXPECT_EQ(split_target("GET", "/", {}).query.data(), nullptr);
  EXPECT_NE(split_target("GET", "/?", {}).query.data(), nullptr);
  EXPECT_EQ(split_target("GET", "/", "user@169.254.169.254").host, "169.254.169.254");
  EXPECT_EQ(split_target("GET", "/", "fd00:ec2::254").host, "fd00:ec2::254");
}

struct Normalised {
  std::string target, path, query, domain;
  bool changed = false;
};
Normalised normalise(std::string_view target, std::string_view host = {},
                     std::string_view method = "GET") {
  const Target split = split_target(method, target, host);
  std::vector<char> buffer(target.size() + host.size() + kNormaliseSlack);
  const NormalisedTarget n = normalise_target(split, buffer);
  EXPECT_FALSE(n.truncated) << target;
  return {std::string(n.target), std::string(n.path), std::string(n.query), std::string(n.domain),
          n.changed};
}

TEST(NormaliseTarget, DisguisedPathsMeanTheSame) {
  for (const char* disguise : {
           "/latest/meta-data/",
           "//latest/meta-data/",
           "/latest//meta-data///",
           "/latest/./meta-data/",
           "/./latest/meta-data/.",
           "/x/../latest/meta-data/",
           "/../../latest/meta-data/",
           "/latest/meta-data/x/..",
           "/latest/a/b/../../meta-data/",
           "\\latest\\meta-data\\",
           "/latest;a=b/meta-data;c/",
           "/latest/;x/meta-data/",
           "/..;/latest/..;/latest/meta-data/",
           "/%6c%61test/meta%2ddata/",
           "/%256c%2561test/meta-data%252f",
           "/%25256catest/meta-data/",
           "%2flatest%2Fmeta-data%2f",
           "/%2e%2e/latest/%2e/meta-data/",
           "/latest%5cmeta-data%5c",
           "/latest%3bx/meta-data/",
           "/latest/meta-data/#fragment",
       }) {
    EXPECT_EQ(normalise(disguise).path, "/latest/meta-data/") << disguise;
    EXPECT_EQ(normalise(disguise).target, "/latest/meta-data/") << disguise;
  }
}

TEST(NormaliseTarget, WhatIsPlainStaysTheVerySameView) {
  for (const char* plain :
       {"/", "/latest/meta-data/", "/latest/meta-data", "/a?b=//c/../d;e", "/.well-known/x",
        "/a..b", "/...", "*", "http://example.com/p?q", "http://169.254.169.254:80/latest",
        "/a%zz%4", "/%", "http://[fd00:ec2::254]/"}) {
    const Target split = split_target("GET", plain, "example.com:80");
    char buffer[256];
    const NormalisedTarget n = normalise_target(split, buffer);
    EXPECT_EQ(n.target.data(), split.text.data()) << plain;
    EXPECT_EQ(n.path.data(), split.path.data()) << plain;
    EXPECT_EQ(n.query.data(), split.query.data()) << plain;
    if (std::string_view(plain).find('[') == std::string_view::npos) {
      EXPECT_FALSE(n.changed) << plain;
    }
  }
}

TEST(NormaliseTarget, Queries) {
  const Normalised n = normalise("/a/../f?url=http%3a%2f%2f169.254.169.254%252flatest&x=a+b%0a");
  EXPECT_EQ(n.path, "/f");
  EXPECT_EQ(n.query, "url=http://169.254.169.254/latest&x=a+b\n");
  EXPECT_EQ(n.target, "/f?url=http://169.254.169.254/latest&x=a+b\n");
  EXPECT_TRUE(n.changed);
  EXPECT_EQ(normalise("/a%3fb?c").path, "/a?b");
  EXPECT_EQ(normalise("/?").target, "/?");
}

TEST(NormaliseTarget, PercentDecodingStopsAfterThreeRounds) {
  EXPECT_EQ(normalise("/%252525252561").path, "/%252561");
}

TEST(NormaliseTarget, OddEncodingsOfAscii) {
  for (const char* disguise :
       {"/%u006catest/meta-data/", "/latest%u002fmeta-data/", "/latest%U2215/..%uff0fmeta-data/",
        "/latest%c0%afmeta-data/", "/latest\xc0\xafmeta-data/", "/latest%e0%80%afmeta-data/",
        "/latest%ef%bc%8fmeta-data/",
        "/\xef\xbd\x8c"
        "atest/meta-data/",
        "/x/%c0%ae%c0%ae/latest/meta-data/", "/x/%u002e%u002e/latest/meta-data/",
        "/%ef%bc%85%36%63atest/meta-data/", "/%25u006catest/meta-data/", "/%%36%63atest/meta-data/",
        "/%256catest/meta-data/", "/%25256catest/meta-data/",
        "/latest%5c%2e%2e%5c%2elatest/..%5c.%2flatest/meta-data/"}) {
    if (std::string_view(disguise).find("2215") != std::string_view::npos) {
      // U+2215 is a division sign to everyone but the eye.
      EXPECT_EQ(normalise(disguise).path, "/meta-data/") << disguise;
    } else {
      EXPECT_EQ(normalise(disguise).path, "/latest/meta-data/") << disguise;
    }
  }
  // What is invalid stays.
  for (const char* odd : {"/%u12", "/%u00zz", "/%zz", "/%c", "/\xc0", "/\xc0x", "/\xe0\x80",
                          "/\xff", "/caf\xc3\xa9", "/a+b"}) {
    EXPECT_EQ(normalise(odd).path, odd);
  }
  EXPECT_EQ(normalise("/caf%u00e9/%u20ac").path, "/caf\xc3\xa9/\xe2\x82\xac");
  EXPECT_EQ(normalise("/latest/meta-data%00.png").path, std::string("/latest/meta-data\0.png", 22));
  EXPECT_EQ(normalise("/latest%09/meta-data").path, "/latest\t/meta-data");
}

TEST(NormaliseTarget, AbsoluteForm) {
  const Normalised n = normalise("HTTP://user:secret@2852039166:080//latest\\meta-data", "other");
  EXPECT_EQ(n.domain, "169.254.169.254");
  EXPECT_EQ(n.path, "/latest/meta-data");
  EXPECT_EQ(n.target, "http://169.254.169.254:80/latest/meta-data");
  EXPECT_EQ(normalise("http://EXAMPLE.com./A").target, "http://example.com/A");
  EXPECT_EQ(normalise("http:\\\\h\\p").target, "http://h/p");
  const Normalised v6 = normalise("http://[FD00:EC2:0::254]:80/x");
  EXPECT_EQ(v6.target, "http://[fd00:ec2::254]:80/x");
  EXPECT_EQ(v6.domain, "fd00:ec2::254");
  EXPECT_EQ(normalise("http://[::ffff:a9fe:a9fe]/").target, "http://169.254.169.254/");
  EXPECT_EQ(normalise("0xA9FEA9FE:80", {}, "CONNECT").target, "169.254.169.254:80");
  EXPECT_EQ(normalise("[fd00:ec2::0254]", {}, "CONNECT").domain, "fd00:ec2::254");
}

TEST(NormaliseTarget, TheHostHeaderGivesTheDomain) {
  EXPECT_EQ(normalise("/", "Metadata.Google.Internal.:80").domain, "metadata.google.internal");
  EXPECT_EQ(normalise("/", "0251.0376.0251.0376").domain, "169.254.169.254");
  EXPECT_EQ(normalise("/", "%31%36%39.254.169.254").domain, "169.254.169.254");
  EXPECT_EQ(normalise("/", "[fd00:ec2::254%25eth0]").domain, "fd00:ec2::254");
  EXPECT_EQ(normalise("/", "").domain, "");
  EXPECT_TRUE(normalise("/", "EXAMPLE.com").changed);
  EXPECT_EQ(normalise("/", "EXAMPLE.com").target, "/");
}

TEST(HostAddress, EveryForm) {
  for (const char* host : {"169.254.169.254",
                           "169.254.169.254.",
                           "2852039166",
                           "0xA9FEA9FE",
                           "0xa9fea9fe",
                           "025177524776",
                           "0251.0376.0251.0376",
                           "0251.254.0xa9.254",
                           "169.254.43518",
                           "169.16689662",
                           "0xa9.0xfe.0xa9.0xfe",
                           "425.510.425.510",
                           "[::ffff:a9fe:a9fe]",
                           "[::ffff:169.254.169.254]",
                           "::ffff:a9fe:a9fe",
                           "%32852039166",
                           "%2532852039166",
                           "169%2e254%2e169%2e254",
                           "7147006462",
                           "0000000251.00000000376.000251.0000376",
                           "169.254.169.254...",
                           "[::169.254.169.254]",
                           "[64:ff9b::a9fe:a9fe]",
                           "[2002:a9fe:a9fe::1]",
                           "[::ffff:0:a9fe:a9fe]",
                           "[::ffff:a9fe:a9fe%25eth0]",
                           "169.254.169.254.nip.io",
                           "169-254-169-254.nip.io",
                           "a9fea9fe.nip.io",
                           "A9FEA9FE.NIP.IO.",
                           "app.169.254.169.254.nip.io",
                           "app-169-254-169-254.nip.io",
                           "x.a9fea9fe.y.sslip.io",
                           "www.169-254-169-254.com.sslip.io",
                           "169.254.169.254.xip.io",
                           "10-a9fea9fe.traefik.me",
                           "169-254-169-254%2enip.io",
                           "169\xe3\x80\x82"
                           "254\xe3\x80\x82"
                           "169\xe3\x80\x82"
                           "254",
                           "\xef\xbc\x91\xef\xbc\x96\xef\xbc\x99.254.169.254",
                           "\xe2\x91\xa0\xe2\x91\xa5\xe2\x91\xa8\xef\xbd\xa1"
                           "254.169.254",
                           "%e2%91%a0%e2%91%a5%e2%91%a8.254.169.254",
                           "\xe2\x91\xaf"
                           "9.254.169.254",
                           "\xc2\xb9\xe2\x81\xb6\xe2\x82\x89.254.169.254",
                           "\xf0\x9d\x9f\x8f\xf0\x9d\x9f\xa8\xf0\x9d\x9f\xb5.254.169.254",
                           "169.254.169.254%00.example.com",
                           "%u0031%u0036%uff19.254.169.254"}) {
    const auto address = host_address(host);
    ASSERT_TRUE(address.has_value()) << host;
    EXPECT_EQ(address->to_string(), "169.254.169.254") << host;
  }
  EXPECT_EQ(host_address("[fd00:ec2::254]")->to_string(), "fd00:ec2::254");
  EXPECT_EQ(host_address("127.1")->to_string(), "127.0.0.1");
  EXPECT_EQ(host_address("fd00-ec2--254.sslip.io")->to_string(), "fd00:ec2::254");
  EXPECT_EQ(host_address("[::1]")->to_string(), "::1");
  EXPECT_EQ(host_address("[::]")->to_string(), "::");
  EXPECT_EQ(host_address("[fd00:ec2::a9fe:a9fe]")->to_string(), "fd00:ec2::a9fe:a9fe");
  for (const char* host : {"",
                           ".",
                           "example.com",
                           "1.2.3.4.5",
                           "1..2",
                           "[",
                           "[]",
                           "[1.2.3.4]",
                           "0xg",
                           "nip.io",
                           "example.nip.io",
                           "1.2.3.nip.io",
                           "169.254.169.77777777777777777777.nip.io",
                           "169.254.169.254.example.com",
                           "99999999999999999999999",
                           "1.2.3.x",
                           "[fd00::1::2]",
                           "-1",
                           "fd00",
                           "%",
                           "..."}) {
    EXPECT_FALSE(host_address(host).has_value()) << host;
  }
  EXPECT_FALSE(host_address(std::string(10000, '1')).has_value());
}

TEST(NormaliseTarget, ASmallBufferTruncatesAndSaysSo) {
  const Target split = split_target("GET", "http://2852039166/%61/b?c", {});
  for (std::size_t size = 0; size < 40; ++size) {
    std::vector<char> buffer(size);
    const NormalisedTarget n = normalise_target(split, buffer);
    // The path needs its room before it is decoded: "http://169.254.169.254/%61/b".
    EXPECT_EQ(n.truncated, size < 28) << size;
    EXPECT_LE(n.target.size(), std::max(size, split.text.size()));
  }
}

std::string random_target(std::mt19937& random) {
  constexpr std::string_view kPieces[] = {
      "/",         "//",           "\\",      ".",           "..",  ";",      "%2e",
      "%2f",       "%25",          "%5c",     "%",           "?",   "#",      "a",
      "latest",    "http:",        "@",       ":",           "[",   "]",      "0x7f",
      "169.254",   "%3b",          "%41",     "\x80",        "%00", "%u002f", "\xc0\xaf",
      "%ef%bc%8f", "\xef\xbc\x85", ".nip.io", "\xe2\x91\xaf"};
  std::string target;
  const std::size_t count = std::uniform_int_distribution<std::size_t>(0, 12)(random);
  for (std::size_t i = 0; i < count; ++i) {
    target +=
        kPieces[std::uniform_int_distribution<std::size_t>(0, std::size(kPieces) - 1)(random)];
  }
  return target;
}

TEST(NormaliseTarget, RandomTargetsFitTheirBufferAndResolveFully) {
  std::mt19937 random(3);
  for (int round = 0; round < 50000; ++round) {
    const std::string target = random_target(random);
    const std::string host = random_target(random);
    const Normalised n = normalise(target, host, round % 8 == 0 ? "CONNECT" : "GET");
    if (n.path != "*") {
      EXPECT_EQ(n.path.find("//"), std::string::npos) << target;
      EXPECT_EQ(n.path.find('\\'), std::string::npos) << target;
      EXPECT_EQ(n.path.find(';'), std::string::npos) << target;
      EXPECT_EQ(("/" + n.path + "/").find("/../"), std::string::npos) << target;
      EXPECT_EQ(("/" + n.path + "/").find("/./"), std::string::npos) << target;
    }
  }
}

// A target that is written as it is meant is not rewritten; behind a scheme it always is.
TEST(NormaliseTarget, SaysTheSameInOriginAndInAbsoluteForm) {
  constexpr std::string_view kPieces[] = {
      "/", "a",   "latest", "meta-data", "?",    "&b=",          ".",   "/.", "//", ";",
      "%", "%2f", "\\",     "#",         "\x80", "\xef\xbc\x8f", "C.C", "+"};
  constexpr const char* kHosts[] = {
      "example.com", "Example.COM", "169.254.169.254", "0xa9fea9fe",       "2852039166",
      "a.nip.io",    "host.",       "[fd00:ec2::254]", "169.254.169.254.", "a9fea9fe.nip.io",
      "a%2eb"};
  std::mt19937 random(11);
  for (int round = 0; round < 50000; ++round) {
    std::string target = "/";
    for (std::size_t count = random() % 6; count > 0; --count) {
      target += kPieces[random() % std::size(kPieces)];
    }
    if (target.size() > 1 && (target[1] == '/' || target[1] == '\\')) {
      continue;  // more slashes for the authority
    }
    const std::string host = kHosts[random() % std::size(kHosts)];
    const Normalised origin = normalise(target, host);
    const Normalised absolute = normalise("http://" + host + target);
    ASSERT_EQ(origin.path, absolute.path) << target;
    ASSERT_EQ(origin.query, absolute.query) << target;
    ASSERT_EQ(origin.domain, absolute.domain) << host;
    ASSERT_EQ(absolute.target.substr(absolute.target.size() - origin.target.size()), origin.target)
        << target;
  }
}

}  // namespace
}  // namespace imds::http
