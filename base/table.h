// Text tables for people.
#pragma once

#include <string>
#include <vector>

namespace cairn {

enum class Align { kLeft, kRight };

// Columns as wide as their widest cell, two spaces apart; the first is aligned left, the others as asked. The first row
// is the heading. Rows may have fewer cells. Every line ends with a newline and no spaces.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows, Align others);

}  // namespace cairn
