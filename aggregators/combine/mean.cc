// FedIT (Zhang et al., arXiv 2305.05644): averages A and B apart. Equal ranks and scales only, and not exact.
#include "absl/strings/str_cat.h"
#include "aggregators/factors.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

absl::Status Differs(absl::string_view what, const LoraModule& module, absl::string_view here, double is,
                     absl::string_view there, double other) {
  return absl::InvalidArgumentError(absl::StrCat("rule mean: module ", module.name, ": client ", here, " has ", what,
                                                 " ", is, ", client ", there, " has ", what, " ", other,
                                                 "; mean needs equal ranks and scales, stack takes any"));
}

class Mean final : public Aggregator {
 public:
  absl::string_view name() const override { return "mean"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }

 protected:
  // Those already there are equal to each other, so one of them stands for all.
  absl::Status DoCheck(const ClientUpdate& update) const override {
    if (updates().empty()) return absl::OkStatus();
    const auto& [client, first] = *updates().begin();
    for (std::size_t m = 0; m < update.adapter->modules.size(); ++m) {
      const LoraModule& ours = update.adapter->modules[m];
      const LoraModule& theirs = first.adapter->modules[m];
      if (ours.rank != theirs.rank) return Differs("rank", ours, update.client, ours.rank, client, theirs.rank);
      if (ours.scale != theirs.scale) return Differs("scale", ours, update.client, ours.scale, client, theirs.scale);
    }
    return absl::OkStatus();
  }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }
  void DoCombine(absl::Span<const WeightedModule> inputs, CombinedModule& out) const override {
    AverageFactors(inputs, out);
  }
};

CAIRN_REGISTER_RULE("mean", Mean);

}  // namespace
}  // namespace cairn
