// MoNNA's nearest-neighbour averaging (Farhadkhani et al., arXiv 2209.10931): the mean of the n - f updates nearest to
// the one of a client that is trusted, the pivot.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/least.h"
#include "aggregators/rule.h"
#include "aggregators/selection.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

class Monna final : public Rule {
 public:
  Monna(const Faulty& faulty, std::string pivot) : faulty_(faulty), pivot_(std::move(pivot)) {}
  static absl::StatusOr<std::unique_ptr<Rule>> Make(RuleOptions& options) {
    CAIRN_ASSIGN_OR_RETURN(const Faulty faulty, Faulty::Take(options));
    std::optional<std::string> pivot = options.TakeText("pivot");
    if (!pivot) return absl::InvalidArgumentError("monna: pivot: expected the id of a client, got nothing");
    CAIRN_RETURN_IF_ERROR(CheckId("monna: pivot", *pivot));
    return std::make_unique<Monna>(faulty, *std::move(pivot));
  }

  absl::string_view name() const override { return "monna"; }
  Needs needs() const override { return {.client = pivot_, .client_counts = true}; }
  std::optional<Faulty> faulty() const override { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const override {
    return CheckBound("rule monna", columns, faulty, 2 * faulty + 1, "n >= 2f + 1");
  }

  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    std::vector<double> squared;
    for (std::size_t column = 0; column < input.columns; ++column) {
      squared.push_back(kernels::SquaredDistance(*input.gram, *input.named, column));
    }
    const std::vector<std::size_t> nearest = kernels::IndicesOfLeast(squared, input.columns - input.faulty);
    double most = 0;
    for (const std::size_t column : nearest) most = std::max(most, squared[column]);
    return MeanOf(input, nearest, [&](std::size_t column) {
      return absl::StrCat(std::sqrt(squared[column]), " away from ", pivot_, ", the ", nearest.size(),
                          " nearest at most ", std::sqrt(most));
    });
  }

 private:
  Faulty faulty_;
  std::string pivot_;
};

CAIRN_REGISTER_RULE("monna", Monna);

}  // namespace
}  // namespace cairn
