// The sentence that explains a wait.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/round/node_loss.h"
#include "server/round/round.h"

namespace cairn::round {
namespace {

constexpr std::size_t kNamesShown = 5;  // Clients named before "and N more".

std::string Names(const std::vector<std::string>& names) {
  if (names.size() <= kNamesShown) return absl::StrJoin(names, ", ");
  const std::vector<std::string> shown(names.begin(), names.begin() + kNamesShown);
  return absl::StrCat(absl::StrJoin(shown, ", "), " and ", names.size() - kNamesShown, " more");
}

int Percent(const Client& client) {
  return client.bytes_total == 0 ? 0 : static_cast<int>(100.0 * client.bytes_received / client.bytes_total);
}

// "63 % of the way", "not started": who is where.
void AppendClients(const State& state, std::vector<std::string>& parts) {
  std::vector<std::string> uploading, idle;
  for (const auto& [id, client] : state.clients) {
    if (client.part == Client::Part::kUploading) {
      uploading.push_back(absl::StrFormat("%s at %d %%", id, Percent(client)));
    } else if (client.part == Client::Part::kJoined && client.active) {
      idle.push_back(id);
    }
  }
  if (!uploading.empty()) parts.push_back(Names(uploading));
  if (!idle.empty()) parts.push_back(absl::StrCat(Names(idle), " not started"));
}

std::string Short(absl::Duration duration) {
  const absl::Duration seconds = absl::Floor(std::max(duration, absl::ZeroDuration()), absl::Seconds(1));
  return seconds == absl::ZeroDuration() ? "0s" : absl::FormatDuration(seconds);
}

// "node n2 with 3 updates", and what will become of it.
void AppendNodes(const State& state, absl::Time now, std::vector<std::string>& parts) {
  for (const auto& [node, since] : state.away) {
    const std::size_t updates = ContributorsAt(state, node).size();
    std::string part =
        absl::StrCat("waiting for node ", node, " with ", updates, updates == 1 ? " update" : " updates");
    if (state.policy.on_node_loss != NodeLoss::kWait) {
      const bool asks = state.phase == Phase::kOpen || state.policy.on_node_loss == NodeLoss::kAskAgain;
      absl::StrAppend(&part, asks ? "; asks its clients again in " : "; goes on without it in ",
                      Short(since + state.policy.node_timeout - now));
    }
    parts.push_back(std::move(part));
  }
}

std::string WaitingForUpdates(const State& state, absl::Time now) {
  const Policy& policy = state.policy;
  const bool minimum = state.contributed() >= policy.clients_min;
  std::vector<std::string> parts = {absl::StrCat(state.contributed(), " of ", policy.clients_target)};
  AppendClients(state, parts);
  if (state.active() < policy.clients_target) {
    parts.push_back(absl::StrCat(state.active(), " of ", policy.clients_target, " clients present"));
  }
  if (!minimum) parts.push_back(absl::StrCat("needs at least ", policy.clients_min));
  if (!state.has_required()) parts.push_back(absl::StrCat("waiting for ", policy.required, ", which the rule needs"));
  AppendNodes(state, now, parts);
  const absl::Time alarm = std::min(state.deadline, state.last_progress + policy.progress_timeout);
  if (minimum && state.has_required() && alarm != absl::InfiniteFuture()) {
    parts.push_back(absl::StrCat("closes without the rest in ", Short(alarm - now)));
  }
  return absl::StrJoin(parts, "; ");
}

std::string WaitingForNodes(const State& state, absl::Time now) {
  std::vector<std::string> parts;
  AppendNodes(state, now, parts);
  return absl::StrJoin(parts, "; ");
}

}  // namespace

std::string WaitingFor(const State& state, absl::Time now) {
  switch (state.phase) {
    case Phase::kWaiting:
      return absl::StrCat(state.active(), " of ", state.policy.clients_min, " clients joined");
    case Phase::kOpen:
      return WaitingForUpdates(state, now);
    case Phase::kAggregating:
      if (state.held) return WaitingForNodes(state, now);
      if (state.failure.empty())
        return absl::StrCat("aggregating ", state.contributed(), state.contributed() == 1 ? " update" : " updates");
      return absl::StrCat("aggregation failed (", state.failure, "); next attempt in ", Short(state.retry_at - now));
    case Phase::kFinished:
      return absl::StrCat("nothing: all ", state.round, " rounds are published");
  }
  return "";
}

}  // namespace cairn::round
