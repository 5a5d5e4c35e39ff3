#include "aggregators/equal_ranks.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status CheckEqualRankAndScale(absl::string_view rule, absl::string_view here, const LoraModule& ours,
                                    const std::pair<std::string, const LoraModule*>* other) {
  if (other == nullptr) return absl::OkStatus();
  const std::string& there = other->first;
  const LoraModule* theirs = other->second;
  const auto differs = [&](absl::string_view what, double is, double was) {
    return absl::InvalidArgumentError(absl::StrCat("combine ", rule, ": module ", ours.name, ": client ", here, " has ",
                                                   what, " ", is, ", client ", there, " has ", what, " ", was, "; ",
                                                   rule, " needs equal ranks and scales, stack takes any"));
  };
  if (ours.rank != theirs->rank) return differs("rank", ours.rank, theirs->rank);
  if (ours.scale != theirs->scale) return differs("scale", ours.scale, theirs->scale);
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEqualRanksAndScales(
    absl::string_view rule, const ClientUpdate& update,
    absl::FunctionRef<const std::pair<std::string, const LoraModule*>*(absl::string_view module)> first_with) {
  for (const LoraModule& module : update.adapter->modules) {
    CAIRN_RETURN_IF_ERROR(CheckEqualRankAndScale(rule, update.client, module, first_with(module.name)));
  }
  return absl::OkStatus();
}

}  // namespace cairn
