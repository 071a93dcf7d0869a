// Clients of the metadata service, of whom everything must alert.
#include <array>

#include "maker.h"
#include "rule_ids.h"

namespace imds::traces {

namespace {

constexpr std::array<std::string_view, 6> kAgents = {
    "aws-cli/2.17.0 md/awscrt#0.20.11 ua/2.0 os/linux#6.1",
    "Boto3/1.34.131 md/Botocore#1.34.131 ua/2.0 os/linux#6.1 lang/python#3.11",
    "aws-sdk-go/1.54.8 (go1.22.4; linux; amd64)",
    "aws-sdk-java/2.26.0 Linux/5.15 OpenJDK_64-Bit_Server_VM/17",
    "curl/8.8.0",
    "Cloud-Init/24.1"};

constexpr std::array<std::string_view, 7> kPaths = {"iam/security-credentials/",
                                                    "iam/security-credentials/role",
                                                    "instance-id",
                                                    "placement/region",
                                                    "local-hostname",
                                                    "iam/info",
                                                    "placement/availability-zone"};

}  // namespace

// A token (in two of three conversations), then two to four requests. Whether or not the service is
// reached at its own address, paths and the token's header name it.
void Maker::imds_exchange(Conversation& conversation, bool at_endpoint) {
  constexpr std::size_t kTokenSize = 56;
  TcpPlan plan(conversation, random_, noise_);
  const std::string host = !at_endpoint                       ? "metadata.example.net:8000"
                           : conversation.ends.client.is_v4() ? "169.254.169.254"
                                                              : "[fd00:ec2::254]";
  const std::string common = " HTTP/1.1\r\nHost: " + host +
                             "\r\nUser-Agent: " + std::string(random_.any(kAgents)) + "\r\n";
  const auto answer = [&](std::string_view type, const std::string& body) {
    plan.server("HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) +
                "\r\nServer: EC2ws\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                body);
    plan.ack(true);
  };
  plan.handshake();
  std::string token;
  std::uint64_t requests = random_.between(2, 4);
  const bool has_token = !random_.one_in(3);
  if (has_token) {
    plan.client("PUT /latest/api/token" + common +
                "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length: 0\r\n\r\n");
    plan.ack(false);
    token = random_text(kTokenSize);
    answer("text/plain", token);
    token = "X-aws-ec2-metadata-token: " + token + "\r\n";
  }
  for (std::uint64_t i = 0; i < requests; ++i) {
    plan.client("GET /latest/meta-data/" + std::string(random_.any(kPaths)) + common + token +
                "Accept: */*\r\n\r\n");
    plan.ack(false);
    answer("text/plain", random_text(random_.between(10, 1200)));
  }
  plan.fin();
  conversation.alerts.add("http_request", kAccessRule, requests + (has_token ? 1 : 0));
  if (at_endpoint) {
    conversation.alerts.add("connection", kAccessRule);
  }
}

Conversation Maker::imds() {
  Conversation out;
  // One in four asks an impersonator at another address: no connection alert then.
  const bool at_endpoint = !random_.one_in(4);
  out.ends = tcp_ends(at_endpoint ? 80 : 8000, 6);
  if (at_endpoint) {
    to_endpoint(out);
  }
  imds_exchange(out, at_endpoint);
  return out;
}

std::string Maker::random_key_id() {
  constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string out = "ASIA";
  // Of the 80 bits behind the prefix the first is never set.
  out += kBase32[random_.between(0, kBase32.size() / 2 - 1)];
  while (out.size() < 20) {
    out += kBase32[random_.between(0, kBase32.size() - 1)];
  }
  return out;
}

// What an impersonation that succeeds looks like, on one kept connection: a token, the role's name,
// and its credentials, as long as real ones are.
Conversation Maker::exchange() {
  constexpr std::size_t kSessionTokenSize = 1'000;
  Conversation out;
  out.ends = tcp_ends(80, 0);
  out.ends.server = IpAddress::v4(0xa9fea9fe);
  TcpPlan plan(out, random_, noise_);
  const std::string common =
      " HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent: " + std::string(random_.any(kAgents)) +
      "\r\n";
  const std::string token = "FAKE" + random_text(52);
  const auto ask = [&](std::string_view request, const std::string& header) {
    plan.client(std::string(request) + common + header + "\r\n");
    plan.ack(false);
  };
  const auto answer = [&](std::string_view header, const std::string& body) {
    plan.server("HTTP/1.1 200 OK\r\n" + std::string(header) +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    plan.ack(true);
  };
  plan.handshake();
  ask("PUT /latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
  answer("X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600\r\nContent-Type: text/plain\r\n", token);
  const std::string with_token = "X-aws-ec2-metadata-token: " + token + "\r\nAccept: */*\r\n";
  ask("GET /latest/meta-data/iam/security-credentials/", with_token);
  answer("Content-Type: text/plain\r\n", "web");
  ask("GET /latest/meta-data/iam/security-credentials/web", with_token);
  // One after the other: within one expression, each compiler has its own order.
  const std::string key_id = random_key_id();
  const std::string secret = "FAKE" + random_text(36);
  const std::string session = "FAKE" + random_text(kSessionTokenSize);
  answer("Content-Type: text/plain\r\n",
         "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2026-01-01T00:00:00Z\",\n"
         "  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"" +
             key_id + "\",\n  \"SecretAccessKey\" : \"" + secret + "\",\n  \"Token\" : \"" +
             session + "\",\n  \"Expiration\" : \"2026-01-01T06:00:00Z\"\n}");
  plan.fin();
  out.alerts.add("connection", kAccessRule);
  out.alerts.add("http_request", kAccessRule, 3);
  return out;
}

Conversation Maker::imds_of(const IpAddress& client, std::uint16_t port) {
  Conversation out;
  out.ends = tcp_ends(80, 0);
  out.ends.client = client;
  out.ends.client_port = port;
  out.ends.server = IpAddress::v4(0xa9fea9fe);
  imds_exchange(out, true);
  return out;
}

}  // namespace imds::traces
