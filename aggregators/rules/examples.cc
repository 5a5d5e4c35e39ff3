// The default: every client counts by its number of training examples.
#include "aggregators/weigh.h"

namespace cairn {
namespace {

class Examples final : public WeightRule {
 public:
  absl::string_view name() const override { return "examples"; }
  absl::StatusOr<std::vector<ClientWeight>> Weigh(const std::map<std::string, ClientUpdate>& updates) const override {
    double total = 0;
    for (const auto& [client, update] : updates) total += update.examples;
    std::vector<ClientWeight> weights;
    for (const auto& [client, update] : updates) weights.push_back({.weight = update.examples / total});
    return weights;
  }
};

CAIRN_REGISTER_WEIGHT_RULE("examples", Examples);

}  // namespace
}  // namespace cairn
