// A list in order of last use through the elements of an array: elements have members `older` and
// `newer`, indices of their neighbours. Who owns the array keeps both ends.
//
// Threads: one owner. Nothing is allocated; every call takes the same few steps.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imds {

// No element: behind either end, and both ends of an empty list.
inline constexpr std::uint32_t kNoElement = 0xffffffff;

// Puts an element that is in no list behind the newest.
template <typename Elements>
void link_newest(Elements& elements, std::uint32_t at, std::uint32_t& oldest,
                 std::uint32_t& newest) {
  elements[at].older = newest;
  elements[at].newer = kNoElement;
  (newest == kNoElement ? oldest : elements[newest].newer) = at;
  newest = at;
}

// Takes an element out of the list; its own members stay as they were.
template <typename Elements>
void unlink(Elements& elements, std::uint32_t at, std::uint32_t& oldest, std::uint32_t& newest) {
  const std::uint32_t older = elements[at].older;
  const std::uint32_t newer = elements[at].newer;
  (older == kNoElement ? oldest : elements[older].newer) = newer;
  (newer == kNoElement ? newest : elements[newer].older) = older;
}

}  // namespace imds
