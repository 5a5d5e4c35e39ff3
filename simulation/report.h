// One experiment as a self-contained web page: table, loss curves, configuration. Works offline, in light and dark.
#pragma once

#include <string>

#include "simulation/results.h"

namespace cairn {

// XHTML-compatible HTML.
std::string ReportHtml(const Results& results);

}  // namespace cairn
