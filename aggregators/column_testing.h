// What a rule makes of updates that are plain vectors, for tests. Mistakes in a test's own input abort.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aggregators/kernels/reference_columns.h"
#include "aggregators/rule.h"

namespace cairn::testing {

// What RuleInput has columns for.
struct Sent {
  std::vector<kernels::reference::Column> updates;
  std::vector<kernels::reference::Column> history;  // As many as updates; fewer: the others are zero.
  std::optional<kernels::reference::Column> named, last;

  // Those that the rule needs, in the order of the Gram matrix.
  std::vector<kernels::reference::Column> columns(const Rule& rule) const;
};

// The weights that the rule gives. Its f is what its options say.
absl::StatusOr<RuleOutput> Weigh(const std::string& rule, const Sent& sent);
// The result y of the rule. Aborts where the rule refuses.
kernels::reference::Column ResultOf(const std::string& rule, const Sent& sent);

}  // namespace cairn::testing
