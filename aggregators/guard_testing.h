// Guards on columns with one coordinate each, for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/kernels/small_matrix.h"

namespace cairn::testing {

struct GuardedRound {
  std::size_t faulty = 0;
  std::uint64_t round = 0;
};

// M, for the columns `points`.
absl::StatusOr<kernels::SmallMatrix> MixingOf(absl::string_view guard, const std::vector<double>& points,
                                              const GuardedRound& round = {});
// What M makes of them.
absl::StatusOr<std::vector<double>> Guarded(absl::string_view guard, const std::vector<double>& points,
                                            const GuardedRound& round = {});
// The message with which a guard refuses its options, or so many columns; "" if it takes them.
std::string GuardRefusal(absl::string_view guard, std::size_t columns, std::size_t faulty = 0);

}  // namespace cairn::testing
