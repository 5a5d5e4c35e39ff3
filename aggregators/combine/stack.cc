// FLoRA (Wang et al., arXiv 2409.05976): concatenates the factors, so the result is exactly the weighted sum of the
// updates.
#include "aggregators/factors.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

class Stack final : public Aggregator {
 public:
  absl::string_view name() const override { return "stack"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kMerge; }

 protected:
  absl::Status DoCheck(const ClientUpdate&) const override { return absl::OkStatus(); }
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return so_far + added; }
  void DoCombine(absl::Span<const WeightedModule> inputs, CombinedModule& out) const override {
    StackFactors(inputs, out);
  }
};

CAIRN_REGISTER_RULE("stack", Stack);

}  // namespace
}  // namespace cairn
