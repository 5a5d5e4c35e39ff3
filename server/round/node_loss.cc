#include "server/round/node_loss.h"

#include <algorithm>

namespace cairn::round {

void Reset(Client& client) {
  client.part = Client::Part::kJoined;
  client.bytes_received = client.bytes_total = 0;
  client.node.clear();
}

std::vector<std::string> ContributorsAt(const State& state, absl::string_view node) {
  std::vector<std::string> ids;
  for (const auto& [id, client] : state.clients) {
    if (client.part == Client::Part::kContributed && client.node == node) ids.push_back(id);
  }
  return ids;
}

void ForgetNodesWithoutContributions(State& state) {
  std::erase_if(state.away, [&state](const auto& entry) { return ContributorsAt(state, entry.first).empty(); });
}

bool GiveUpLostNodes(State& state, absl::Time now, std::vector<Effect>& effects) {
  bool any = false;
  while (now >= NextGivenUp(state)) {
    const auto first = std::min_element(state.away.begin(), state.away.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    NodeGivenUp lost{first->first, ContributorsAt(state, first->first)};
    for (const std::string& id : lost.clients) Reset(state.clients[id]);
    state.away.erase(first);
    effects.emplace_back(std::in_place_type<NodeGivenUp>, std::move(lost));
    any = true;
  }
  return any;
}

absl::Time NextGivenUp(const State& state) {
  absl::Time next = absl::InfiniteFuture();
  if (state.policy.on_node_loss == NodeLoss::kWait) return next;
  for (const auto& [node, since] : state.away) next = std::min(next, since + state.policy.node_timeout);
  return next;
}

}  // namespace cairn::round
