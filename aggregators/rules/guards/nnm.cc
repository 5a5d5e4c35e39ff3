// Nearest-neighbour mixing (Allouah et al., arXiv 2302.01772): every update becomes the mean of the n - f updates
// nearest to it, itself among them.
#include <vector>

#include "aggregators/kernels/least.h"
#include "aggregators/majority_guard.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;

// The `count` columns nearest to column i; itself among them, even where others are equal to it. At equal distance the
// lower ones.
std::vector<std::size_t> Nearest(const SmallMatrix& gram, std::size_t i, std::size_t count) {
  constexpr double kItself = -1;  // Before all others.
  std::vector<double> distances;
  for (std::size_t j = 0; j < gram.rows; ++j) {
    distances.push_back(j == i ? kItself : kernels::SquaredDistance(gram, i, j));
  }
  return kernels::IndicesOfLeast(distances, count);
}

class Nnm final : public MajorityGuard {
 public:
  using MajorityGuard::MajorityGuard;
  static absl::StatusOr<std::unique_ptr<Guard>> Make(RuleOptions& options) { return MakeMajorityGuard<Nnm>(options); }
  absl::string_view name() const override { return "nnm"; }
  absl::StatusOr<SmallMatrix> Mix(const GuardInput& input) const override {
    const std::size_t n = input.gram.rows, count = n - input.faulty;
    SmallMatrix mixing = SmallMatrix::Zero(n, n);
    for (std::size_t i = 0; i < n; ++i) {
      for (const std::size_t j : Nearest(input.gram, i, count)) mixing.at(j, i) = 1.0 / static_cast<double>(count);
    }
    return mixing;
  }
};

CAIRN_REGISTER_GUARD("nnm", Nnm);

}  // namespace
}  // namespace cairn
