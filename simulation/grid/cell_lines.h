// How the runner and its workers talk: one line of JSON for each cell, and one for what came of it.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "simulation/grid/cell.h"

namespace cairn {

// `id` is the runner's and comes back in the answer.
struct CellRequest {
  std::size_t id = 0;
  Cell cell;
};
struct CellAnswer {
  std::size_t id = 0;
  absl::StatusOr<CellResult> result;
};

// Without the newline.
std::string ToLine(const CellRequest& request);
std::string ToLine(const CellAnswer& answer);

// INVALID_ARGUMENT for text that is no such line.
absl::StatusOr<CellRequest> ParseCellRequest(absl::string_view line);
absl::StatusOr<CellAnswer> ParseCellAnswer(absl::string_view line);

}  // namespace cairn
