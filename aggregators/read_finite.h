// A whole factor in memory, for work that needs all of it at once.
#pragma once

#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/factor.h"
#include "base/status_macros.h"

namespace cairn {

// As float or double, row-major. OUT_OF_RANGE for values that are not finite, so that Aggregator::Report finds out
// whose they are.
template <typename T>
absl::StatusOr<std::vector<T>> ReadFinite(const Factor& factor) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(factor.rows() * factor.columns()));
  const auto append = [&values](absl::Span<const T> block) {
    values.insert(values.end(), block.begin(), block.end());
    return absl::OkStatus();
  };
  if constexpr (std::is_same_v<T, float>) {
    CAIRN_RETURN_IF_ERROR(ForEachBlock(factor, append));
  } else {
    CAIRN_RETURN_IF_ERROR(ForEachBlockDouble(factor, append));
  }
  return values;
}

}  // namespace cairn
