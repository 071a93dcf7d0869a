// Errors as values. No room prints or exits; each returns a Result and leaves the wording to
// reach the user unchanged, and the exit code to the kind.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace imds {

// What went wrong, seen from the person who has to act on it. One program exit code each
// (see docs/operating.md).
enum class ErrorKind {
  runtime,  // exit 1: a capture that is missing, unreadable or truncated; a failure while running
  usage,    // exit 2: the command line
  config,   // exit 3: configuration or rules
  environment,  // exit 4: hugepages, NIC, interface, port in use, permissions
};

// A place in a file. Lines and columns count from 1; 0 means unknown.
struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;
};

struct Error {
  ErrorKind kind = ErrorKind::runtime;
  std::string message;  // one sentence: what is wrong, what was expected, what to do
  SourcePosition where;

  // "file:line:column: message", leaving out what is unknown.
  [[nodiscard]] std::string to_string() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message), {}});
}

[[nodiscard]] inline tl::unexpected<Error> fail_at(ErrorKind kind, SourcePosition where,
                                                   std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message), std::move(where)});
}

// Hands an error on: `if (!r) return pass_on(r);`
template <typename T>
[[nodiscard]] tl::unexpected<Error> pass_on(Result<T>& result) {
  return tl::unexpected<Error>(std::move(result.error()));
}

}  // namespace imds
