// The weighted mean of every tensor by itself: for adapters whose parameters enter the model linearly (IA3, prefixes,
// adapter layers, masks), and for any other kind when asked for by name.
#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

class DenseMean final : public Aggregator {
 public:
  absl::string_view name() const override { return "dense_mean"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }

 protected:
  // Whoever names this rule wants it for this kind.
  absl::Status DoCheckKind(const PeftConfig&) const override { return absl::OkStatus(); }
  absl::Status DoCheck(const ClientUpdate& update) const override {
    if (!update.adapter->modules.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("rule dense_mean: client ", update.client, ": expected tensors, got LoRA modules"));
    }
    if (updates().empty()) return absl::OkStatus();
    const auto& [client, first] = *updates().begin();
    const std::string &ours = update.adapter->config.peft_type, &theirs = first.adapter->config.peft_type;
    if (ours == theirs) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("rule dense_mean: client ", update.client, " has peft_type ", ours,
                                                   ", client ", client, " has ", theirs));
  }
  // There are no modules; the base class averages tensors.
  std::int64_t DoRank(std::int64_t so_far, std::int64_t) const override { return so_far; }
  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule>) const override {
    return absl::InternalError("dense_mean has no modules");
  }
};

CAIRN_REGISTER_COMBINE("dense_mean", DenseMean);

}  // namespace
}  // namespace cairn
