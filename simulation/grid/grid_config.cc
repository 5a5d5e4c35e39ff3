#include "simulation/grid/grid_config.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "proto/cairn/v1/simulation.pb.h"

namespace cairn {
namespace {

GridRule RuleOf(const v1::SimulatedRule& proto) {
  return {.name = proto.name().empty() ? proto.rule() : proto.name(),
          .rule = proto.rule(),
          .guards = {proto.guards().begin(), proto.guards().end()},
          .combine = proto.combine().empty() ? GridRule().combine : proto.combine(),
          .publish = proto.publish()};
}

absl::StatusOr<std::vector<double>> ConcentrationsOf(const v1::SimulatedGrid& proto) {
  if (proto.concentrations().empty()) return std::vector<double>{std::numeric_limits<double>::infinity()};
  std::vector<double> out;
  for (const std::string& text : proto.concentrations()) {
    const absl::StatusOr<double> value = ParseConcentration(text);
    if (!value.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("key \"grid.concentrations\": ", value.status().message()));
    }
    out.push_back(*value);
  }
  return out;
}

}  // namespace

absl::StatusOr<Grid> GridFromProto(const v1::SimulatedGrid& proto, std::uint64_t seed) {
  Grid grid;
  if (proto.participants() > 0) grid.participants = proto.participants();
  if (!proto.ranks().empty()) grid.ranks.assign(proto.ranks().begin(), proto.ranks().end());
  for (const v1::SimulatedDomain& domain : proto.domains()) {
    grid.domains.push_back({domain.name(), {domain.documents().begin(), domain.documents().end()}, domain.unseen()});
  }
  CAIRN_ASSIGN_OR_RETURN(grid.concentrations, ConcentrationsOf(proto));
  grid.faulty.assign(proto.faulty().begin(), proto.faulty().end());
  std::sort(grid.faulty.begin(), grid.faulty.end());
  grid.attacks.assign(proto.attacks().begin(), proto.attacks().end());
  for (const v1::SimulatedRule& rule : proto.rules()) grid.rules.push_back(RuleOf(rule));
  grid.seeds.assign(proto.seeds().begin(), proto.seeds().end());
  if (grid.seeds.empty()) grid.seeds = {seed};
  return grid;
}

}  // namespace cairn
