#include "server/tree/planner/load.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace cairn::planner {
namespace {

// How far off an expectation was, within bounds.
double Surprise(double measured, double expected) {
  return std::clamp(measured / expected, 1 / kSurpriseMax, kSurpriseMax);
}

using Factors = std::unordered_map<std::string, double>;  // By node.

void LearnRates(const Factors& factors, const Plan& plan, Input& input) {
  std::unordered_map<std::string, double> by_client;
  for (const Placement& placement : plan.clients) {
    const auto it = factors.find(placement.node);
    if (it != factors.end()) by_client.emplace(placement.client, it->second);
  }
  for (Client& client : input.clients) {
    const auto it = by_client.find(client.id);
    if (it != by_client.end()) client.updates_per_second *= it->second;
  }
}

void LearnSlowdown(const Factors& factors, Input& input) {
  for (Node& node : input.nodes) {
    const auto it = factors.find(node.id);
    if (it != factors.end()) node.slowdown = std::max(1.0, node.slowdown * it->second);
  }
}

}  // namespace

double Smoothed(double past, double sample) { return kPastShare * past + (1 - kPastShare) * sample; }

Input Learned(Input input, const Plan& plan, absl::Span<const Measured> windows) {
  Factors rates, folds;
  for (const Measured& window : windows) {
    const NodePlan* node = plan.Find(window.node);
    if (node == nullptr || node->updates_per_second <= 0 || node->load <= 0) continue;
    rates[window.node] = Smoothed(1, Surprise(window.updates_per_second, node->updates_per_second));
    if (window.seconds_per_update <= 0) continue;
    const double expected = node->load / node->updates_per_second;  // E = Q / k
    folds[window.node] = Smoothed(1, Surprise(window.seconds_per_update, expected));
  }
  LearnRates(rates, plan, input);
  LearnSlowdown(folds, input);
  return input;
}

}  // namespace cairn::planner
