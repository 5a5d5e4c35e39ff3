// A grid as a self-contained web page: heat-maps, tables, loss curves, configuration. Works offline, in light and dark.
#pragma once

#include <string>

#include "simulation/grid/grid_results.h"

namespace cairn {

// XHTML-compatible HTML.
std::string GridReportHtml(const GridResults& results);

// The colour of a score: 0 to 5 from the best of all to the base, 6 and 7 above it, 8 for what is no better than
// guessing bytes.
int HeatLevelOf(double score, double best, double base);

}  // namespace cairn
