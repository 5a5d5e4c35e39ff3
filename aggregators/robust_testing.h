// Rules and guards on explicit columns of R^d: what they are asked, and what comes of it. For tests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "aggregators/guard.h"
#include "aggregators/kernels/reference_vectors.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/rule.h"

namespace cairn::robust_conformance {

using kernels::reference::Columns;
using kernels::reference::Vector;

// What a round may have for a rule, whether it looks at it or not.
struct Columned {
  Columns updates;
  Columns histories;           // As many. What each of the clients sent in earlier rounds, summed.
  Vector named;                // The update of the client that the rule trusts.
  std::optional<Vector> last;  // What the last round gave.
  Vector examples;
  std::size_t faulty = 0;
  double unit = 1;          // Options that are lengths are multiples of this.
  std::uint64_t round = 0;  // For guards.
};

// "{f}" in a rule's or guard's spec becomes `faulty`, and "{NUMBER}" that number times `unit`.
std::string Filled(const std::string& spec, std::size_t faulty, double unit);

// What guards did before, for the slow twin: everything that clients sent, mixed.
Columned Mixed(Columned input, const Columns& mixture);

struct Outcome {
  RuleOutput output;
  Vector y;
  double size = 0;          // Of the terms that y is the sum of: what rounding is relative to.
  std::size_t columns = 0;  // Of the Gram matrix.
};

// Inner products, one by one.
kernels::SmallMatrix GramOf(const Columns& columns);

// As the pipeline does it: Gram matrix, guards by K' = M^T K M, rule; then the columns are looked at once more.
// Guards mix the histories as they mix the updates, and use their own f. Errors: CheckClients', Mix's and Weigh's.
absl::StatusOr<Outcome> OutcomeOf(const Rule& rule, absl::Span<const std::unique_ptr<Guard>> guards,
                                  const Columned& input);

}  // namespace cairn::robust_conformance
