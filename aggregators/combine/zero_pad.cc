// Pads every client's factors with zeros to the highest rank, then averages A and B apart. Takes mixed ranks, is not
// exact.
#include <algorithm>

#include "aggregators/registry.h"

namespace cairn {
namespace {

class ZeroPad final : public Aggregator {
 public:
  absl::string_view name() const override { return "zero_pad"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  std::optional<Summed> summed() const override { return Summed{.a = true, .b = true}; }

 protected:
  std::int64_t DoRank(std::int64_t so_far, std::int64_t added) const override { return std::max(so_far, added); }
};

CAIRN_REGISTER_COMBINE("zero_pad", ZeroPad);

}  // namespace
}  // namespace cairn
