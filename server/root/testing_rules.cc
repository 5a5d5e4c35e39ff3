// Rules whose results are easy to foretell, for tests of what the server makes of them.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/rule.h"

namespace cairn {
namespace {

class TestRule : public Rule {
 public:
  absl::Status CheckClients(std::size_t, std::size_t) const override { return absl::OkStatus(); }

 protected:
  static RuleOutput Equal(std::size_t columns) {
    return {.weights = std::vector<double>(columns, 1.0 / static_cast<double>(columns))};
  }
};

// Votes down who has the fewest examples.
class Fewest final : public TestRule {
 public:
  absl::string_view name() const override { return "test_fewest"; }
  Needs needs() const override { return {.gram = false}; }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    const auto fewest = std::min_element(input.examples.begin(), input.examples.end()) - input.examples.begin();
    RuleOutput output = Equal(input.columns - 1);
    output.weights.insert(output.weights.begin() + fewest, 0.0);
    output.reasons.resize(input.columns);
    output.reasons[fewest] = absl::StrCat("only ", input.examples[fewest], " examples");
    return output;
  }
};
CAIRN_REGISTER_RULE("test_fewest", Fewest);

// Averages all but the client "root", which it needs.
class Root final : public TestRule {
 public:
  absl::string_view name() const override { return "test_root"; }
  Needs needs() const override { return {.client = "root", .client_counts = false}; }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    RuleOutput output = Equal(input.columns);
    output.weights.push_back(0);  // Its own column.
    return output;
  }
};
CAIRN_REGISTER_RULE("test_root", Root);

// The average, and half of what the last round gave.
class Momentum final : public TestRule {
 public:
  absl::string_view name() const override { return "test_momentum"; }
  Needs needs() const override { return {.last = true}; }
  bool any_weights() const override { return true; }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    RuleOutput output = Equal(input.columns);
    if (input.last) output.weights.push_back(0.5);
    return output;
  }
};
CAIRN_REGISTER_RULE("test_momentum", Momentum);

// By 1 + the squared norm of what a client sent before.
class ByHistory final : public TestRule {
 public:
  absl::string_view name() const override { return "test_history"; }
  Needs needs() const override { return {.history = true}; }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    RuleOutput output{.weights = std::vector<double>(2 * input.columns)};
    double sum = 0;
    for (std::size_t i = 0; i < input.columns; ++i) {
      const std::size_t before = input.columns + i;
      sum += output.weights[i] = 1 + input.gram->at(before, before);
    }
    for (double& weight : output.weights) weight /= sum;
    return output;
  }
};
CAIRN_REGISTER_RULE("test_history", ByHistory);

// Votes the first client down, at length: 300 characters of two bytes after one of one.
class Talkative final : public TestRule {
 public:
  absl::string_view name() const override { return "test_talkative"; }
  Needs needs() const override { return {.gram = false}; }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    RuleOutput output = Equal(input.columns - 1);
    output.weights.insert(output.weights.begin(), 0.0);
    output.reasons.resize(input.columns);
    output.reasons[0] = "!";
    for (int i = 0; i < 300; ++i) output.reasons[0] += "\u00e9";
    return output;
  }
};
CAIRN_REGISTER_RULE("test_talkative", Talkative);

class Refuses final : public TestRule {
 public:
  absl::string_view name() const override { return "test_refuses"; }
  Needs needs() const override { return {.gram = false}; }
  absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const override {
    return absl::InvalidArgumentError(absl::StrCat("rule test_refuses takes none of ", input.columns, " clients"));
  }
};
CAIRN_REGISTER_RULE("test_refuses", Refuses);

}  // namespace
}  // namespace cairn
