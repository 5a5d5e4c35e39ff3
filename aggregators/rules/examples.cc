// The default: every client counts by its number of training examples.
#include "aggregators/rule.h"
#include "aggregators/totals.h"

namespace cairn {
namespace {

class Examples final : public Rule {
 public:
  absl::string_view name() const override { return "examples"; }
  Needs needs() const override { return {.gram = false}; }
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    RuleOutput output;
    const double total = TotalOf(input.examples);
    for (const double examples : input.examples) output.weights.push_back(examples / total);
    output.total = total;
    return output;
  }
};

CAIRN_REGISTER_RULE("examples", Examples);

}  // namespace
}  // namespace cairn
