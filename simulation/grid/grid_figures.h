// The figures of a grid's page, as HTML.
#pragma once

#include <cstdint>
#include <string>

#include "simulation/grid/grid_results.h"

namespace cairn {

// What figures and tables are held against; 0 while no cell is done.
double BaseOf(const GridResults& results);

// A heat-map for each rule: columns are f, rows concentrations, a cell has the worst attack's score. With the scale of
// its colours.
std::string HeatMapFigures(const GridResults& results);

// A chart for each rule: held-out loss by round, a line for each attack.
std::string CurveFigures(const GridResults& results, double concentration, std::uint32_t faulty);
// Which line is which attack.
std::string CurveLegend(const GridResults& results);

// The colour of a score: 0 to 5 from the best of all to the base, 6 and 7 above it, 8 for what is no better than
// guessing bytes. When nothing is better than the base, the best is above it.
int HeatLevelOf(double score, double best, double base);

}  // namespace cairn
