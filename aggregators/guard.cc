#include "aggregators/guard.h"

namespace cairn {
namespace {

internal::Named<GuardFactory>& Factories() {
  static auto& factories = *new internal::Named<GuardFactory>("guard");
  return factories;
}

}  // namespace

bool RegisterGuard(absl::string_view name, GuardFactory factory) { return Factories().Add(name, factory); }
absl::StatusOr<std::unique_ptr<Guard>> MakeGuard(absl::string_view spec) { return Factories().Make<Guard>(spec); }
std::vector<std::string> GuardNames() { return Factories().Names(); }

}  // namespace cairn
