#include "aggregators/robust_testing.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/str_format.h"
#include "aggregators/kernels/coordinate.h"
#include "aggregators/kernels/reference_robust.h"
#include "base/status_macros.h"

namespace cairn::robust_conformance {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Combination;
using kernels::reference::Dot;
using kernels::reference::Norm;

SmallMatrix Identity(std::size_t size) {
  SmallMatrix out = SmallMatrix::Zero(size, size);
  for (std::size_t i = 0; i < size; ++i) out.at(i, i) = 1;
  return out;
}

SmallMatrix Transposed(const SmallMatrix& x) {
  SmallMatrix out = SmallMatrix::Zero(x.columns, x.rows);
  for (std::size_t i = 0; i < x.rows; ++i) {
    for (std::size_t j = 0; j < x.columns; ++j) out.at(j, i) = x.at(i, j);
  }
  return out;
}

SmallMatrix Product(const SmallMatrix& x, const SmallMatrix& y) {
  SmallMatrix out = SmallMatrix::Zero(x.rows, y.columns);
  for (std::size_t i = 0; i < x.rows; ++i) {
    for (std::size_t j = 0; j < y.columns; ++j) {
      for (std::size_t k = 0; k < x.columns; ++k) out.at(i, j) += x.at(i, k) * y.at(k, j);
    }
  }
  return out;
}

// M^T K M of the first rows and columns of K. The mean of both orders of summing is symmetric, and equal columns of M
// give equal rows and columns to the last bit, so that what ties goes on to tie.
SmallMatrix MixedGram(const SmallMatrix& gram, const SmallMatrix& mixing) {
  SmallMatrix first = SmallMatrix::Zero(mixing.rows, mixing.rows);
  for (std::size_t i = 0; i < mixing.rows; ++i) {
    for (std::size_t j = 0; j < mixing.rows; ++j) first.at(i, j) = gram.at(i, j);
  }
  const SmallMatrix mixed = Product(Transposed(mixing), Product(first, mixing));
  SmallMatrix out = SmallMatrix::Zero(mixing.columns, mixing.columns);
  for (std::size_t i = 0; i < out.rows; ++i) {
    for (std::size_t j = 0; j < out.rows; ++j) out.at(i, j) = mixed.at(i, j) / 2 + mixed.at(j, i) / 2;
  }
  return out;
}

// Those that the rule looks at, in the order of the Gram matrix.
Columns ColumnsFor(const Rule& rule, const Columned& from) {
  const Rule::Needs needs = rule.needs();
  Columns columns = from.updates;
  if (needs.history) columns.insert(columns.end(), from.histories.begin(), from.histories.end());
  if (!needs.client.empty()) columns.push_back(from.named);
  if (needs.last && from.last) columns.push_back(*from.last);
  return columns;
}

// M of all guards, from the columns as they came to those that the rule sees.
absl::StatusOr<SmallMatrix> MixingOf(absl::Span<const std::unique_ptr<Guard>> guards, const SmallMatrix& gram,
                                     const Columned& from) {
  SmallMatrix mixing = Identity(from.updates.size());
  for (const auto& guard : guards) {
    const std::size_t faulty = guard->faulty() ? guard->faulty()->Among(mixing.columns, 0) : from.faulty;
    CAIRN_RETURN_IF_ERROR(guard->CheckClients(mixing.columns, faulty));
    const SmallMatrix seen = MixedGram(gram, mixing);
    CAIRN_ASSIGN_OR_RETURN(const SmallMatrix next, guard->Mix({seen, faulty, from.round}));
    mixing = Product(mixing, next);
  }
  return mixing;
}

// `mixing` of the updates, the same of the histories where there are any, and nothing done to the `others` behind them.
SmallMatrix OfAllColumns(const SmallMatrix& mixing, bool histories, std::size_t others) {
  const std::size_t blocks = histories ? 2 : 1, rows = blocks * mixing.rows, columns = blocks * mixing.columns;
  SmallMatrix all = SmallMatrix::Zero(rows + others, columns + others);
  for (std::size_t i = 0; i < mixing.rows; ++i) {
    for (std::size_t j = 0; j < mixing.columns; ++j) {
      for (std::size_t block = 0; block < blocks; ++block) {
        all.at(block * mixing.rows + i, block * mixing.columns + j) = mixing.at(i, j);
      }
    }
  }
  for (std::size_t i = 0; i < others; ++i) all.at(rows + i, columns + i) = 1;
  return all;
}

// What `rule` makes of the columns with a weight above 0, coordinate by coordinate.
Vector Coordinates(const kernels::CoordinateRule& rule, const Columns& columns, const Vector& weights) {
  std::vector<double> values;
  std::size_t count = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (!(weights[j] > 0)) continue;
    values.insert(values.end(), columns[j].begin(), columns[j].end());
    ++count;
  }
  Vector out(columns[0].size());
  kernels::ApplyCoordinates(kernels::StepsOf(rule, count), kernels::StartsOf(values, count), absl::MakeSpan(out));
  return out;
}

