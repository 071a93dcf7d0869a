// The semantics of the Sigma specification 2.x, case by case: values, selections, modifiers.
#include "conformance.h"

namespace imds::sigma {
namespace {

// --- Values -------------------------------------------------------------------------------------

TEST(Values, StringsCompareWholeWithoutCase) {
  check({{"url: /latest/meta-data/iam", true},
         {"url: /LATEST/Meta-Data/IAM", true},
         {"url: /latest/meta-data", false},
         {"url: latest", false},
         {"url|cased: /latest/meta-data/iam", true},
         {"url|cased: /Latest/meta-data/iam", false}});
}

TEST(Values, NonAsciiComparesByte) {
  check({{"url: '/h\xc3\xa9'", true, {.url = "/h\xc3\xa9"}},
         {"url: '/h\xc3\x89'", false, {.url = "/h\xc3\xa9"}}});
}

TEST(Values, Wildcards) {
  check({{"url: '/latest/*'", true},
         {"url: '*iam'", true},
         {"url: '*meta*'", true},
         {"url: '/latest/?eta-data/iam'", true},
         {"url: '/latest/??eta-data/iam'", false},
         {"url: '*'", true},
         {"url: '?*'", true},
         {"url: '*'", true, {.url = ""}},
         {"url: '?*'", false, {.url = ""}},
         {"url|contains: 'latest/*/iam'", true},
         {"url|startswith: '/l?test'", true},
         {"url|endswith: 'meta*iam'", true},
         {"url: '/h?llo'", true, {.url = "/h\xc3\xa9llo"}}});  // a character, not a byte
}

TEST(Values, Escaping) {
  check({{R"(url: '/a\*b')", true, {.url = "/a*b"}},
         {R"(url: '/a\*b')", false, {.url = "/axb"}},
         {R"(url: '/a\?b')", true, {.url = "/a?b"}},
         {R"(url: '/a\?b')", false, {.url = "/axb"}},
         {R"(url: '/a\b')", true, {.url = "/a\\b"}},
         {R"(url: '/a\\b')", true, {.url = "/a\\b"}},
         {R"(url: '/a\\\\b')", true, {.url = "/a\\\\b"}},
         {R"(url: '/a\\\b')", true, {.url = "/a\\\\b"}},
         {R"(url: '/a\\*')", true, {.url = "/a\\xyz"}},
         {R"(url: '/a\\*')", false, {.url = "/axyz"}},
         {R"(url: '/a\\\*')", true, {.url = "/a\\*"}},
         {R"(url: '/a\\\*')", false, {.url = "/a\\x"}},
         {R"(url|endswith: '\')", true, {.url = "/a\\"}},
         {R"(url|contains: '%2f')", true, {.url = "/a%2Fb"}}});
}

TEST(Values, ListsAreAlternatives) {
  check({{"url|contains: [nothing, meta-data]", true},
         {"url|contains: [nothing, nowhere]", false},
         {"destination.port: [8080, 80]", true},
         {"url|contains|all: [latest, iam]", true},
         {"url|contains|all: [latest, user-data]", false},
         {"url|startswith: [/latest, /x]", true}});
}

TEST(Values, NullAndEmpty) {
  check({{"user_agent: null", false},
         {"user_agent: null", true, {.has_user_agent = false}},
         {"user_agent: ''", false, {.has_user_agent = false}},
         {"url: ''", true, {.url = ""}},
         {"url: null", false, {.url = ""}},
         {"user_agent: [null, 'wget*']", true, {.has_user_agent = false}},
         {"url.query: null", true},
         {"url.query: null", false, {.url = "/?a"}}});
}

TEST(Values, NumbersAndBooleans) {
  check({{"destination.port: 80", true},
         {"destination.port: '80'", true},
         {"destination.port: 8", false},
         {"destination.port: 0x50", true},
         {"request_headers.dnt: 1", true, {.headers = "DNT: 1\n"}},
         {"request_headers.sec-fetch: true", true, {.headers = "Sec-Fetch: TRUE\n"}}});
}

TEST(Values, AbsentFieldsCompareFalse) {
  const Request absent{.has_user_agent = false};
  check({{"user_agent|contains: curl", false, absent},
         {"user_agent|re: .*", false, absent},
         {"user_agent|neq: curl", true, absent},
         {"user_agent|exists: false", true, absent},
         {"user_agent|exists: true", false, absent},
         {"user_agent|exists: true", true},
         {"url.query|fieldref: url", false}});
}

// --- Selections ---------------------------------------------------------------------------------

TEST(Selections, MapsAreConjunctionsListsOfMapsDisjunctions) {
  EXPECT_TRUE(holds("  sel: {url|contains: iam, destination.port: 80}\n  condition: sel\n", {}));
  EXPECT_FALSE(holds("  sel: {url|contains: iam, destination.port: 81}\n  condition: sel\n", {}));
  const std::string list =
      "  sel:\n    - url|contains: user-data\n      destination.port: 80\n"
      "    - url|contains: iam\n  condition: sel\n";
  EXPECT_TRUE(holds(list, {}));
  EXPECT_FALSE(holds(list, {.url = "/x"}));
  EXPECT_TRUE(holds(list, {.url = "/user-data"}));
  EXPECT_FALSE(holds(list, {.url = "/user-data", .port = 81}));
}

TEST(Selections, Keywords) {
  EXPECT_TRUE(holds("  sel: [nowhere, X-TOKEN]\n  condition: sel\n", {}));
  EXPECT_TRUE(holds("  sel: meta-data\n  condition: sel\n", {}));
  EXPECT_TRUE(holds("  sel: 'x-token: a?c'\n  condition: sel\n", {}));
  EXPECT_FALSE(holds("  sel: [nowhere]\n  condition: sel\n", {}));
  EXPECT_TRUE(holds("  sel:\n    '|all': [x-token, meta-data]\n  condition: sel\n", {}));
  EXPECT_FALSE(holds("  sel:\n    '|all': [x-token, nowhere]\n  condition: sel\n", {}));
  EXPECT_TRUE(holds("  sel:\n    '|re': 'X-T.ken'\n  condition: sel\n", {}));
  EXPECT_FALSE(holds("  sel:\n    '|re': 'x-t.ken'\n  condition: sel\n", {}));
  EXPECT_TRUE(holds("  sel:\n    '|cased': 'X-Token'\n  condition: sel\n", {}));
  EXPECT_FALSE(holds("  sel:\n    '|cased': 'x-token'\n  condition: sel\n", {}));
  EXPECT_TRUE(holds("  sel:\n    - nowhere\n    - url|endswith: iam\n  condition: sel\n", {}));
}

// --- Modifiers ----------------------------------------------------------------------------------

TEST(Modifiers, PartsOfText) {
  check({{"url|contains: META", true},
         {"url|contains|cased: META", false},
         {"url|startswith: /latest", true},
         {"url|startswith: latest", false},
         {"url|endswith: /iam", true},
         {"url|endswith: /ia", false}});
}

TEST(Modifiers, Neq) {
  check({{"url|neq: /x", true},
         {"url|neq: /latest/meta-data/iam", false},
         {"url|neq: [/x, /latest/meta-data/iam]", false},
         {"url|contains|neq: user-data", true},
         {"destination.ip|cidr|neq: 169.254.0.0/16", false},
         {"url|re|neq: 'iam$'", false}});
}

TEST(Modifiers, Orders) {
  check({{"destination.port|lt: 80", false},
         {"destination.port|lte: 80", true},
         {"destination.port|gt: 79", true},
         {"destination.port|gte: 81", false},
         {"ip.ttl|lte: 64", true},
         {"request_headers.ttl|gt: 21600", true, {.headers = "TTL: 21601\n"}},
         {"request_headers.ttl|gt: 21600", false, {.headers = "TTL: many\n"}},
         {"request_headers.ttl|gt: 21600", false, {.headers = "TTL: 21600\n"}}});
}

TEST(Modifiers, Cidr) {
  check({{"destination.ip|cidr: 169.254.0.0/16", true},
         {"destination.ip|cidr: [10.0.0.0/8, 169.254.169.254/32]", true},
         {"destination.ip|cidr: 'fd00::/8'", false},
         {"destination.ip|cidr: 'fd00::/8'", true, {.destination = "fd00:ec2::254"}},
         {"destination.ip|cidr: 0.0.0.0/0", true},
         {"destination.ip|cidr: 0.0.0.0/0", false, {.destination = "fd00:ec2::254"}},
         {"url.domain|cidr: 169.254.0.0/16", true, {.domain = "169.254.169.254"}},
         {"url.domain|cidr: 169.254.0.0/16", false},
         {"url.domain|cidr: 'fd00::/8'", true, {.domain = "[fd00:ec2::254]"}},
         {"http.host|cidr: 169.254.0.0/16", true, {.domain = "169.254.169.254:80"}},
         {"request_headers.x-forwarded-for|cidr: 10.0.0.0/8",
          true,
          {.headers = "X-Forwarded-For: 10.1.2.3\n"}}});
}

TEST(Modifiers, AddressesInEveryNotation) {
  check({{"destination.ip: 169.254.169.254", true},
         {"destination.ip: 2852039166", true},
         {"destination.ip: 0xa9fea9fe", true},
         {"destination.ip: 0251.0376.0251.0376", true},
         {"destination.ip: '::ffff:a9fe:a9fe'", true},
         {"destination.ip: 'FD00:0EC2:0::0254'", true, {.destination = "fd00:ec2::254"}},
         {"destination.ip|startswith: '169.254.'", true},
         {"destination.ip|startswith: '169.25'", true},
         {"destination.ip: '169.254.*'", true},
         {"destination.ip|endswith: '.254'", true},
         {"destination.ip|contains: '254.169'", true},
         {"destination.ip|startswith: '169.255.'", false},
         {"destination.ip|startswith: 'fd00:ec2:'", true, {.destination = "fd00:ec2::254"}},
         {"destination.ip|re: '^169\\.254\\.(169|170)\\.'", true},
         {"destination.port|endswith: '0'", true},
         {"destination.port: '8?'", true}});
}

TEST(Modifiers, RegularExpressions) {
  check({{"url|re: 'meta-(data|info)/iam'", true},
         {"url|re: '^meta'", false},
         {"url|re: '^/latest/.*iam$'", true},
         {"url|re: 'META'", false},
         {"url|re|i: 'META'", true},
         {"url|re: 'a.b'", false, {.url = "/a\nb"}},
         {"url|re|s: 'a.b'", true, {.url = "/a\nb"}},
         {"request_headers|re: '^X-Token'", false},
         {"request_headers|re|m: '^X-Token'", true},
         {"request_headers|re|m|i: '^x-token: abc$'", true},
         {"url|re: '/latest/(?!meta-data)'", false},
         {"url|re: '/latest/(?!user-data)'", true},
         {"url|re: '(?<=/)iam'", true},
         {"url|re: '(e|a)t\\1'", true, {.url = "/etex"}},
         {"url|re: '(e|a)t\\1'", false, {.url = "/etax"}},
         {"url|re: '^$'", true, {.url = ""}},
         {"url|re: 'a{3}'", true, {.url = "/baaa"}},
         {"url|re: '\\bmeta\\b'", true},
         {"url|re: '/a\\*b'", true, {.url = "/a*b"}},
         {"url|re|all: ['latest', 'iam$']", true},
         {"url|re|all: ['latest', 'x$']", false}});
}

TEST(Modifiers, Encodings) {
  // "169.254.169.254" at each offset of base64.
  check(
      {{"url|base64|contains: '169.254.169.254'", true, {.url = "/?u=MTY5LjI1NC4xNjkuMjU0"}},
       {"url|base64offset|contains: '169.254.169.254'", true, {.url = "/?u=MTY5LjI1NC4xNjkuMjU0"}},
       {"url|base64offset|contains: '169.254.169.254'",
        true,
        {.url = "/?u=eDE2OS4yNTQuMTY5LjI1NA=="}},
       {"url|base64offset|contains: '169.254.169.254'",
        true,
        {.url = "/?u=eHgxNjkuMjU0LjE2OS4yNTQ="}},
       {"url|base64offset|contains: '169.254.169.254'",
        false,
        {.url = "/?u=eHgxNjkuMjU1LjE2OS4yNTQ="}},
       {"url|wide|base64|contains: cmd", true, {.url = "/YwBtAGQA"}},
       {"url|utf16le|base64|contains: cmd", true, {.url = "/YwBtAGQA"}},
       {"url|utf16be|base64|contains: cmd", true, {.url = "/AGMAbQBk"}},
       {"url|utf16|base64|contains: cmd", true, {.url = "///5jAG0AZAA="}},
       {"url|wide|contains: 'a*b'", true, {.url = std::string_view("/a\0xyzb\0", 8)}},
       {"url|wide|contains: 'ab'", false, {.url = "/ab"}}});
}

TEST(Modifiers, Windash) {
  check({{"url|windash|contains: ' -enc'", true, {.url = "/x /enc"}},
         {"url|windash|contains: ' -enc'", true, {.url = "/x -enc"}},
         {"url|windash|contains: ' -enc'",
          true,
          {.url = "/x \xe2\x80\x93"
                  "enc"}},
         {"url|windash|contains: ' -enc'",
          true,
          {.url = "/x \xe2\x80\x94"
                  "enc"}},
         {"url|windash|contains: ' -enc'",
          true,
          {.url = "/x \xe2\x80\x95"
                  "enc"}},
         {"url|contains|windash: ' /enc'", true, {.url = "/x -enc"}},
         {"url|windash|contains: ' -enc'", false, {.url = "/x +enc"}},
         {"url|windash|contains: 'meta-data'", true},  // within a word it stays
         {"url|windash|contains: 'meta-data'", false, {.url = "/meta/data"}},
         {"url|windash|contains|all: [' -a', ' -b']", true, {.url = "x /a -b"}},
         {"url|windash|contains|all: [' -a', ' -b']", false, {.url = "x /a"}}});
}

TEST(Modifiers, Fieldref) {
  check({{"url.domain|fieldref: destination.ip", true, {.domain = "169.254.169.254"}},
         {"url.domain|fieldref: destination.ip", false},
         {"url|fieldref|startswith: url.path", true, {.url = "/a?b"}},
         {"url|fieldref: url.path", false, {.url = "/a?b"}},
         {"url|fieldref|endswith: url.query", true, {.url = "/a?b"}},
         {"url|fieldref|contains: request_headers.X-Token", true, {.url = "/?t=abc"}},
         {"url|fieldref|contains|cased: request_headers.X-Token", false, {.url = "/?t=abc"}},
         {"url|fieldref|contains: request_headers.Other", false, {.url = "/?t=abc"}},
         {"source.ip|fieldref: destination.ip", true, {.source = "169.254.169.254"}},
         {"source.port|fieldref: destination.port", true, {.port = 40000}}});
}

TEST(Modifiers, Expand) {
  LoadOptions options;
  options.placeholders["networks"] = {"10.0.0.0/8", "169.254.0.0/16"};
  options.placeholders["words"] = {"user", "meta"};
  EXPECT_TRUE(line("destination.ip|cidr|expand: '%networks%'", {}, options));
  EXPECT_FALSE(line("source.ip|cidr|expand: '%networks%'", {}, options));
  EXPECT_TRUE(line("url|expand|contains: '/%words%-data'", {}, options));
  EXPECT_FALSE(line("url|expand|contains: '/%words%_data'", {}, options));
  EXPECT_TRUE(line("url|expand|contains|all: ['%words%', iam]", {}, options));
}

TEST(Modifiers, TimeParts) {
  const Request moment{.seconds = 1'735'569'296};  // 2024-12-30T14:34:56Z: week 1 of 2025
  check({{"'@timestamp|minute': 34", true, moment},
         {"'@timestamp|hour': 14", true, moment},
         {"'@timestamp|hour|gte': 15", false, moment},
         {"'@timestamp|hour|lt': 15", true, moment},
         {"'@timestamp|day': 30", true, moment},
         {"'@timestamp|week': 1", true, moment},
         {"'@timestamp|month': 12", true, moment},
         {"'@timestamp|year': [2023, 2024]", true, moment},
         {"'@timestamp|year|neq': 2024", false, moment},
         {"'@timestamp|week': 53", true, {.seconds = 1'609'459'200}},  // 2021-01-01
         {"'@timestamp|exists': true", true, moment}});
}

}  // namespace
}  // namespace imds::sigma
