// HTTP of browsers and programs that has nothing to do with instance metadata, but now and then
// looks a little like it.
#include <algorithm>
#include <array>
#include <cstdio>

#include "maker.h"

namespace imds::traces {

namespace {

constexpr std::array<std::string_view, 8> kHosts = {
    "www.example.com",  "static.example.net", "api.example.org",       "news.example.com",
    "shop.example.net", "img4.example.com",   "cdn7.example.org:8080", "intranet.example.com"};

// Order and wording of headers as the browsers send them.
constexpr std::array<std::string_view, 5> kBrowsers = {
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n",
    "Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (Windows NT "
    "10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\nAccept-Encoding: gzip, deflate\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n",
    "Accept: "
    "image/webp,image/avif,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5\r\n"
    "Connection: keep-alive\r\nUser-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1\r\n"
    "Accept-Language: de-DE,de;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n",
    "Connection: keep-alive\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: "
    "Mozilla/5.0 "
    "(Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
    "Safari/537.36\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: "
    "fr,en;q=0.8\r\n",
    "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 "
    "Firefox/127.0\r\nAccept: text/css,*/*;q=0.1\r\nAccept-Language: ja,en-US;q=0.7,en;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate\r\nDNT: 1\r\nConnection: keep-alive\r\n"};

// The last five have words of the rules in them, but not the rules' strings.
constexpr std::array<std::string_view, 16> kTargets = {
    "/",
    "/index.html?utm_source=mail&id=",
    "/assets/app.bundle.js?v=",
    "/assets/fonts/inter-latin-",
    "/images/photos/large/",
    "/search?q=used+bicycles&page=",
    "/account/orders/",
    "/wp-content/uploads/2025/07/caf%C3%A9-",
    "/video/segment-",
    "/static/css/main.",
    "/blog/2025/10/08/why-we-moved/comment-",
    "/latest/news/metadata-standards-in-libraries.html?from=",
    "/releases/latest/download/tool-",
    "/api/latest/metadata?dataset=",
    "/docs/latest/api/topics.html#",
    "/meta-data/schema/v"};

constexpr std::array<std::string_view, 8> kPrograms = {
    "User-Agent: curl/8.8.0\r\nAccept: */*\r\n",
    "User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
    "Connection: keep-alive\r\n",
    "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n",
    "Accept: application/json, text/plain, */*\r\nUser-Agent: axios/1.7.2\r\n"
    "Accept-Encoding: gzip, compress, deflate, br\r\n",
    "Accept-Encoding: gzip\r\nUser-Agent: okhttp/4.12.0\r\nConnection: Keep-Alive\r\n",
    "User-Agent: Prometheus/2.53.0\r\nAccept: application/openmetrics-text;version=1.0.0;q=0.8,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n",
    "User-Agent: kube-probe/1.30\r\nAccept: */*\r\nConnection: close\r\n",
    "User-Agent: aws-sdk-java/2.26.0 Linux/5.15 OpenJDK_64-Bit_Server_VM/17\r\n"
    "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: 20251008T120000Z\r\n"
    "amz-sdk-request: attempt=1; max=4\r\nConnection: Keep-Alive\r\n"};

constexpr std::array<std::string_view, 8> kApiTargets = {
    "/api/v2/items/", "/v1/messages?cursor=",  "/graphql?op=",         "/metrics?target=",
    "/healthz?n=",    "/rest/session/tokens/", "/bucket/backup/part-", "/api/v1/instances/"};

constexpr std::array<std::string_view, 6> kMethods = {"GET", "GET",  "POST",
                                                      "PUT", "HEAD", "DELETE"};

std::string with_length(std::string_view type, std::size_t size) {
  return "Content-Type: " + std::string(type) + "\r\nContent-Length: " + std::to_string(size) +
         "\r\n";
}

}  // namespace

std::string Maker::target() {
  std::string out(random_.any(kTargets));
  out += std::to_string(random_.between(1, 99'999));
  return out;
}

std::string Maker::browser_head(std::string_view method, std::size_t body) {
  const std::string host(random_.any(kHosts));
  std::string head = std::string(method) + ' ' + target() + " HTTP/1.1\r\nHost: " + host + "\r\n";
  head += random_.any(kBrowsers);
  if (random_.one_in(2)) {
    head += "Referer: http://" + host + target() + "\r\n";
  }
  if (random_.one_in(2)) {
    head += "Cookie: session=" + random_text(random_.between(20, 120));
    head += "; theme=dark; _ga=GA1.1." + std::to_string(random_.between(100'000'000, 999'999'999)) +
            "\r\n";
  }
  if (body != 0) {
    head += with_length("application/x-www-form-urlencoded", body);
  }
  return head + "\r\n";
}

std::string Maker::api_request() {
  const std::string_view method = random_.any(kMethods);
  std::string head = std::string(method) + ' ' + std::string(random_.any(kApiTargets));
  head += std::to_string(random_.between(1, 99'999)) + " HTTP/1.1\r\nHost: ";
  head += random_.any(kHosts);
  head += "\r\n";
  head += random_.any(kPrograms);
  if (random_.one_in(3)) {
    head += "Authorization: Bearer " + random_text(random_.between(40, 200)) + "\r\n";
  }
  if (random_.one_in(4)) {
    head += "X-Request-ID: " + random_text(22);
    head += "\r\nX-Forwarded-For: 10.20.30." + std::to_string(random_.between(1, 254)) + "\r\n";
  }
  if (method != "POST" && method != "PUT") {
    return head + "\r\n";
  }
  std::string body = "{\"id\":" + std::to_string(random_.between(1, 99'999));
  body += ",\"name\":\"" + random_text(random_.between(8, 60)) + "\"}";
  return head + with_length("application/json", body.size()) + "\r\n" + body;
}

void Maker::web_answer(TcpPlan& plan, std::size_t body) {
  constexpr std::array<std::string_view, 4> kTypes = {"application/octet-stream", "font/woff2",
                                                      "application/zip", "application/x-tar"};
  constexpr std::size_t kChunk = 8192;
  const bool is_chunked = random_.one_in(4);
  std::string head =
      "HTTP/1.1 200 OK\r\nDate: Wed, 08 Oct 2025 12:00:00 GMT\r\nServer: nginx\r\nContent-Type: " +
      std::string(random_.any(kTypes)) + "\r\nCache-Control: max-age=3600\r\nETag: \"";
  head += random_text(16) + "\"\r\n";
  if (!is_chunked) {
    plan.server_bulk(head + "Content-Length: " + std::to_string(body) + "\r\n\r\n", body);
    return;
  }
  head += "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t left = body; left > 0;) {
    const std::size_t size = std::min(left, kChunk);
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "%zx\r\n", size);
    plan.server_bulk(head + digits.data(), size);
    head = "\r\n";
    left -= size;
  }
  plan.server(head + "0\r\n\r\n").ack(true);
}

Conversation Maker::web() {
  Conversation out;
  out.ends = tcp_ends(random_.one_in(4) ? 8080 : 80, 6);
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  for (std::size_t requests = random_.one_in(4) ? 2 : 1; requests > 0; --requests) {
    const std::size_t posted = random_.one_in(10) ? random_.between(200, 6000) : 0;
    plan.client(browser_head(posted != 0 ? "POST" : "GET", posted), posted).ack(false);
    web_answer(plan, random_.sized(10'000, 100'000));
  }
  plan.fin();
  return out;
}

Conversation Maker::heads() {
  Conversation out;
  out.ends = tcp_ends(80, 6);
  TcpPlan plan(out, random_, noise_);
  plan.handshake();
  const bool is_browser = random_.one_in(2);
  for (std::size_t i = random_.between(30, 60); i > 0; --i) {
    plan.client(is_browser ? browser_head("GET", 0) : api_request());
  }
  plan.fin();
  return out;
}

}  // namespace imds::traces
