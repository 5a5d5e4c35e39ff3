// Pads every client's factors with zeros to the highest rank, then averages A and B apart. Takes mixed ranks, is not
// exact.
#include <algorithm>

#include "aggregators/averages.h"
#include "aggregators/registry.h"

namespace cairn {
namespace {

class ZeroPad final : public Aggregator {
 public:
  absl::string_view name() const override { return "zero_pad"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }

 protected:
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return std::max(so_far, added); }
  absl::StatusOr<Factors> DoCombine(absl::Span<const WeightedModule> inputs) const override {
    const std::int64_t rank = WidestRank(inputs);
    return Factors{AverageA(inputs, rank), SumB(inputs, rank)};
  }
};

CAIRN_REGISTER_COMBINE("zero_pad", ZeroPad);

}  // namespace
}  // namespace cairn
