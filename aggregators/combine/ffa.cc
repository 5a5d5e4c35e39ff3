// FFA-LoRA (Sun et al., arXiv 2403.12313): all clients froze the same A, so averaging B is exact.
#include "aggregators/averages.h"
#include "aggregators/frozen.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

class Ffa final : public Aggregator {
 public:
  absl::string_view name() const override { return "ffa"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  bool exact() const override { return true; }
  std::string FrozenParts(const Adapter& adapter) const override {
    return FrozenDigests(adapter, {.a = true, .b = false});
  }

 protected:
  absl::Status DoCheck(const ClientUpdate& update) const override { return CheckFrozen(name(), update, updates()); }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }
  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    const LoraModule& any = *inputs[0].module;
    return Factors{RowsOf({{1, any.a}}), SumB(inputs, any.rank)};
  }
};

CAIRN_REGISTER_COMBINE("ffa", Ffa);

}  // namespace
}  // namespace cairn
