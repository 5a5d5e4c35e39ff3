#include "simulation/grid/cell.h"

#include "absl/strings/str_cat.h"

namespace cairn {

std::string CellKey(absl::string_view definition, absl::string_view attack, absl::string_view concentration,
                    absl::string_view faulty, absl::string_view seed) {
  return absl::StrCat(definition, "|", attack, "|", concentration, "|", faulty, "|", seed);
}

std::string KeyOf(const Cell& cell) {
  return CellKey(DefinitionOf(cell.rule), cell.attack, ConcentrationText(cell.concentration), absl::StrCat(cell.faulty),
                 absl::StrCat(cell.seed));
}

std::string TitleOf(const Cell& cell) {
  return absl::StrCat(cell.rule.name, ", ", cell.attack, ", alpha ", ConcentrationText(cell.concentration), ", f ",
                      cell.faulty, ", seed ", cell.seed);
}

}  // namespace cairn
