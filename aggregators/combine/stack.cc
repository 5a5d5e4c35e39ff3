// FLoRA (Wang et al., arXiv 2409.05976): concatenates the factors, so the result is exactly the weighted sum of the
// updates. The coefficient w_i s_i is on B only: on both factors it would count twice.
#include "aggregators/registry.h"
#include "aggregators/stacked.h"

namespace cairn {
namespace {

class Stack final : public Aggregator {
 public:
  absl::string_view name() const override { return "stack"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kMerge; }
  bool linear() const override { return true; }
  bool exact() const override { return true; }

 protected:
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return so_far + added; }
  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    return Factors{StackedA(inputs), StackedB(inputs)};
  }
};

CAIRN_REGISTER_COMBINE("stack", Stack);

}  // namespace
}  // namespace cairn
