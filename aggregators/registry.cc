#include "aggregators/registry.h"

#include "aggregators/named.h"

namespace cairn {
namespace {

internal::Named<AggregatorFactory>& Factories() {
  static auto& factories = *new internal::Named<AggregatorFactory>("combine rule");
  return factories;
}

}  // namespace

bool RegisterAggregator(absl::string_view name, AggregatorFactory factory) { return Factories().Add(name, factory); }
absl::StatusOr<std::unique_ptr<Aggregator>> MakeAggregator(absl::string_view spec) {
  return Factories().Make<Aggregator>(spec);
}
std::vector<std::string> AggregatorNames() { return Factories().Names(); }

}  // namespace cairn
