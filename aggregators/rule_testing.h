// Small inputs of rules, for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/rule.h"

namespace cairn::testing {

// <x_i, x_j> of columns with one coordinate each.
kernels::SmallMatrix GramOfLine(const std::vector<double>& columns);
// Of columns whose coordinates are uniform in [-1, 1), the same for the same seed.
kernels::SmallMatrix RandomGram(std::uint64_t seed, std::size_t columns, std::size_t coordinates);

// What a rule makes of columns that count one example each, if it takes that many. Columns from `named` on are none of
// the n.
absl::StatusOr<RuleOutput> WeighGram(absl::string_view rule, const kernels::SmallMatrix& gram,
                                     std::optional<std::size_t> named = std::nullopt);
// The columns that count, ascending.
std::vector<std::size_t> ChosenOf(const RuleOutput& output);
// The message with which a rule refuses its options, or so many columns; "" if it takes them.
std::string RefusalOf(absl::string_view rule, std::size_t columns);

}  // namespace cairn::testing
