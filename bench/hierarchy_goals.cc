#include "bench/hierarchy_goals.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/table.h"

namespace cairn::bench {
namespace {

constexpr double kHandoffMicrosecondsMax = 50;
constexpr double kOfFloorMax = 1.3;
constexpr double kFasterThanGrpcMin = 3;

using Rows = std::vector<std::vector<std::string>>;
using Field = double HierarchySample::*;

const HierarchySamples* Find(const std::vector<HierarchySamples>& all, Design design) {
  const auto is = [design](const HierarchySamples& samples) { return samples.facts.design == design; };
  const auto it = std::find_if(all.begin(), all.end(), is);
  return it == all.end() ? nullptr : &*it;
}

void AddRow(Rows& rows, const std::string& goal, double measured, double limit, bool at_most) {
  const bool holds = at_most ? measured <= limit : measured >= limit;
  rows.push_back({goal, absl::StrFormat("%s %g", at_most ? "<=" : ">=", limit), absl::StrFormat("%.2f", measured),
                  holds ? "holds" : "missed"});
}

}  // namespace

std::string HandoffTable(const std::vector<HandoffRow>& rows) {
  Rows text = {{"", "size", "median us", "99 % us"}};
  for (const HandoffRow& row : rows) {
    text.push_back({row.facts.name, row.size, absl::StrFormat("%.1f", row.median), absl::StrFormat("%.1f", row.late)});
  }
  return FormatTable(text, Align::kRight);
}

std::string GoalTable(const std::vector<HierarchySamples>& all, const std::vector<HandoffRow>& handoffs) {
  Rows rows = {{"", "goal", "measured", ""}};
  double handoff = 0;
  for (const HandoffRow& row : handoffs) handoff = std::max(handoff, row.median);
  if (!handoffs.empty())
    AddRow(rows, "hand-off, the slowest median of any size, us", handoff, kHandoffMicrosecondsMax, true);
  const HierarchySamples *floor = Find(all, Design::kFloor), *grpc = Find(all, Design::kGrpc),
                         *shared = Find(all, Design::kShared);
  if (shared == nullptr) return FormatTable(rows, Align::kRight);
  AddRow(rows, "shared: copies of a payload byte", shared->MedianOf(&HierarchySample::copied), 0, true);
  const auto beside = [&](const HierarchySamples* x, const HierarchySamples* y, const std::string& what, Field field,
                          double limit, bool at_most) {
    if (x != nullptr && y != nullptr) AddRow(rows, what, x->RatioTo(*y, field), limit, at_most);
  };
  beside(shared, floor, "shared: hop, times the floor", &HierarchySample::hop, kOfFloorMax, true);
  beside(shared, floor, "shared: stream, times the floor", &HierarchySample::stream, kOfFloorMax, true);
  beside(grpc, shared, "grpc: hop, times shared", &HierarchySample::hop, kFasterThanGrpcMin, false);
  beside(grpc, shared, "grpc: hop's CPU, times shared", &HierarchySample::hop_cpu, kFasterThanGrpcMin, false);
  beside(grpc, shared, "grpc: stream, times shared", &HierarchySample::stream, kFasterThanGrpcMin, false);
  beside(grpc, shared, "grpc: stream's CPU, times shared", &HierarchySample::stream_cpu, kFasterThanGrpcMin, false);
  return FormatTable(rows, Align::kRight);
}

}  // namespace cairn::bench
