#include "aggregators/kernels/krum.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace cairn::kernels {
namespace {

struct Neighbour {
  double squared_distance = 0;
  std::size_t column = 0;
  bool operator<(const Neighbour& other) const {
    return std::tie(squared_distance, column) < std::tie(other.squared_distance, other.column);
  }
};

// The other columns, the nearest first.
std::vector<Neighbour> NeighboursOf(const SmallMatrix& gram, std::size_t columns, std::size_t column) {
  std::vector<Neighbour> neighbours;
  neighbours.reserve(columns - 1);
  for (std::size_t other = 0; other < columns; ++other) {
    if (other != column) neighbours.push_back({SquaredDistance(gram, column, other), other});
  }
  std::sort(neighbours.begin(), neighbours.end());
  return neighbours;
}

// Of a column by all others that are left.
double ScoreOf(const std::vector<Neighbour>& neighbours, const KrumScoring& scoring) {
  if (neighbours.empty()) return 0;
  const std::size_t left_out = scoring.faulty + (scoring.convention == KrumConvention::kBlanchard ? 1 : 0);
  const std::size_t nearest = neighbours.size() > left_out ? neighbours.size() - left_out : 1;
  double sum = 0;
  for (std::size_t k = 0; k < nearest; ++k) sum += neighbours[k].squared_distance;
  return scoring.convention == KrumConvention::kBlanchard ? sum : sum / static_cast<double>(nearest);
}

// Of each column, the nearest first.
std::vector<std::vector<Neighbour>> AllNeighbours(const SmallMatrix& gram, std::size_t columns) {
  std::vector<std::vector<Neighbour>> neighbours;
  for (std::size_t i = 0; i < columns; ++i) neighbours.push_back(NeighboursOf(gram, columns, i));
  return neighbours;
}

}  // namespace

std::vector<double> KrumScores(const SmallMatrix& gram, std::size_t columns, const KrumScoring& scoring) {
  std::vector<double> scores;
  for (std::size_t i = 0; i < columns; ++i) scores.push_back(ScoreOf(NeighboursOf(gram, columns, i), scoring));
  return scores;
}

std::vector<std::size_t> KrumPicks(const SmallMatrix& gram, std::size_t columns, const KrumScoring& scoring,
                                   std::size_t picks) {
  std::vector<std::vector<Neighbour>> neighbours = AllNeighbours(gram, columns);  // Those that are left.
  std::vector<std::size_t> left(columns), picked;
  std::iota(left.begin(), left.end(), std::size_t{0});
  while (picked.size() < picks) {
    std::vector<double> scores;
    for (const std::size_t i : left) scores.push_back(ScoreOf(neighbours[i], scoring));
    const auto winner = left.begin() + (std::min_element(scores.begin(), scores.end()) - scores.begin());
    const std::size_t pick = picked.emplace_back(*winner);
    left.erase(winner);
    for (const std::size_t i : left) {
      const Neighbour gone{SquaredDistance(gram, i, pick), pick};
      neighbours[i].erase(std::lower_bound(neighbours[i].begin(), neighbours[i].end(), gone));
    }
  }
  std::sort(picked.begin(), picked.end());
  return picked;
}

}  // namespace cairn::kernels
