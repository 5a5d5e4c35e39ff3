// A grid as a self-contained web page: heat-maps, tables, loss curves, configuration. Works offline, in light and dark.
#pragma once

#include <string>

#include "simulation/grid/grid_results.h"

namespace cairn {

// XHTML-compatible HTML.
std::string GridReportHtml(const GridResults& results);

}  // namespace cairn
