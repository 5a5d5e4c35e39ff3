// Krum's scores: how near a column is to those around it (Blanchard et al., arXiv 1703.02757).
#pragma once

#include <cstddef>
#include <vector>

#include "aggregators/kernels/small_matrix.h"

namespace cairn::kernels {

// Of n columns, f of which may lie.
enum class KrumConvention {
  kBlanchard,  // The sum of the squared distances to the n - f - 2 nearest of the others, as in the paper.
  kByzfl,      // The mean of the squared distances to the n - f - 1 nearest of the others, as in the library ByzFL.
};

struct KrumScoring {
  KrumConvention convention = KrumConvention::kBlanchard;
  std::size_t faulty = 0;  // f
};

// The scores of the first `columns` columns, from the inner products of all. A column has one neighbour at least, where
// there is another; alone it scores 0. The distances are added from the least up, so that columns with the same
// distances in another order have the same score, and tie. O(n^2 log n).
std::vector<double> KrumScores(const SmallMatrix& gram, std::size_t columns, const KrumScoring& scoring);

// `picks` columns in ascending order, picked one after the other: each the one of least score among those that are
// left, which are scored anew (El Mhamdi et al., arXiv 1802.07927). Ties go to the lowest index. O(n^3).
// REQUIRES: picks <= columns.
std::vector<std::size_t> KrumPicks(const SmallMatrix& gram, std::size_t columns, const KrumScoring& scoring,
                                   std::size_t picks);

}  // namespace cairn::kernels
