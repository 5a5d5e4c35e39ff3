#include "aggregators/selection.h"

namespace cairn {

RuleOutput MeanOf(const RuleInput& input, absl::Span<const std::size_t> chosen,
                  absl::FunctionRef<std::string(std::size_t column)> why_not) {
  RuleOutput output;
  output.weights.resize(input.gram->rows);
  for (const std::size_t column : chosen) output.weights[column] = 1 / static_cast<double>(chosen.size());
  for (std::size_t column = 0; column < input.columns; ++column) {
    output.reasons.push_back(output.weights[column] > 0 ? "" : why_not(column));
  }
  return output;
}

}  // namespace cairn
