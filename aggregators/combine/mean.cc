// FedIT (Zhang et al., arXiv 2305.05644): averages A and B apart. Equal ranks and scales only, and not exact.
#include "aggregators/equal_ranks.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

class Mean final : public Aggregator {
 public:
  absl::string_view name() const override { return "mean"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  std::optional<Summed> summed() const override { return Summed{.a = true, .b = true}; }
  Kept kept() const override { return {.rank = true}; }

 protected:
  absl::Status DoCheck(const ClientUpdate& update) const override {
    return CheckEqualRanksAndScales(name(), update, [this](absl::string_view module) { return FirstWith(module); });
  }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }
};

CAIRN_REGISTER_COMBINE("mean", Mean);

}  // namespace
}  // namespace cairn
