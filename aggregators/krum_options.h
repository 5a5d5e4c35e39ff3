// What Krum, Multi-Krum and Bulyan share: their options and the bound of the first two.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/faulty.h"
#include "aggregators/kernels/krum.h"
#include "aggregators/rule_options.h"

namespace cairn {

struct KrumOptions {
  Faulty faulty;                                                             // f
  kernels::KrumConvention convention = kernels::KrumConvention::kBlanchard;  // convention=blanchard or byzfl

  // INVALID_ARGUMENT: f is not there, or a value is none of those.
  static absl::StatusOr<KrumOptions> Take(RuleOptions& options);
  // n >= 2f + 3, or with byzfl's convention n >= 2f + 1. `who` is "rule krum".
  absl::Status CheckClients(absl::string_view who, std::size_t columns, std::size_t faulty) const;
};

}  // namespace cairn