// By column of the result how much it takes of each as it came.
Columns MixtureOf(const SmallMatrix& mixing) {
  Columns mixture(mixing.columns, Vector(mixing.rows));
  for (std::size_t j = 0; j < mixing.columns; ++j) {
    for (std::size_t i = 0; i < mixing.rows; ++i) mixture[j][i] = mixing.at(i, j);
  }
  return mixture;
}

}  // namespace

std::string Filled(const std::string& spec, std::size_t faulty, double unit) {
  std::string out;
  for (std::size_t at = 0; at < spec.size(); ++at) {
    if (spec[at] != '{') {
      out += spec[at];
      continue;
    }
    const std::size_t end = spec.find('}', at);
    const std::string inside = spec.substr(at + 1, end - at - 1);
    out +=
        inside == "f" ? std::to_string(faulty) : absl::StrFormat("%.17g", std::strtod(inside.c_str(), nullptr) * unit);
    at = end;
  }
  return out;
}

Columned Mixed(Columned input, const Columns& mixture) {
  Vector examples;
  for (const Vector& shares : mixture) examples.push_back(Dot(shares, input.examples));
  input.examples = examples;
  input.updates = kernels::reference::Mixed(input.updates, mixture);
  input.histories = kernels::reference::Mixed(input.histories, mixture);
  return input;
}

SmallMatrix GramOf(const Columns& columns) {
  SmallMatrix gram = SmallMatrix::Zero(columns.size(), columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t j = 0; j < columns.size(); ++j) gram.at(i, j) = Dot(columns[i], columns[j]);
  }
  return gram;
}

absl::StatusOr<Outcome> OutcomeOf(const Rule& rule, absl::Span<const std::unique_ptr<Guard>> guards,
                                  const Columned& from) {
  const Rule::Needs needs = rule.needs();
  const Columns columns = ColumnsFor(rule, from);
  const SmallMatrix gram = GramOf(columns);
  CAIRN_ASSIGN_OR_RETURN(const SmallMatrix of_updates, MixingOf(guards, gram, from));
  const std::size_t blocks = needs.history ? 2 : 1, others = columns.size() - blocks * of_updates.rows;
  const SmallMatrix mixing = OfAllColumns(of_updates, needs.history, others), mixed = MixedGram(gram, mixing);
  const Vector examples = Mixed(from, MixtureOf(of_updates)).examples;
  RuleInput input{.columns = of_updates.columns, .faulty = from.faulty, .examples = examples};
  if (needs.gram) input.gram = &mixed;
  std::size_t next = blocks * input.columns;
  if (!needs.client.empty()) input.named = next++;
  if (needs.last && from.last) input.last = next;
  CAIRN_RETURN_IF_ERROR(rule.CheckClients(input.columns, input.faulty));
  Outcome outcome{.columns = mixing.columns};
  CAIRN_ASSIGN_OR_RETURN(outcome.output, rule.Weigh(input));
  const Columns mixture = MixtureOf(mixing);
  Vector weights = outcome.output.weights;
  weights.resize(mixture.size());  // Rules that do not look at the columns give the others no weight.
  const Vector of_sent = Combination(mixture, weights);
  for (std::size_t i = 0; i < of_sent.size(); ++i) outcome.size += std::abs(of_sent[i]) * Norm(columns[i]);
  const std::optional<kernels::CoordinateRule>& coordinates = outcome.output.coordinates;
  outcome.y = coordinates ? Coordinates(*coordinates, kernels::reference::Mixed(columns, mixture), weights)
                          : Combination(columns, of_sent);
  return outcome;
}

}  // namespace cairn::robust_conformance
