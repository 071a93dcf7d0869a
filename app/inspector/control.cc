#include "control.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <nlohmann/json.hpp>
#include <rte_telemetry.h>

#include "base/text.h"

namespace imds::inspector {

namespace {

// In a reply: the pieces of what went wrong, and of what kind it is.
constexpr char kFailed[] = "failed";
constexpr char kKind[] = "kind";

constexpr std::pair<ErrorKind, std::string_view> kKinds[] = {
    {ErrorKind::runtime, "runtime"},
    {ErrorKind::usage, "usage"},
    {ErrorKind::config, "config"},
    {ErrorKind::environment, "environment"}};

// Where EAL of the same user, or under systemd, keeps the socket.
std::string socket_path(const std::string& file_prefix) {
  const char* directory = std::getenv("RUNTIME_DIRECTORY");
  if (directory == nullptr) {
    directory = getuid() == 0 ? "/var/run" : std::getenv("XDG_RUNTIME_DIR");
  }
  return std::string(directory != nullptr ? directory : "/tmp") + "/dpdk/" + file_prefix +
         "/dpdk_telemetry.v2";
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// One message of the SOCK_SEQPACKET protocol, or nothing.
std::string receive_message(int fd) {
  std::string buffer(16384, '\0');
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  buffer.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return buffer;
}

Error failure_in(const nlohmann::json& body) {
  Error error{ErrorKind::runtime, "the running inspector says: ", {}};
  for (const auto& piece : body[kFailed]) {
    error.message += piece.is_string() ? piece.get<std::string>() : std::string();
  }
  for (const auto& [kind, name] : kKinds) {
    error.kind = body.value(kKind, "") == name ? kind : error.kind;
  }
  return error;
}

Result<nlohmann::json> read_reply(const std::string& command, const std::string& reply) {
  const auto json = nlohmann::json::parse(reply, nullptr, false);
  auto body = json.is_object() ? json.value(command, nlohmann::json()) : nlohmann::json();
  if (!body.is_object()) {
    return fail(ErrorKind::runtime, "the running inspector did not answer as expected");
  }
  if (body.contains(kFailed)) {
    return tl::unexpected<Error>(failure_in(body));
  }
  return body;
}

}  // namespace

Result<std::optional<nlohmann::json>> ask_running(const std::string& file_prefix,
                                                  const std::string& command,
                                                  std::chrono::seconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket_path(file_prefix);
  if (path.size() >= sizeof address.sun_path) {
    return fail(ErrorKind::environment, "the path of DPDK's socket is too long: " + path);
  }
  path.copy(address.sun_path, path.size());
  const Socket socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const timeval timeout{.tv_sec = patience.count(), .tv_usec = 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return std::optional<nlohmann::json>();
    }
    return fail(ErrorKind::environment,
                "cannot reach the running inspector at " + path + ": " + std::strerror(errno));
  }
  (void)receive_message(socket.fd());  // the greeting
  if (send(socket.fd(), command.data(), command.size(), MSG_NOSIGNAL) < 0) {
    return fail(ErrorKind::runtime,
                std::string("cannot ask the running inspector: ") + std::strerror(errno));
  }
  auto body = read_reply(command, receive_message(socket.fd()));
  if (!body) {
    return pass_on(body);
  }
  return std::optional(std::move(*body));
}

// A string of a telemetry reply has a length limit: long ones travel in pieces. Those must be text
// one by one, so a character that would be cut moves to the next.
void reply_failure(rte_tel_data* reply, const Error& error) {
  constexpr std::size_t kLongest = RTE_TEL_MAX_STRING_LEN - 1;
  const std::string text = escape_for_terminal(error.to_string());
  rte_tel_data* const pieces = rte_tel_data_alloc();
  if (pieces == nullptr) {
    return;
  }
  rte_tel_data_start_array(pieces, RTE_TEL_STRING_VAL);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(at + kLongest, text.size());
    while (end < text.size() && end > at + 1 && (text[end] & 0xc0) == 0x80) {
      --end;
    }
    rte_tel_data_add_array_string(pieces, text.substr(at, end - at).c_str());
    at = end;
  }
  rte_tel_data_add_dict_container(reply, kFailed, pieces, 0);
  for (const auto& [kind, name] : kKinds) {
    if (kind == error.kind) {
      rte_tel_data_add_dict_string(reply, kKind, std::string(name).c_str());
    }
  }
}

}  // namespace imds::inspector
