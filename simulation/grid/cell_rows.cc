#include "simulation/grid/cell_rows.h"

#include <array>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// In the order of CellOutcome::Kind.
constexpr std::array<const char*, 3> kKinds = {"done", "refused", "failed"};

enum Column {
  kRule,
  kAttack,
  kConcentration,
  kFaulty,
  kSeed,
  kOutcome,
  kFinalLoss,
  kBaseLoss,
  kLosses,
  kSeconds,
  kDefinition,
  kReason,
  kColumns
};

std::string Field(const std::string& text) {
  const std::string line = absl::StrReplaceAll(text, {{"\r", ""}, {"\n", " / "}});
  if (line.find_first_of("\",") == std::string::npos) return line;
  return absl::StrCat("\"", absl::StrReplaceAll(line, {{"\"", "\"\""}}), "\"");
}

std::string Loss(double loss) { return absl::StrFormat("%.6f", loss); }

// The fields of one line. Nothing when a quote is open at its end.
std::vector<std::string> Fields(absl::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return quoted ? std::vector<std::string>() : fields;
}

absl::StatusOr<CellOutcome::Kind> KindOf(const std::string& name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (name == kKinds[i]) return static_cast<CellOutcome::Kind>(i);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("column outcome: expected one of ", absl::StrJoin(kKinds, ", "), ", got \"", name, "\""));
}

absl::Status ReadNumber(const std::string& text, const char* column, double& out) {
  if (absl::SimpleAtod(text, &out)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("column ", column, ": expected a number, got \"", text, "\""));
}

absl::StatusOr<CellResult> ResultOf(const std::vector<std::string>& fields) {
  CellResult result;
  CAIRN_RETURN_IF_ERROR(ReadNumber(fields[kBaseLoss], "base_loss", result.base));
  CAIRN_RETURN_IF_ERROR(ReadNumber(fields[kSeconds], "seconds", result.seconds));
  for (const absl::string_view loss : absl::StrSplit(fields[kLosses], ' ', absl::SkipEmpty())) {
    CAIRN_RETURN_IF_ERROR(ReadNumber(std::string(loss), "losses", result.losses.emplace_back()));
  }
  return result;
}

}  // namespace

std::string FormatCellRow(const Cell& cell, const CellOutcome& outcome) {
  std::vector<std::string> fields(kColumns);
  fields[kRule] = Field(cell.rule.name);
  fields[kAttack] = Field(cell.attack);
  fields[kConcentration] = ConcentrationText(cell.concentration);
  fields[kFaulty] = absl::StrCat(cell.faulty);
  fields[kSeed] = absl::StrCat(cell.seed);
  fields[kOutcome] = kKinds[static_cast<std::size_t>(outcome.kind)];
  fields[kDefinition] = Field(DefinitionOf(cell.rule));
  fields[kReason] = Field(outcome.reason);
  if (outcome.kind == CellOutcome::Kind::kDone) {
    const CellResult& result = outcome.result;
    fields[kFinalLoss] = Loss(result.final_loss());
    fields[kBaseLoss] = Loss(result.base);
    fields[kLosses] = absl::StrJoin(result.losses, " ", [](std::string* out, double loss) { *out += Loss(loss); });
    fields[kSeconds] = absl::StrFormat("%.2f", result.seconds);
  }
  return absl::StrJoin(fields, ",");
}

absl::StatusOr<CellRow> ParseCellRow(absl::string_view line) {
  const std::vector<std::string> fields = Fields(line);
  if (fields.size() != kColumns) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", static_cast<int>(kColumns), " columns, got ", fields.size(), ": ", line));
  }
  CellRow row;
  CAIRN_ASSIGN_OR_RETURN(row.outcome.kind, KindOf(fields[kOutcome]));
  if (row.outcome.kind == CellOutcome::Kind::kDone) {
    CAIRN_ASSIGN_OR_RETURN(row.outcome.result, ResultOf(fields));
  }
  row.outcome.reason = fields[kReason];
  row.key = CellKey(fields[kDefinition], fields[kAttack], fields[kConcentration], fields[kFaulty], fields[kSeed]);
  return row;
}

}  // namespace cairn
