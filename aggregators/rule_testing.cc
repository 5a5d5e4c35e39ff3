#include "aggregators/rule_testing.h"

#include <memory>

#include "aggregators/kernels/reference_columns.h"
#include "base/status_macros.h"

namespace cairn::testing {

using kernels::SmallMatrix;
using kernels::reference::GramOf;

SmallMatrix GramOfLine(const std::vector<double>& columns) {
  std::vector<std::vector<double>> coordinates;
  for (const double value : columns) coordinates.push_back({value});
  return GramOf(coordinates);
}

SmallMatrix RandomGram(std::uint64_t seed, std::size_t columns, std::size_t coordinates) {
  return GramOf(kernels::reference::RandomColumns(seed, columns, coordinates));
}

namespace {

std::size_t FaultyOf(const Rule& rule, std::size_t columns) {
  return rule.faulty() ? rule.faulty()->Among(columns, 0) : 0;
}

}  // namespace

absl::StatusOr<RuleOutput> WeighGram(absl::string_view rule, const SmallMatrix& gram,
                                     std::optional<std::size_t> named) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rule> made, MakeRule(rule));
  const std::size_t columns = named.value_or(gram.rows), faulty = FaultyOf(*made, columns);
  CAIRN_RETURN_IF_ERROR(made->CheckClients(columns, faulty));
  const std::vector<double> examples(columns, 1);
  return made->Weigh({.columns = columns, .faulty = faulty, .gram = &gram, .examples = examples, .named = named});
}

std::vector<std::size_t> ChosenOf(const RuleOutput& output) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < output.weights.size(); ++i) {
    if (output.weights[i] > 0) chosen.push_back(i);
  }
  return chosen;
}

std::string RefusalOf(absl::string_view rule, std::size_t columns) {
  const absl::StatusOr<std::unique_ptr<Rule>> made = MakeRule(rule);
  if (!made.ok()) return std::string(made.status().message());
  return std::string((*made)->CheckClients(columns, FaultyOf(**made, columns)).message());
}

}  // namespace cairn::testing
