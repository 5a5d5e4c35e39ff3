// The cells of a grid.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simulation/grid/cell.h"

namespace cairn {

// In the order in which they are run: those of one concentration and seed beside each other, since their participants
// train the same in the first round; f ascends.
std::vector<Cell> CellsOf(const Grid& grid);

// Why a cell cannot be run: a breakdown bound of its rule or guards. Nothing for most.
std::optional<std::string> RefusalOf(const Grid& grid, const Cell& cell);

}  // namespace cairn
