// FFA-LoRA (Sun et al., arXiv 2403.12313): all clients froze the same A, so averaging B is exact.
#include "aggregators/registry.h"

namespace cairn {
namespace {

class Ffa final : public Aggregator {
 public:
  absl::string_view name() const override { return "ffa"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  std::optional<Summed> summed() const override { return Summed{.b = true}; }
  bool exact() const override { return true; }
  Kept kept() const override { return {.rank = true, .a = true}; }

 protected:
  FrozenFactors DoFrozen() const override { return {.a = true, .b = false}; }
  std::int64_t DoRank(std::int64_t, std::int64_t added) const override { return added; }
};

CAIRN_REGISTER_COMBINE("ffa", Ffa);

}  // namespace
}  // namespace cairn
