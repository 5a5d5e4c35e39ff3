#include "aggregators/guard_testing.h"

#include "aggregators/guard.h"
#include "aggregators/rule_testing.h"
#include "base/status_macros.h"

namespace cairn::testing {

absl::StatusOr<kernels::SmallMatrix> MixingOf(absl::string_view guard, const std::vector<double>& points,
                                              const GuardedRound& round) {
  CAIRN_ASSIGN_OR_RETURN(const auto made, MakeGuard(guard));
  const kernels::SmallMatrix gram = GramOfLine(points);
  CAIRN_RETURN_IF_ERROR(made->CheckClients(points.size(), round.faulty));
  return made->Mix({.gram = gram, .faulty = round.faulty, .round = round.round});
}

absl::StatusOr<std::vector<double>> Guarded(absl::string_view guard, const std::vector<double>& points,
                                            const GuardedRound& round) {
  CAIRN_ASSIGN_OR_RETURN(const kernels::SmallMatrix mixing, MixingOf(guard, points, round));
  std::vector<double> out(mixing.columns);
  for (std::size_t i = 0; i < mixing.rows; ++i) {
    for (std::size_t j = 0; j < mixing.columns; ++j) out[j] += points[i] * mixing.at(i, j);
  }
  return out;
}

std::string GuardRefusal(absl::string_view guard, std::size_t columns, std::size_t faulty) {
  const auto made = MakeGuard(guard);
  return std::string((made.ok() ? (*made)->CheckClients(columns, faulty) : made.status()).message());
}

}  // namespace cairn::testing
