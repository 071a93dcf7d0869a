#include "alert/redact.h"

#include <array>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

namespace imds::alert {
namespace {

using Form = Redactor::Form;

std::string mask(std::string_view text, Form form = Form::target, bool cut = false,
                 const Redactor& redactor = Redactor()) {
  std::array<char, 4 * kMaxMaskable> out;
  const Redactor::Masked masked = redactor.mask(text, form, cut, out);
  return {out.data(), masked.length};
}

struct Case {
  const char* sent;
  const char* kept;
};

class RedactedTarget : public testing::TestWithParam<Case> {};

TEST_P(RedactedTarget, IsMasked) {
  EXPECT_EQ(mask(GetParam().sent), GetParam().kept);
}

INSTANTIATE_TEST_SUITE_P(
    Parameters, RedactedTarget,
    testing::Values(Case{"/a?token=s3cret", "/a?token=REDACTED"},
                    Case{"/a?token=s3cret&b=1", "/a?token=REDACTED&b=1"},
                    Case{"/a?b=1&TOKEN=s3cret&c=2", "/a?b=1&TOKEN=REDACTED&c=2"},
                    Case{"/a?X-Amz-Security-Token=IQoJ%2Fabc%3D%3D&X-Amz-Date=20251008T120000Z",
                         "/a?X-Amz-Security-Token=REDACTED&X-Amz-Date=20251008T120000Z"},
                    Case{"/a?X-Amz-Signature=00ff&X-Amz-Credential=AKIA%2F20251008%2Fus-east-1",
                         "/a?X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED"},
                    // The name percent-encoded, once and more often, wholly or in part.
                    Case{"/a?%74oken=s3cret&b=1", "/a?%74oken=REDACTED&b=1"},
                    Case{"/a?%74%6F%6b%65%6e=s3cret", "/a?%74%6F%6b%65%6e=REDACTED"},
                    Case{"/a?%2574oken=s3cret&b=1", "/a?%2574oken=REDACTED&b=1"},
                    Case{"/a?%25252574oken=s3cret&b=1", "/a?%25252574oken=REDACTED&b=1"},
                    Case{"/a?tok%2%35%36%35n=s3cret", "/a?tok%2%35%36%35n=REDACTED"},
                    Case{"/a?token%3Ds3cret&b=1", "/a?token%3DREDACTED&b=1"},
                    Case{"/a%3Ftoken=s3cret", "/a%3Ftoken=REDACTED"},
                    // An encoded separator belongs to the value that began outside of it.
                    Case{"/a?token=s3%26cret&b=1", "/a?token=REDACTED&b=1"},
                    Case{"/a?token=s3;cr?e#t=x&b=1", "/a?token=REDACTED&b=1"},
                    // A URL as the value of another parameter, encoded or not.
                    Case{"/p?url=http%3A%2F%2Fh%2Fx%3Ftoken%3Ds3cret%26n%3D1&z=2",
                         "/p?url=http%3A%2F%2Fh%2Fx%3Ftoken%3DREDACTED%26n%3D1&z=2"},
                    Case{"/p?url=http://h/x?token=s3cret&n=1",
                         "/p?url=http://h/x?token=REDACTED&n=1"},
                    Case{"/p?url=%2Fx%253Fpassword%253Ds3cret%2526n%253D1",
                         "/p?url=%2Fx%253Fpassword%253DREDACTED%2526n%253D1"},
                    // Names in lists and maps, padded, as matrix parameters, in fragments.
                    Case{"/a?user[password]=s3cret", "/a?user[password]=REDACTED"},
                    Case{"/a?token[]=s3cret&token[]=other", "/a?token[]=REDACTED&token[]=REDACTED"},
                    Case{"/a?+token%20=s3cret", "/a?+token%20=REDACTED"},
                    Case{"/a;token=s3cret", "/a;token=REDACTED"},
                    Case{"/a#access_token=s3cret", "/a#access_token=REDACTED"},
                    Case{"/a?b=1&amp;token=s3cret", "/a?b=1&amp;token=REDACTED"},
                    // Several, also repeated.
                    Case{"/a?key=1&sig=2&key=3", "/a?key=REDACTED&sig=REDACTED&key=REDACTED"}));

INSTANTIATE_TEST_SUITE_P(
    Userinfo, RedactedTarget,
    testing::Values(
        Case{"http://user:s3cret@169.254.169.254/latest",
             "http://user:REDACTED@169.254.169.254/latest"},
        Case{"http://user:s3:cr@et@h/", "http://user:REDACTED@h/"},
        Case{"http://user:s3%40cret@h/", "http://user:REDACTED@h/"},
        Case{"http://user%3As3cret@h/", "http://user%3AREDACTED@h/"},
        Case{"http://user:s3cret%40h/", "http://user:REDACTED%40h/"},
        Case{"http://user:s3%2Fcret@h/", "http://user:REDACTED@h/"},
        Case{"http://user:s3&cret@h/", "http://user:REDACTED@h/"},
        Case{"http:\\\\user:s3cret@h/x", "http:\\\\user:REDACTED@h/x"},
        Case{"http:/user:s3cret@h/x", "http:/user:REDACTED@h/x"},
        Case{"http:user:s3cret@h/x", "http:REDACTED@h/x"},
        Case{"//user:s3cret@h/x", "//user:REDACTED@h/x"},
        // Slash or question mark in the password: no URL, but the password was sent all the same.
        Case{"http://user:s3/cret@h/x", "http://user:REDACTED@h/x"},
        Case{"http://user:s3?cret@h/x", "http://user:REDACTED@h/x"},
        // Authority form.
        Case{"user:s3cret@proxy:443", "user:REDACTED@proxy:443"},
        // In a parameter.
        Case{"/p?url=http://user:s3cret@h/&n=1", "/p?url=http://user:REDACTED@h/&n=1"},
        Case{"/p?url=http%3A%2F%2Fuser%3As3cret%40h%2Fx&n=1",
             "/p?url=http%3A%2F%2Fuser%3AREDACTED%40h%2Fx&n=1"},
        Case{"/p?url=http%253A%252F%252Fuser%253As3cret%2540h",
             "/p?url=http%253A%252F%252Fuser%253AREDACTED%2540h"},
        Case{"/p?url=user:s3cret@h&n=1", "/p?url=user:REDACTED@h&n=1"}));

class UntouchedTarget : public testing::TestWithParam<const char*> {};

TEST_P(UntouchedTarget, StaysAsSent) {
  EXPECT_EQ(mask(GetParam()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Evidence, UntouchedTarget,
    testing::Values("/latest/meta-data/iam/security-credentials/", "*", "/", "",
                    "http://169.254.169.254/latest/meta-data", "http://169.254.169.254:80/latest",
                    "http://x@169.254.169.254/", "http://[fd00:ec2::254]/latest",
                    "http://[fd00:ec2::254]:80/latest", "http://fd00:ec2::254/latest",
                    "169.254.169.254:443", "/p?url=http://169.254.169.254:80/latest&n=a@b",
                    "/p?url=http%3A%2F%2F169.254.169.254:80%2Flatest%2Fapi%2Ftoken",
                    "/latest/api/token?x=1", "/a?tokens=1&keyring=2&monkey=3", "/a?token=&b=1",
                    "/%6catest/%2e%2e/%", "/a?t=12:30:00", "/a//b:c/d", "/%25%2525",
                    "/latest/meta-data/%7Ctoken"));

TEST(Redact, CutTargetDoesNotLeakWhatItsEndWouldHaveTold) {
  const auto cut = [](std::string_view text) { return mask(text, Form::target, true); };
  EXPECT_EQ(cut("http://user:s3cre"), "http://user:REDACTED");
  EXPECT_EQ(cut("http://user:1234"), "http://user:REDACTED");  // a port, or half a password
  EXPECT_EQ(cut("http://user:s3cre%4"), "http://user:REDACTED");
  EXPECT_EQ(cut("user:s3cre"), "user:REDACTED");
  EXPECT_EQ(cut("/p?url=http%3A%2F%2Fuser%3As3cre"), "/p?url=http%3A%2F%2Fuser%3AREDACTED");
  EXPECT_EQ(cut("http://user:s3@cre"), "http://user:REDACTED");
  EXPECT_EQ(cut("/a?token=s3cre"), "/a?token=REDACTED");
  EXPECT_EQ(cut("/a?toke"), "/a?toke");
  EXPECT_EQ(cut("http://169.254.169.254:80/lat"), "http://169.254.169.254:80/lat");
}

TEST(Redact, NormalisedPathIsMaskedToItsEnd) {
  EXPECT_EQ(mask("/a?token=s3&cret", Form::path), "/a?token=REDACTED");
  EXPECT_EQ(mask("/x/http://user:s3cret@h/y", Form::path), "/x/http://user:REDACTED@h/y");
  EXPECT_EQ(mask("/latest/api/token", Form::path), "/latest/api/token");
}

TEST(Redact, DomainLosesOnlyAPassword) {
  EXPECT_EQ(mask("user:s3cret@h", Form::domain), "user:REDACTED@h");
  EXPECT_EQ(mask("fd00:ec2::254", Form::domain), "fd00:ec2::254");
  EXPECT_EQ(mask("instance-data.ec2.internal", Form::domain), "instance-data.ec2.internal");
}

TEST(Redact, ListIsConfigurable) {
  const Redactor redactor(RedactionOptions{{"Ticket"}});
  EXPECT_EQ(mask("/a?ticket=1&token=2", Form::target, false, redactor),
            "/a?ticket=REDACTED&token=2");
}

TEST(Redact, OutputIsCutToItsRoomAndSaysSo) {
  std::array<char, 12> out;
  const auto masked = Redactor().mask("/a?key=x&b=123", Form::target, false, out);
  EXPECT_TRUE(masked.cut);
  EXPECT_EQ(std::string_view(out.data(), masked.length), "/a?key=REDAC");
}

TEST(Redact, LongTextIsReadUpToItsLimit) {
  std::string text = "/a?x=" + std::string(kMaxMaskable, 'y') + "&token=s3cret";
  std::array<char, 2 * kMaxMaskable> out;
  const auto masked = Redactor().mask(text, Form::target, false, out);
  EXPECT_TRUE(masked.cut);
  EXPECT_EQ(masked.length, kMaxMaskable);
}

// Whatever surrounds it, a secret of this shape must never come through.
TEST(Redact, NoWrappingLetsTheSecretThrough) {
  const std::string secret = "Zq9Xw7Vu";
  const auto encode = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
      out += hex;
    }
    return out;
  };
  for (const std::string& name : RedactionOptions::default_query_parameters()) {
    std::string inner = "http://h/x?" + name + "=" + secret;
    std::string userinfo = "http://u:" + secret + "@h/";
    for (int layers = 0; layers < 3; ++layers) {
      for (const std::string prefix : {"", "/p?url=", "/p?a=1&b=", "/p;x=", "//h/?u=", "*?"}) {
        for (const std::string suffix : {"", "&z=1", "/tail", "#f"}) {
          for (const bool cut : {false, true}) {
            const std::string a = mask(prefix + inner + suffix, Form::target, cut);
            EXPECT_EQ(a.find(secret), std::string::npos) << prefix + inner + suffix << " -> " << a;
            const std::string b = mask(prefix + userinfo + suffix, Form::target, cut);
            EXPECT_EQ(b.find(secret), std::string::npos)
                << prefix + userinfo + suffix << " -> " << b;
          }
        }
      }
      // The secret itself stays readable, so that finding it means a leak.
      const std::size_t at = inner.find(secret);
      inner = encode(inner.substr(0, at)) + secret;
      const std::size_t in_userinfo = userinfo.find(secret);
      userinfo = encode(userinfo.substr(0, in_userinfo)) + secret +
                 encode(userinfo.substr(in_userinfo + secret.size()));
    }
  }
}

// Work per text is bounded: shapes that make every position a possible beginning.
TEST(Redact, HostileShapesAreMaskedWhole) {
  for (const char* unit : {"=", "=a", ":/a", "//", ";key=", "?key=", "%25", "@", "a:b@", "=a:b@"}) {
    std::string text;
    while (text.size() < kMaxMaskable - 8) {
      text += unit;
    }
    std::array<char, 8 * kMaxMaskable> out;
    const auto masked = Redactor().mask(text, Form::target, true, out);
    EXPECT_FALSE(masked.cut) << unit;
    EXPECT_GT(masked.length, 0u) << unit;
  }
}

}  // namespace
}  // namespace imds::alert
