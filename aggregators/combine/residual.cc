// FedEx-LoRA (Singhal et al., arXiv 2410.09432): the averages of mean, which clients go on training, and beside them
// what these averages leave out, exactly; clients merge that into the base.
//
// With W the sum of the weights, the mean's factors are A = sum of w_i A_i / W and B = sum of w_i s_i B_i, and
//   dW* - B A = sum over all i of w_i (s_i B_i - B / W) A_i.
// The blocks w_i (s_i B_i - B / W) sum to zero, so any matrix may be taken from all A_i; taking the last client's
// leaves one block less:
//   dW* - B A = sum over i < K of w_i (s_i B_i - B / W) (A_i - A_K).
#include <utility>
#include <vector>

#include "aggregators/averages.h"
#include "aggregators/equal_ranks.h"
#include "aggregators/factor_views.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

// x - coefficient * y, of equal sizes.
class Difference final : public internal::FactorOf<Difference> {
 public:
  Difference(FactorPtr x, double coefficient, FactorPtr y)
      : FactorOf(x->rows(), x->columns()), x_(std::move(x)), y_(std::move(y)), coefficient_(coefficient) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    std::vector<double> x(out.size()), y(out.size());
    x_->Read(first, absl::MakeSpan(x));
    y_->Read(first, absl::MakeSpan(y));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(x[i] - coefficient_ * y[i]);
  }

 private:
  FactorPtr x_, y_;
  double coefficient_;
};

class Residual final : public Aggregator {
 public:
  absl::string_view name() const override { return "residual"; }
  Locality locality() const override { return Locality::kShardLocal; }
  RoundStart round_start() const override { return RoundStart::kResidual; }
  bool exact() const override { return true; }

 protected:
  absl::Status DoCheck(const ClientUpdate& update) const override {
    return CheckEqualRanksAndScales(name(), update, [this](absl::string_view module) { return FirstWith(module); });
  }
  // r for the averages and r for each client but one.
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return so_far + added; }

  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    const std::int64_t rank = WidestRank(inputs);
    std::vector<FactorPtr> a{AverageA(inputs, rank)}, b{SumB(inputs, rank)};
    if (inputs.size() == 1) return Factors{a[0], b[0]};
    // In memory, as every block takes it away from its own.
    const FactorPtr sum = ValuesOf(ReadAllDouble(*b[0]), b[0]->rows(), rank);
    const double total = TotalWeight(inputs);
    const TensorView& last = inputs.back().module->a;
    for (const auto& [weight, module] : inputs.first(inputs.size() - 1)) {
      a.push_back(SumOf({{1, module->a}, {-1, last}}, rank, module->d_in));
      const FactorPtr own = ColumnsOf({{weight * module->scale, module->b}});
      b.push_back(std::make_shared<Difference>(own, weight / total, sum));
    }
    return Factors{Below(std::move(a)), Beside(std::move(b))};
  }
};

CAIRN_REGISTER_COMBINE("residual", Residual);

}  // namespace
}  // namespace cairn
