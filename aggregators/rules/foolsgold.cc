// FoolsGold (Fung, Yoon, Beschastnikh, arXiv 1808.04866, algorithm 1): clients whose updates so far, summed, point the
// same way are taken for one client under several names, and count less. Of features, all are used.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_format.h"
#include "aggregators/kernels/combination.h"
#include "aggregators/rule.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

// Cosines that differ from 1 by less are 1: scores are measured in the largest of them, which must not be rounding.
constexpr double kRounding = 1e-12;
constexpr double kAlmostOne = 0.99;  // What a score of 1 becomes, as its logit is infinite.

// <H_i, H_j> for H_i = history_i + x_i.
SmallMatrix GramOfSums(const SmallMatrix& gram, std::size_t n) {
  SmallMatrix sums = SmallMatrix::Zero(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      sums.at(i, j) = (gram.at(i, j) + gram.at(n + i, n + j)) + (gram.at(i, n + j) + gram.at(n + i, j));
    }
  }
  return sums;
}

SmallMatrix CosinesOf(const SmallMatrix& gram) {
  SmallMatrix cosines = SmallMatrix::Zero(gram.rows, gram.rows);
  for (std::size_t i = 0; i < gram.rows; ++i) {
    for (std::size_t j = 0; j < gram.rows; ++j) {
      const double cosine = kernels::Cosine(gram, i, j);
      cosines.at(i, j) = cosine > 1 - kRounding ? 1 : cosine;
    }
  }
  return cosines;
}

// Of each row, without the diagonal. Two columns or more.
std::vector<double> LargestOfRows(const SmallMatrix& matrix) {
  std::vector<double> largest(matrix.rows, -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j < matrix.rows; ++j) {
      if (i != j) largest[i] = std::max(largest[i], matrix.at(i, j));
    }
  }
  return largest;
}

// An honest client that is a little like two that are much alike shall not suffer for it.
void Pardon(const std::vector<double>& largest, SmallMatrix& cosines) {
  for (std::size_t i = 0; i < cosines.rows; ++i) {
    for (std::size_t j = 0; j < cosines.rows; ++j) {
      if (largest[j] > largest[i] && largest[j] != 0) cosines.at(i, j) *= largest[i] / largest[j];
    }
  }
}

double Logit(double score) {
  if (score == 1) score = kAlmostOne;
  return std::clamp(std::log(score / (1 - score)) + 0.5, 0.0, 1.0);  // Minus infinity where the score is 0.
}

// Within [0, 1], by client.
std::vector<double> ScoresOf(SmallMatrix cosines, const std::vector<double>& largest) {
  Pardon(largest, cosines);
  std::vector<double> scores = LargestOfRows(cosines);
  for (double& score : scores) score = std::clamp(1 - score, 0.0, 1.0);
  const double best = *std::max_element(scores.begin(), scores.end());
  for (double& score : scores) score = Logit(best > 0 ? score / best : score);
  return scores;
}

class FoolsGold final : public Rule {
 public:
  absl::string_view name() const override { return "foolsgold"; }
  Needs needs() const override { return {.history = true}; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule foolsgold", columns, faulty, 1, "n >= 1");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const std::size_t n = input.columns;
    RuleOutput output{.weights = std::vector<double>(input.gram->rows), .reasons = std::vector<std::string>(n)};
    if (n == 1) {
      output.weights[0] = 1;
      return output;
    }
    const SmallMatrix cosines = CosinesOf(GramOfSums(*input.gram, n));
    const std::vector<double> largest = LargestOfRows(cosines), scores = ScoresOf(cosines, largest);
    const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      if (scores[i] > 0) {
        output.weights[i] = scores[i] / sum;
      } else {
        output.reasons[i] =
            absl::StrFormat("its updates so far point the same way as another client's (cosine %.4f)", largest[i]);
      }
    }
    return output;
  }
};

CAIRN_REGISTER_RULE("foolsgold", FoolsGold);

}  // namespace
}  // namespace cairn
