// Guards: what is done to the updates before a rule sees them. A guard mixes: x'_j = sum of M_ij x_i, with M from the
// Gram matrix alone, so that guards compose in any order and cost no further pass over the data: K' = M^T K M.
//
// One file per guard in rules/guards/. `finite` is always first and is the pipeline's own: it drops clients whose
// values are not finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/faulty.h"
#include "aggregators/kernels/small_matrix.h"
#include "aggregators/named.h"
#include "aggregators/rule_options.h"

namespace cairn {

struct GuardInput {
  const kernels::SmallMatrix& gram;  // [n, n] of the columns as the guards before left them; finite, n >= 1.
  std::size_t faulty = 0;            // The guard's own f, or else the rule's.
  std::uint64_t round = 0;           // For guards that draw lots, so that rounds differ.
};

class Guard {
 public:
  virtual ~Guard() = default;
  virtual absl::string_view name() const = 0;
  // Whether it changes columns. Of one that does not, a round never asks for Mix, nor for inner products.
  virtual bool mixes() const { return true; }
  // Whether it uses f; and f, where the guard was given one of its own.
  virtual bool needs_faulty() const { return false; }
  virtual std::optional<Faulty> faulty() const { return std::nullopt; }

  // How many columns it makes of n.
  virtual std::size_t ColumnsOf(std::size_t columns) const { return columns; }
  // INVALID_ARGUMENT as Rule::CheckClients.
  virtual absl::Status CheckClients(std::size_t columns, std::size_t faulty) const = 0;
  // M [n, ColumnsOf(n)], all entries >= 0. Defined for degenerate columns, as Rule::Weigh.
  virtual absl::StatusOr<kernels::SmallMatrix> Mix(const GuardInput& input) const = 0;
};

using GuardFactory = absl::StatusOr<std::unique_ptr<Guard>> (*)(RuleOptions& options);
bool RegisterGuard(absl::string_view name, GuardFactory factory);
absl::StatusOr<std::unique_ptr<Guard>> MakeGuard(absl::string_view spec);  // As MakeRule.
std::vector<std::string> GuardNames();

#define CAIRN_REGISTER_GUARD(name, type)                       \
  [[maybe_unused]] static const bool cairn_registered_##type = \
      ::cairn::RegisterGuard(name, ::cairn::internal::Make<::cairn::Guard, type>)

}  // namespace cairn
