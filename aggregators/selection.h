// For rules that choose some of the columns and take their plain mean.
#pragma once

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "aggregators/rule.h"

namespace cairn {

// Equal weights for the columns `chosen`, ascending, one or more of the first input.columns; 0 for all others of the
// Gram matrix. `why_not` gives the reason, for people, of each of the first input.columns that was not chosen.
RuleOutput MeanOf(const RuleInput& input, absl::Span<const std::size_t> chosen,
                  absl::FunctionRef<std::string(std::size_t column)> why_not);

}  // namespace cairn
