#include "server/root/placer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace cairn {
namespace {

constexpr std::size_t kNodesLogged = 10;  // Of a plan that moves clients.

// The node's workers find out themselves which of them folds: how many there should be is what is of interest.
std::string ExplainNode(planner::NodePlan node) {
  const auto other = [](const planner::Assignment& a) { return a.role != planner::Role::kLeaf; };
  node.workers.erase(std::remove_if(node.workers.begin(), node.workers.end(), other), node.workers.end());
  node.stop.clear();
  return planner::Explain(node);
}

}  // namespace

Placer::~Placer() {
  for (Waiting& waiting : waiting_) waiting.done(absl::UnavailableError("the root is stopping"));
}

void Placer::NodeCame(const std::string& node, const ClientsOffer& offer) {
  const absl::Status came = places_.NodeCame(node, offer);
  if (!came.ok()) spdlog::warn("no clients are sent there: {}", came.ToString());
}

void Placer::Ask(const PlaceQuery& query, absl::Time now, Done done) {
  auto address = places_.Find(query, now);
  if (address) return done(*std::move(address));
  waiting_.push_back({query, std::move(done)});
}

void Placer::Run(absl::Time now) {
  if (waiting_.empty() || now < plan_at_) return;
  plan_at_ = now + kPlanInterval;
  Plan();
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    waiting.done(places_.Planned(waiting.query, now));
  }
}

void Placer::Plan() {
  auto plan = places_.Plan();
  if (plan.ok()) return Report(*std::move(plan));
  spdlog::warn("placement: {}", plan.status().ToString());
}

void Placer::Report(planner::Plan plan) {
  std::vector<NodeClients> counts;
  for (const planner::NodePlan& node : plan.nodes) counts.push_back({node.node, node.clients});
  metrics_->SetNodeClients(counts);
  if (spdlog::should_log(spdlog::level::debug)) {
    for (const planner::Placement& client : plan.clients) {
      if (client.moved()) spdlog::debug("placement: {}", planner::Explain(client));
    }
  }
  const std::size_t moved = plan.moved();
  if (moved == 0) return;
  spdlog::info("placement: {} of {} clients moved to other nodes{}", moved, plan.clients.size(),
               plan.fits ? "" : ", which are overloaded");
  std::size_t logged = 0;
  for (planner::NodePlan& node : plan.nodes) {
    if (node.clients > 0 && ++logged <= kNodesLogged) spdlog::info("placement: {}", ExplainNode(std::move(node)));
  }
}

}  // namespace cairn
