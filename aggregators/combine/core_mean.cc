// Fed-SB (Singhal et al., arXiv 2502.15436): all clients froze the same B and A and trained the r x r core between
// them, dW_i = s_i B C_i A, so the mean of the cores is exact. It is folded into B, which every reader of LoRA takes.
#include <utility>
#include <vector>

#include "aggregators/registry.h"

namespace cairn {
namespace {

// B [rows, r] times C [r, r].
std::vector<double> Times(const std::vector<double>& b, const std::vector<double>& core, std::int64_t rank) {
  std::vector<double> product(b.size(), 0);
  for (std::size_t row = 0; row < b.size() / rank; ++row) {
    for (std::int64_t k = 0; k < rank; ++k) {
      const double factor = b[row * rank + k];
      for (std::int64_t j = 0; j < rank; ++j) product[row * rank + j] += factor * core[k * rank + j];
    }
  }
  return product;
}

class CoreMean final : public Aggregator {
 public:
  absl::string_view name() const override { return "core_mean"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  std::optional<Summed> summed() const override { return Summed{.core = true}; }
  absl::StatusOr<Factors> Finish(Factors factors, FactorPtr core) const override {
    const std::int64_t rank = core->rows();
    std::vector<double> b = Times(ReadAllDouble(*factors.b), ReadAllDouble(*core), rank);
    return Factors{factors.a, ValuesOf(std::move(b), factors.b->rows(), rank)};
  }
  bool exact() const override { return true; }
  Kept kept() const override { return {.rank = true, .a = true}; }

 protected:
  bool TakesCores() const override { return true; }
  FrozenFactors DoFrozen() const override { return {.a = true, .b = true}; }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }
};

CAIRN_REGISTER_COMBINE("core_mean", CoreMean);

}  // namespace
}  // namespace cairn
