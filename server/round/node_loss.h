// Contributions at nodes that are away.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/round/round.h"

namespace cairn::round {

// The client has sent nothing in this round.
void Reset(Client& client);

// Ascending.
std::vector<std::string> ContributorsAt(const State& state, absl::string_view node);

// Of those that are away.
void ForgetNodesWithoutContributions(State& state);

// Those that have been away for too long, if the policy gives them up. Whether there were any.
bool GiveUpLostNodes(State& state, absl::Time now, std::vector<Effect>& effects);
// When there will be one.
absl::Time NextGivenUp(const State& state);

}  // namespace cairn::round
