#include "aggregators/weighing_round.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/combination.h"
#include "aggregators/kernels/congruence.h"
#include "aggregators/kernels/small_product.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

std::vector<std::size_t> FirstOf(std::size_t count) {
  std::vector<std::size_t> indices(count);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

std::vector<double> Times(const kernels::SmallMatrix& matrix, absl::Span<const double> x) {
  std::vector<double> product(matrix.rows);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j < matrix.columns; ++j) product[i] += matrix.at(i, j) * x[j];
  }
  return product;
}

// 1 less the weights: 0 where only rounding is left, so that nothing is added that does not count.
double LeftOf(absl::Span<const double> weights, double last) {
  double sum = last, magnitude = 1 + std::abs(last);
  for (const double weight : weights) {
    sum += weight;
    magnitude += std::abs(weight);
  }
  const double rounding = std::numeric_limits<double>::epsilon() * magnitude * static_cast<double>(weights.size() + 1);
  return std::abs(1 - sum) <= rounding ? 0 : 1 - sum;
}

}  // namespace

std::string WeighingRound::who() const { return absl::StrCat("rule ", rule().name()); }

absl::StatusOr<WeighingOutput> WeighingRound::Run() {
  output_.clients.resize(input_.clients.size());
  CAIRN_RETURN_IF_ERROR(ChooseColumns());
  CAIRN_RETURN_IF_ERROR(weighing_.CheckColumns(columns_.size(), dropped_));
  if (measured()) ChooseGram();
  CAIRN_RETURN_IF_ERROR(Mix());
  CAIRN_ASSIGN_OR_RETURN(const RuleOutput result, Ask());
  Assign(result);
  if (measured() && !result.coordinates) Measure();
  return std::move(output_);
}

void WeighingRound::Refuse(std::size_t client, std::string reason) {
  output_.clients[client] = {.accepted = false, .reason = std::move(reason)};
}

// Which clients are columns that count, and which one is trusted.
absl::Status WeighingRound::ChooseColumns() {
  const Rule::Needs needs = rule().needs();
  for (std::size_t i = 0; i < input_.clients.size(); ++i) {
    const bool trusted = !needs.client.empty() && input_.clients[i] == needs.client;
    const bool counts = !trusted || needs.client_counts;
    if (trusted && finite(i)) trusted_ = i;
    if (!finite(i)) {
      Refuse(i, input_.not_finite[i]);
      if (counts) ++dropped_;
    } else if (counts) {
      columns_.push_back(i);
    } else {
      output_.clients[i].reason = absl::StrCat("trusted: ", who(), " holds the others against it");
    }
  }
  if (!needs.client.empty() && !trusted_) {
    return absl::InvalidArgumentError(
        absl::StrCat(who(), ": client \"", needs.client, "\", which it trusts, sent no update that can be used"));
  }
  if (!columns_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(who(), ": none of the ", input_.clients.size(), " clients sent an update that can be used"));
}

void WeighingRound::ChooseGram() {
  const std::size_t clients = input_.clients.size(), n = columns_.size(), after = clients * blocks();
  std::vector<std::size_t> kept = columns_;
  if (trusted_) kept.push_back(*trusted_);
  if (input_.last) kept.push_back(after);
  const std::size_t moved = kept.size();  // Those that are measured from the reference.
  for (std::size_t i = 0; blocks() == 2 && i < n; ++i) kept.push_back(clients + columns_[i]);
  if (input_.reference) kept.push_back(after + (input_.last ? 1 : 0));
  SmallMatrix gram = kernels::Selected(*input_.gram, kept);
  if (input_.reference) gram = kernels::MeasuredFrom(gram, kept.size() - 1, moved);
  // Histories right behind the columns.
  std::vector<std::size_t> order = FirstOf(n);
  for (std::size_t i = 0; blocks() == 2 && i < n; ++i) order.push_back(moved + i);
  for (std::size_t i = n; i < moved; ++i) order.push_back(i);
  gram_ = kernels::Selected(gram, order);
}

absl::Status WeighingRound::Mix() {
  const std::size_t n = columns_.size();
  for (const std::unique_ptr<Guard>& guard : weighing_.guards_) {
    const SmallMatrix own = kernels::Selected(gram_, FirstOf(n));
    const SmallMatrix gram = mixing_ ? kernels::Congruent(own, *mixing_) : own;
    CAIRN_ASSIGN_OR_RETURN(
        SmallMatrix next,
        guard->Mix({.gram = gram, .faulty = weighing_.GuardFaulty(*guard, n, dropped_), .round = input_.round}));
    mixing_ = mixing_ ? kernels::Product(*mixing_, next) : std::move(next);
  }
  return absl::OkStatus();
}

