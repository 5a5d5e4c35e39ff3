#include "simulation/grid/cell_lines.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using nlohmann::json;

absl::Status NotALine(absl::string_view line, const std::exception& error) {
  return absl::InvalidArgumentError(absl::StrCat("expected a line about a cell, got ", line, " (", error.what(), ")"));
}

// JSON has no infinity: nlohmann writes it as null.
double LossOf(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::infinity() : value.get<double>();
}

Cell CellOf(const json& line) {
  Cell cell;
  cell.rule = {line.value("name", ""), line.at("rule"), line.value("guards", std::vector<std::string>()),
               line.value("combine", cell.rule.combine), line.value("publish", "")};
  cell.attack = line.value("attack", cell.attack);
  // Two steps: an error of the text is no exception.
  const absl::StatusOr<double> concentration = ParseConcentration(line.value("concentration", "inf"));
  if (!concentration.ok()) throw std::invalid_argument(std::string(concentration.status().message()));
  cell.concentration = *concentration;
  cell.faulty = line.value("faulty", cell.faulty);
  cell.seed = line.value("seed", cell.seed);
  return cell;
}

CellAnswer AnswerOf(const json& line) {
  if (line.contains("error")) {
    return {line.at("id"), absl::InternalError(line.at("error").get<std::string>())};
  }
  CellResult result{line.at("base"), {}, line.at("seconds")};
  for (const json& loss : line.at("losses")) result.losses.push_back(LossOf(loss));
  return {line.at("id"), std::move(result)};
}

}  // namespace

std::string ToLine(const CellRequest& request) {
  const Cell& cell = request.cell;
  return json{{"id", request.id},
              {"name", cell.rule.name},
              {"rule", cell.rule.rule},
              {"guards", cell.rule.guards},
              {"combine", cell.rule.combine},
              {"publish", cell.rule.publish},
              {"attack", cell.attack},
              {"concentration", ConcentrationText(cell.concentration)},
              {"faulty", cell.faulty},
              {"seed", cell.seed}}
      .dump();
}

std::string ToLine(const CellAnswer& answer) {
  json line = {{"id", answer.id}};
  if (answer.result.ok()) {
    line["base"] = answer.result->base;
    line["losses"] = answer.result->losses;
    line["seconds"] = answer.result->seconds;
  } else {
    line["error"] = answer.result.status().message();
  }
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<CellRequest> ParseCellRequest(absl::string_view line) {
  try {
    const json parsed = json::parse(line.begin(), line.end());
    return CellRequest{parsed.value("id", std::size_t{0}), CellOf(parsed)};
  } catch (const std::exception& error) {
    return NotALine(line, error);
  }
}

absl::StatusOr<CellAnswer> ParseCellAnswer(absl::string_view line) {
  try {
    return AnswerOf(json::parse(line.begin(), line.end()));
  } catch (const std::exception& error) {
    return NotALine(line, error);
  }
}

}  // namespace cairn
