#include "server/round/round.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/round/node_loss.h"

namespace cairn::round {
namespace {

using Part = Client::Part;

bool MoreRounds(const State& state) { return state.policy.rounds == 0 || state.round < state.policy.rounds; }

Client* Find(State& state, const std::string& id) {
  auto it = state.clients.find(id);
  return it == state.clients.end() ? nullptr : &it->second;
}

std::vector<std::string> Contributors(const State& state) {
  std::vector<std::string> ids;
  for (const auto& [id, client] : state.clients) {
    if (client.part == Part::kContributed) ids.push_back(id);
  }
  return ids;
}

void ForgetFailures(State& state) {
  state.failure.clear();
  state.failures = 0;
  state.retry_at = absl::InfiniteFuture();
}

void Apply(State& state, const Joined& event, absl::Time) { state.clients[event.client].active = true; }

void Apply(State& state, const Left& event, absl::Time) {
  Client* client = Find(state, event.client);
  if (client == nullptr) return;
  client->active = false;
  if (client->part == Part::kUploading) Reset(*client);
}

void Apply(State& state, const UploadProgressed& event, absl::Time now) {
  Client* client = Find(state, event.client);
  if (client == nullptr || state.phase != Phase::kOpen || client->part == Part::kContributed) return;
  client->part = Part::kUploading;
  client->bytes_received = event.bytes_received;
  client->bytes_total = event.bytes_total;
  state.last_progress = now;
}

void Apply(State& state, const UploadEnded& event, absl::Time) {
  Client* client = Find(state, event.client);
  if (client != nullptr && client->part == Part::kUploading) Reset(*client);
}

void Apply(State& state, const Contributed& event, absl::Time now) {
  Client* client = Find(state, event.client);
  if (client == nullptr || state.phase != Phase::kOpen) return;
  client->part = Part::kContributed;
  client->bytes_received = client->bytes_total;
  client->node = event.node;
  state.last_progress = now;
}

void Apply(State& state, const Published& event, absl::Time) {
  if (state.phase != Phase::kAggregating) return;
  state.version = event.version;
  state.phase = MoreRounds(state) ? Phase::kWaiting : Phase::kFinished;
  ForgetFailures(state);
  state.held = false;
  state.away.clear();
  for (auto& [id, client] : state.clients) Reset(client);
}

void Apply(State& state, const AggregationFailed& event, absl::Time now) {
  if (state.phase != Phase::kAggregating) return;
  state.failure = event.reason;
  state.failures = event.permanent ? state.failures + 1 : 0;
  absl::Duration pause = kAggregationRetry;
  for (std::uint32_t i = 1; i < state.failures && pause < kAggregationRetryMax; ++i) pause *= 2;
  state.retry_at = now + std::min(pause, kAggregationRetryMax);
}

void Apply(State& state, const Dropped& event, absl::Time now) {
  if (state.phase != Phase::kAggregating) return;
  bool any = false;
  for (const std::string& id : event.clients) {
    Client* client = Find(state, id);
    if (client == nullptr || client->part != Part::kContributed) continue;
    Reset(*client);
    any = true;
  }
  if (!any) return;
  ForgetNodesWithoutContributions(state);
  ForgetFailures(state);
  state.retry_at = now;
}

void Apply(State& state, const UpdatesLost& event, absl::Time now) {
  for (const std::string& id : event.clients) {
    if (Client* client = Find(state, id); client != nullptr && client->part == Part::kContributed) Reset(*client);
  }
  ForgetNodesWithoutContributions(state);
  if (state.phase == Phase::kOpen) state.last_progress = now;  // Time to send again.
  if (state.phase != Phase::kAggregating) return;
  ForgetFailures(state);
  if (!state.held) state.retry_at = now;
}

void Apply(State& state, const Fetched& event, absl::Time) {
  for (const std::string& id : event.clients) {
    if (Client* client = Find(state, id); client != nullptr && client->part == Part::kContributed) client->node.clear();
  }
  ForgetNodesWithoutContributions(state);
}

void Apply(State& state, const NodeLost& event, absl::Time now) {
  if (!ContributorsAt(state, event.node).empty()) state.away.emplace(event.node, now);
}

void Apply(State& state, const NodeBack& event, absl::Time now) {
  if (state.away.erase(event.node) == 0) return;
  // The attempt may have failed for want of it.
  if (state.phase == Phase::kAggregating && state.retry_at != absl::InfiniteFuture()) state.retry_at = now;
}

void Apply(State&, const Tick&, absl::Time) {}

void Open(State& state, absl::Time now, std::vector<Effect>& effects) {
  ++state.round;
  state.phase = Phase::kOpen;
  state.opened = state.last_progress = now;
  state.deadline = now + state.policy.deadline;
  effects.emplace_back(std::in_place_type<RoundOpened>, RoundOpened{state.round});
}

void Hold(State& state, std::vector<Effect>& effects) {
  state.held = true;
  state.retry_at = absl::InfiniteFuture();
  effects.emplace_back(std::in_place_type<RoundHeld>, RoundHeld{state.round});
}

void Close(State& state, std::vector<Effect>& effects) {
  state.phase = Phase::kAggregating;
  state.retry_at = absl::InfiniteFuture();
  state.held = false;
  ForgetNodesWithoutContributions(state);
  if (!state.away.empty()) {
    Hold(state, effects);
  } else {
    effects.emplace_back(std::in_place_type<RoundClosed>, RoundClosed{state.round, Contributors(state)});
  }
}

// Whether the round may close without anybody else.
bool IsEnough(const State& state) { return state.has_required() && state.contributed() >= state.policy.clients_min; }

// Closes again, or asks for more.
void TryAgain(State& state, absl::Time now, std::vector<Effect>& effects, bool enough) {
  if (enough) return Close(state, effects);
  state.phase = Phase::kOpen;
  state.held = false;
  state.opened = state.last_progress = now;
  state.deadline = now + state.policy.deadline;
  state.retry_at = absl::InfiniteFuture();
  effects.emplace_back(std::in_place_type<RoundReopened>, RoundReopened{state.round});
}

void DecideOpen(State& state, absl::Time now, std::vector<Effect>& effects) {
  const bool late = now >= state.deadline || now >= state.last_progress + state.policy.progress_timeout;
  if (IsEnough(state) && (late || state.contributed() >= state.policy.clients_target)) {
    Close(state, effects);
  } else if (now >= state.deadline) {
    // Nothing can be published of these: the round goes on, and says so.
    state.deadline = now + state.policy.deadline;
    effects.emplace_back(std::in_place_type<RoundExtended>, RoundExtended{state.deadline});
  }
}

void DecideHeld(State& state, absl::Time now, std::vector<Effect>& effects) {
  if (state.away.empty()) return TryAgain(state, now, effects, IsEnough(state));  // Some may be lost meanwhile.
  if (!GiveUpLostNodes(state, now, effects)) return;
  const bool asks = state.policy.on_node_loss == NodeLoss::kAskAgain;
  const std::uint32_t wanted = asks ? state.policy.clients_target : state.policy.clients_min;
  TryAgain(state, now, effects, IsEnough(state) && state.contributed() >= wanted);
}

// What the state asks for, whichever event led to it.
void Decide(State& state, absl::Time now, std::vector<Effect>& effects) {
  switch (state.phase) {
    case Phase::kWaiting:
      if (MoreRounds(state) && state.active() >= state.policy.clients_min) Open(state, now, effects);
      return;
    case Phase::kOpen:
      if (GiveUpLostNodes(state, now, effects)) state.last_progress = now;  // Time to send again.
      return DecideOpen(state, now, effects);
    case Phase::kAggregating:
      if (state.held) return DecideHeld(state, now, effects);
      if (state.in_hand()) return;
      if (!state.away.empty()) return Hold(state, effects);  // Another attempt would fail for want of them.
      if (now >= state.retry_at) TryAgain(state, now, effects, IsEnough(state));
      return;
    case Phase::kFinished:
      return;
  }
}

}  // namespace

absl::string_view NameOf(Phase phase) {
  switch (phase) {
    case Phase::kWaiting:
      return "waiting";
    case Phase::kOpen:
      return "open";
    case Phase::kAggregating:
      return "aggregating";
    case Phase::kFinished:
      return "finished";
  }
  return "unknown";
}

std::uint32_t State::active() const {
  return std::count_if(clients.begin(), clients.end(), [](const auto& entry) { return entry.second.active; });
}

std::uint32_t State::contributed() const {
  return std::count_if(clients.begin(), clients.end(),
                       [](const auto& entry) { return entry.second.part == Part::kContributed; });
}

bool State::in_hand() const { return phase == Phase::kAggregating && !held && retry_at == absl::InfiniteFuture(); }

bool State::has_required() const {
  if (policy.required.empty()) return true;
  const auto it = clients.find(policy.required);
  return it != clients.end() && it->second.part == Part::kContributed;
}

Transition Step(State state, const Event& event, absl::Time now) {
  const bool was_finished = state.phase == Phase::kFinished;
  std::vector<Effect> effects;
  std::visit([&](const auto& e) { Apply(state, e, now); }, event);
  Decide(state, now, effects);
  if (state.phase == Phase::kFinished && !was_finished) effects.emplace_back(std::in_place_type<FederationFinished>);
  return {std::move(state), std::move(effects)};
}

absl::Status CheckUpload(const State& state, absl::string_view client, std::uint64_t round) {
  auto it = state.clients.find(std::string(client));
  if (it == state.clients.end() || !it->second.active) {
    return absl::NotFoundError(
        absl::StrCat("client \"", client, "\" has not joined this federation, or has left it: call Join first"));
  }
  if (round > state.round) {
    const absl::string_view yet = state.phase == Phase::kFinished ? "" : " yet";
    return absl::FailedPreconditionError(absl::StrCat("round ", round, " is not open", yet,
                                                      ": the federation is at round ", state.round, " (",
                                                      NameOf(state.phase), ")"));
  }
  if (state.phase != Phase::kOpen || round != state.round) {
    return absl::FailedPreconditionError(absl::StrCat("round ", round, " is closed: the federation is at round ",
                                                      state.round, " (", NameOf(state.phase), ")"));
  }
  if (it->second.part == Part::kContributed) {
    return absl::AlreadyExistsError(
        absl::StrCat("client \"", client, "\" has already contributed other bytes to round ", round));
  }
  return absl::OkStatus();
}

absl::Time NextAlarm(const State& state) {
  if (state.phase == Phase::kAggregating) return state.held ? NextGivenUp(state) : state.retry_at;
  if (state.phase != Phase::kOpen) return absl::InfiniteFuture();
  const absl::Time alarm = std::min(state.deadline, NextGivenUp(state));
  if (!IsEnough(state)) return alarm;
  return std::min(alarm, state.last_progress + state.policy.progress_timeout);
}

State Recovered(State state, absl::Time now) {
  for (auto& [id, client] : state.clients) {
    if (client.part == Part::kUploading) Reset(client);
  }
  state.last_progress = now;
  state.held = false;
  state.retry_at = state.phase == Phase::kAggregating ? now : absl::InfiniteFuture();
  return state;
}

}  // namespace cairn::round
