// A limit for rules that choose the best of all subsets of the clients.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cairn {

// OK when at most `most` subsets are left when f of n columns are left out. Else INVALID_ARGUMENT: "rule mda with f =
// 10 has to choose among 1.73103e+13 subsets of 100 clients, C(n, f), expected at most 2000000". `who` is "rule mda".
// REQUIRES: faulty <= columns.
absl::Status CheckSubsets(absl::string_view who, std::size_t columns, std::size_t faulty, std::size_t most);

}  // namespace cairn