// The guards' mixing of all columns of gram_: histories are mixed like their columns, others stay.
kernels::SmallMatrix WeighingRound::MixingOfAll() const {
  const std::size_t n = columns_.size(), others = gram_.rows - blocks() * n;
  SmallMatrix all = SmallMatrix::Zero(gram_.rows, blocks() * mixed() + others);
  for (std::size_t block = 0; block < blocks(); ++block) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < mixed(); ++j) all.at(block * n + i, block * mixed() + j) = mixing_->at(i, j);
    }
  }
  for (std::size_t i = 0; i < others; ++i) all.at(blocks() * n + i, blocks() * mixed() + i) = 1;
  return all;
}

std::vector<double> WeighingRound::ExamplesOfMixed() const {
  std::vector<double> examples;
  if (!mixing_) {
    for (const std::size_t client : columns_) examples.push_back(input_.examples[client]);
    return examples;
  }
  for (std::size_t j = 0; j < mixed(); ++j) {
    double sum = 0, shares = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      sum += mixing_->at(i, j) * input_.examples[columns_[i]];
      shares += mixing_->at(i, j);
    }
    examples.push_back(shares > 0 ? sum / shares : 1);
  }
  return examples;
}

absl::StatusOr<RuleOutput> WeighingRound::Ask() const {
  const std::vector<double> examples = ExamplesOfMixed();
  RuleInput asked{.columns = mixed(), .faulty = weighing_.RuleFaulty(columns_.size(), dropped_), .examples = examples};
  if (!measured()) return rule().Weigh(asked);
  const SmallMatrix gram = mixing_ ? kernels::Congruent(gram_, MixingOfAll()) : gram_;
  asked.gram = &gram;
  if (input_.last) asked.last = gram.rows - 1;
  if (trusted_) asked.named = blocks() * mixed();
  return rule().Weigh(asked);
}

void WeighingRound::Assign(const RuleOutput& result) {
  const absl::Span<const double> of_mixed = absl::MakeConstSpan(result.weights).first(mixed());
  const std::vector<double> weights =
      mixing_ ? Times(*mixing_, of_mixed) : std::vector<double>(of_mixed.begin(), of_mixed.end());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    ClientWeight& client = output_.clients[columns_[i]];
    client.weight = weights[i];
    client.accepted = weights[i] != 0;
    if (!client.accepted) client.reason = ReasonOf(i, result);
  }
  if (!mixing_) output_.total = result.total;
  output_.coordinates = result.coordinates;
  if (result.coordinates) return KeepMixing(of_mixed);
  if (input_.last) output_.last = result.weights.back();
  if (input_.reference) output_.reference = LeftOf(weights, output_.last);
}

std::string WeighingRound::ReasonOf(std::size_t column, const RuleOutput& result) const {
  if (!IsAlone(column)) return absl::StrCat("in none of the mixtures that ", who(), " counts");
  if (column < result.reasons.size() && !result.reasons[column].empty()) return result.reasons[column];
  return absl::StrCat(who(), " gives it no weight");
}

// Whether the rule saw the column by itself.
bool WeighingRound::IsAlone(std::size_t column) const {
  if (!mixing_) return true;
  if (mixing_->columns != mixing_->rows) return false;
  for (std::size_t i = 0; i < mixing_->rows; ++i) {
    if (i != column && (mixing_->at(i, column) != 0 || mixing_->at(column, i) != 0)) return false;
  }
  return true;
}

// The mixtures that vote, by client.
void WeighingRound::KeepMixing(absl::Span<const double> votes) {
  if (!mixing_) return;
  std::vector<std::size_t> voting;
  for (std::size_t j = 0; j < votes.size(); ++j) {
    if (votes[j] > 0) voting.push_back(j);
  }
  output_.mixing = SmallMatrix::Zero(input_.clients.size(), voting.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    for (std::size_t j = 0; j < voting.size(); ++j) output_.mixing.at(columns_[i], j) = mixing_->at(i, voting[j]);
  }
}

// Distances and angles to y, in coefficient space.
void WeighingRound::Measure() {
  const std::size_t n = columns_.size();
  std::vector<double> w(gram_.rows);
  for (std::size_t i = 0; i < n; ++i) w[i] = output_.clients[columns_[i]].weight;
  if (input_.last) w.back() = output_.last;
  const std::vector<double> inner = kernels::InnerProductsWith(gram_, w);
  const double norm = std::inner_product(w.begin(), w.end(), inner.begin(), 0.0);
  for (std::size_t i = 0; i < n; ++i) Tell(columns_[i], gram_.at(i, i), inner[i], norm);
  if (!trusted_ || rule().needs().client_counts) return;
  const std::size_t at = blocks() * n;
  Tell(*trusted_, gram_.at(at, at), inner[at], norm);
}

// From ||x||^2, <x, y> and ||y||^2.
void WeighingRound::Tell(std::size_t client, double own, double inner, double norm) {
  output_.clients[client].distance = std::sqrt(std::max(0.0, (own - inner) + (norm - inner)));
  if (!(own > 0 && norm > 0)) return;
  output_.clients[client].cosine = std::clamp(inner / std::sqrt(own) / std::sqrt(norm), -1.0, 1.0);
}

}  // namespace cairn::internal
