// The name in a ClientHello: whatever the bytes, what is cut is waited for and nothing else, a name
// looks like one, and more bytes never take back what fewer said.
#include "evidence/server_name.h"
#include "fuzz.h"

namespace {

using namespace imds;
using evidence::ServerName;
using Status = ServerName::Status;

void check_name(std::string_view name) {
  fuzz::require(!name.empty() && name.size() <= evidence::kLongestServerName, "a name has a size");
  for (const char c : name) {
    fuzz::require(
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_',
        "a name is in lower case, and of nothing else");
  }
  (void)evidence::is_aws_service(name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes(data, size);
  const ServerName whole = evidence::read_server_name(bytes);
  if (whole.status == Status::found) {
    check_name(whole.name.view());
  }
  for (std::size_t cut = 0; cut < size; cut += 1 + size / 64) {
    const ServerName part = evidence::read_server_name(bytes.first(cut));
    if (part.status == Status::found) {
      fuzz::require(whole.status == Status::found && part.name.view() == whole.name.view(),
                    "more bytes do not change a name");
    }
    if (part.status == Status::none) {
      fuzz::require(whole.status == Status::none, "more bytes do not add a name");
    }
    fuzz::require(part.status != Status::unreadable || whole.status == Status::unreadable,
                  "what cannot be read stays so");
  }
  return 0;
}
