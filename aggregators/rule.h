// Rules: how much each client counts. All but `examples` see the updates through their inner products alone, so that
// nothing here depends on how large the updates are: the result is y = sum of w_j x_j over the columns x_j, and a rule
// is a pure function from the Gram matrix to w. Coordinate-wise rules name what is done to each coordinate instead.
//
// One file per rule in rules/, which nobody includes: a rule registers itself. docs/robustness.md has formulas and
// sources.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "aggregators/faulty.h"
#include "aggregators/kernels/coordinate.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/named.h"
#include "aggregators/rule_options.h"

namespace cairn {

// What a rule sees. Columns of the Gram matrix, in this order:
//   [0, columns)             the updates, as the guards left them
//   [columns, 2 * columns)   with Needs::history: what each of them sent in earlier rounds, summed
//   named, last              columns that guards do not change, where Needs asks for them
struct RuleInput {
  std::size_t columns = 0;                     // n, 1 or more.
  std::size_t faulty = 0;                      // f, for rules that have one.
  const kernels::SmallMatrix* gram = nullptr;  // <x_i, x_j>: symmetric, finite. Null for rules that do not need it.
  absl::Span<const double> examples;           // n_i of the columns, > 0. Mixtures have the mixed counts.
  std::optional<std::size_t> named;            // The update of the client Needs::client.
  std::optional<std::size_t> last;             // What the last round gave. None in the first round: zero.
};

struct RuleOutput {
  std::vector<double> weights;  // One for every column of the Gram matrix (or of `examples`); finite.
  // Where weights are examples / total: sums are then made of the counts and divided once. 0: they are not.
  double total = 0;
  // For each of the first n columns why it does not count, for people, where its weight is 0; else empty. May be
  // shorter than n: then nothing is said of the others.
  std::vector<std::string> reasons;
  // Then y has no weights: every coordinate is what this makes of that coordinate of the columns with a weight above 0.
  std::optional<kernels::CoordinateRule> coordinates;
};

class Rule {
 public:
  virtual ~Rule() = default;
  virtual absl::string_view name() const = 0;

  struct Needs {
    bool gram = true;
    bool history = false;       // Sums of what the clients sent in earlier rounds.
    bool last = false;          // What the last round gave.
    std::string client;         // The id of a client that the rule trusts. Empty: none.
    bool client_counts = true;  // Whether that one is among the columns, too.
  };
  virtual Needs needs() const { return {}; }
  // Whether weights may be below 0, or a column that is no client's may count. Only combine rules that are linear
  // (Aggregator::linear) take such weights.
  virtual bool any_weights() const { return false; }
  // Whether the weights of the clients (and of `last`) are shares: 0 or more, with the sum 1, or all 0. Values that are
  // no changes (biases beside LoRA factors) can be averaged with shares only.
  virtual bool shares() const { return true; }
  // Whether Weigh gives RuleOutput::coordinates.
  virtual bool coordinate_wise() const { return false; }
  // f; none for rules without.
  virtual std::optional<Faulty> faulty() const { return std::nullopt; }

  // The breakdown bound: INVALID_ARGUMENT with the rule's name, the bound and the numbers (CheckBound). Known before a
  // round opens.
  virtual absl::Status CheckClients(std::size_t columns, std::size_t faulty) const = 0;

  // REQUIRES: CheckClients is OK for the input's numbers. Defined for identical, zero, collinear and orthogonal
  // columns: no NaN, and the same every time. All weights may be 0 (fltrust, when nobody agrees with the root).
  virtual absl::StatusOr<RuleOutput> Weigh(const RuleInput& input) const = 0;
};

using RuleFactory = absl::StatusOr<std::unique_ptr<Rule>> (*)(RuleOptions& options);
bool RegisterRule(absl::string_view name, RuleFactory factory);
// From "NAME[:key=value,...]". NOT_FOUND, with the list of known names. INVALID_ARGUMENT: options.
absl::StatusOr<std::unique_ptr<Rule>> MakeRule(absl::string_view spec);
std::vector<std::string> RuleNames();  // Ascending.

// `type` has a static Make(RuleOptions&) -> absl::StatusOr<std::unique_ptr<Rule>>; or, without options, is made by its
// default constructor.
#define CAIRN_REGISTER_RULE(name, type)                        \
  [[maybe_unused]] static const bool cairn_registered_##type = \
      ::cairn::RegisterRule(name, ::cairn::internal::Make<::cairn::Rule, type>)

}  // namespace cairn
