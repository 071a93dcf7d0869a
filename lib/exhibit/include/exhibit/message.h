// Overwrites in place what may be secret in the first bytes of an HTTP/1 message. Everything is
// overwritten unless it is known to be harmless: the start line without userinfo, path parameters
// and query, the names of headers, and the values of a few of them. Bodies, lines that are not all
// there, and what is no message at all are overwritten whole.
//
// Pure functions; any thread. Lengths never change. Each returns how many bytes were overwritten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace imds::exhibit {

inline constexpr std::uint8_t kOverwritten = 'X';

std::size_t overwrite(std::span<std::uint8_t> bytes);
// `bytes` begin where a message may begin.
std::size_t overwrite_message(std::span<std::uint8_t> bytes);

}  // namespace imds::exhibit
