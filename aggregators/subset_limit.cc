#include "aggregators/subset_limit.h"

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

// C(n, k); exact while it has less than 2^53 / n, and infinity beyond what a double holds.
double Binomial(std::size_t n, std::size_t k) {
  double subsets = 1;
  for (std::size_t i = 1; i <= k; ++i) subsets = subsets * static_cast<double>(n - k + i) / static_cast<double>(i);
  return subsets;
}

}  // namespace

absl::Status CheckSubsets(absl::string_view who, std::size_t columns, std::size_t faulty, std::size_t most) {
  const double subsets = Binomial(columns, faulty);
  if (subsets <= static_cast<double>(most)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(who, " with f = ", faulty, " has to choose among ", subsets,
                                                 " subsets of ", columns, " clients, C(n, f), expected at most ",
                                                 most));
}

}  // namespace cairn
