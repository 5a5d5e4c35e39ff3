// FlexLoRA (Bai et al., arXiv 2402.11505): the best approximation of the exact weighted sum at a rank that clients can
// go on training. Here the sum is stacked, which is exact; the form in which it is published cuts it, by default to the
// highest rank of any client, or to each client's own (publish: ranks).
#include "aggregators/registry.h"
#include "aggregators/stacked.h"

namespace cairn {
namespace {

class Svd final : public Aggregator {
 public:
  absl::string_view name() const override { return "svd"; }
  // The decomposition looks at all factors of a module at once.
  Locality locality() const override { return Locality::kShardLocal; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  bool linear() const override { return true; }
  PublishForm default_publish() const override { return {.kind = PublishForm::Kind::kWidest}; }
  bool exact() const override { return true; }

 protected:
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return so_far + added; }
  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    return Factors{StackedA(inputs), StackedB(inputs)};
  }
};

CAIRN_REGISTER_COMBINE("svd", Svd);

}  // namespace
}  // namespace cairn
