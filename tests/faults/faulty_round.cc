#include "tests/faults/faulty_round.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "tests/faults/leaks.h"
#include "tests/faults/running_round.h"
#include "tests/integration/remote.h"

namespace cairn::faults {

namespace fs = std::filesystem;

namespace {

// With nodes a client asks another one, or again.
constexpr absl::Duration kNodePatience = absl::Seconds(1);
constexpr absl::Duration kNodeAnswers = absl::Seconds(5);

std::string PointsOf(const Fault& fault) {
  if (fault.kind == Kind::kDiskFullUpload) return absl::StrCat("store.append=full@", 1 + fault.draw % 6);
  return fault.kind == Kind::kDiskFullPublish ? "publish.before_rename=full@1" : fault.point;
}

}  // namespace

FaultyFederations::FaultyFederations(fs::path directory, const Topology& topology)
    : directory_(std::move(directory)),
      topology_(topology),
      deployment_(directory_, topology),
      oracle_(directory_ / "oracle", deployment_.root().data_dir()),
      shared_memory_(SharedMemoryNames()) {}

ClientOptions FaultyFederations::OptionsOf(std::size_t federation, const std::string& client,
                                           std::size_t gateway) const {
  ClientOptions options = testing::FastOptions(deployment_.gateway(gateway % deployment_.gateways()).address(),
                                               kSmallFederations[federation].name, client);
  options.retry.give_up_after = kRoundTimeout;
  if (!deployment_.has_nodes()) return options;
  options.follow_placement = false;  // Which would leave a node or two without updates.
  options.retry.give_up_after = kNodePatience;
  options.rpc_deadline = options.progress_timeout = kNodeAnswers;
  return options;
}

absl::StatusOr<Client*> FaultyFederations::ClientAt(std::size_t federation, std::size_t client, std::size_t gateway) {
  const std::array key = {federation, client, gateway % deployment_.gateways()};
  {
    std::lock_guard lock(mutex_);
    if (const auto there = clients_.find(key); there != clients_.end()) return there->second.get();
  }
  CAIRN_ASSIGN_OR_RETURN(auto joined,
                         Client::Join(OptionsOf(federation, SmallClient(client), gateway), ShapeOfSmall(federation)));
  std::lock_guard lock(mutex_);
  return clients_.emplace(key, std::move(joined)).first->second.get();
}

// Gateways may not have found their root yet.
absl::Status FaultyFederations::JoinFirst(std::size_t federation, std::size_t client) {
  while (true) {
    const absl::Status joined = ClientAt(federation, client, client).status();
    if (!absl::IsUnavailable(joined) || absl::Now() - start_ > kRoundTimeout) return joined;
  }
}

absl::Status FaultyFederations::Start() {
  CAIRN_RETURN_IF_ERROR(deployment_.Start());
  for (std::size_t federation = 0; federation < FederationsOf(topology_.nodes); ++federation) {
    for (std::size_t client = 0; client < kClients; ++client) {
      CAIRN_RETURN_IF_ERROR(JoinFirst(federation, client));
    }
    CAIRN_RETURN_IF_ERROR(Client::Join(OptionsOf(federation, "loris", 0), ShapeOfSmall(federation)).status());
  }
  return absl::OkStatus();
}

bool FaultyFederations::IsPublished(std::size_t federation, std::uint64_t round) const {
  std::error_code missing;
  const fs::path latest = deployment_.root().data_dir() / "published" / kSmallFederations[federation].name / "latest";
  return fs::read_symlink(latest, missing) == absl::StrFormat("v%05d", round);
}

absl::Status FaultyFederations::DoFirst(const Plan& plan, RoundResult& result) {
  for (const Fault& fault : plan.faults) {
    if (MomentOf(fault.kind) != Moment::kBefore) continue;
    ++totals_[NameOf(fault.kind)];
    FaultyServer& server = deployment_.server(fault.process);
    if (fault.kind == Kind::kScale) {
      const int workers = static_cast<int>(fault.draw % (kWorkersMost + 1));
      result.done.push_back(server.Label(absl::StrCat("scale to ", workers, " workers")));
      CAIRN_RETURN_IF_ERROR(server.RestartWith(workers));
      continue;
    }
    const std::string points = PointsOf(fault);
    result.done.push_back(absl::StrCat(NameOf(fault.kind), " ", server.Label(points)));
    CAIRN_RETURN_IF_ERROR(server.RestartWith(points, fault.down));
  }
  return absl::OkStatus();
}

absl::StatusOr<RoundResult> FaultyFederations::Run(const Plan& plan) {
  RoundResult result;
  const absl::Time start = absl::Now();
  result.round = rounds_[plan.federation] + 1;
  const absl::Status ran = RunFaulty(plan, result);
  result.took = absl::Now() - start;
  if (ran.ok()) return result;
  return absl::Status(
      ran.code(), absl::StrCat(kSmallFederations[plan.federation].name, " round ", result.round, ", seed ", plan.seed,
                               ", ", absl::StrJoin(result.done, ", "), ": ", ran.message()));
}

absl::Status FaultyFederations::RunFaulty(const Plan& plan, RoundResult& result) {
  CAIRN_RETURN_IF_ERROR(DoFirst(plan, result));
  Running running(*this, plan, result.round, result);
  CAIRN_RETURN_IF_ERROR(running.Run());
  // Only a node's memory loses an update.
  const auto told = [&](const std::string& client) {
    return !durable() &&
           deployment_.root().Said(absl::StrCat(kSmallFederations[plan.federation].name, ": round ", result.round,
                                                ": the update of ", client, " is dropped after its receipt"));
  };
  CAIRN_ASSIGN_OR_RETURN(result.checked, oracle_.Check(plan.federation, result.round, running.acknowledged(), told));
  if (deployment_.has_nodes() && running.pulled_sha256() != result.checked.sha256) {
    return absl::InternalError(absl::StrCat("a client pulled ", running.pulled_sha256()));
  }
  ++rounds_[plan.federation];
  // In memory mode whatever was broken off stays until its client's next round.
  const std::size_t parked = durable() ? 0 : FederationsOf(topology_.nodes) * (kClients + 1);
  CAIRN_RETURN_IF_ERROR(CheckNoLeaks(plan.federation, parked));
  return Disarm(plan);
}

absl::Status FaultyFederations::CheckNoLeaks(std::size_t federation, std::size_t parked) {
  CAIRN_RETURN_IF_ERROR(deployment_.AwaitReady());
  for (std::size_t i = 0; i < deployment_.size(); ++i) {
    FaultyServer& server = deployment_.server(i);
    CAIRN_RETURN_IF_ERROR(AwaitNoUpdates(deployment_, server, kSmallFederations[federation].name));
    CAIRN_RETURN_IF_ERROR(AwaitNoObjects(deployment_, server, parked));
    CAIRN_RETURN_IF_ERROR(AwaitNoSums(deployment_, server));
    CAIRN_RETURN_IF_ERROR(CheckSlabs(server, SharedBytes(durable())));
  }
  return absl::OkStatus();
}

// What was not reached must not act in another round.
absl::Status FaultyFederations::Disarm(const Plan& plan) {
  for (const Fault& fault : plan.faults) {
    if (MomentOf(fault.kind) != Moment::kBefore || fault.kind == Kind::kScale) continue;
    FaultyServer& server = deployment_.server(fault.process);
    if (!server.AllFired()) CAIRN_RETURN_IF_ERROR(server.RestartWith(std::string()));
  }
  return absl::OkStatus();
}

absl::Status FaultyFederations::Finish() {
  for (std::size_t i = 0; i < deployment_.size(); ++i) {  // Nothing is armed any more.
    CAIRN_RETURN_IF_ERROR(deployment_.server(i).RestartWith(std::string()));
  }
  for (int again = 0; again < 2; ++again) {
    for (std::size_t federation = 0; federation < FederationsOf(topology_.nodes); ++federation) {
      CAIRN_RETURN_IF_ERROR(Run(Plan{.federation = federation, .clients = kTarget}).status());
    }
  }
  CAIRN_RETURN_IF_ERROR(CheckNoLeaks(0, 0));
  clients_.clear();
  CAIRN_RETURN_IF_ERROR(deployment_.Stop());
  CAIRN_RETURN_IF_ERROR(CheckNoProcess(directory_));
  for (std::size_t i = 0; i < deployment_.size(); ++i) {
    CAIRN_RETURN_IF_ERROR(CheckNothingLeft(deployment_.server(i).data_dir()));
  }
  if (SharedMemoryNames() == shared_memory_) return absl::OkStatus();
  return absl::InternalError("/dev/shm is not as it was");
}

}  // namespace cairn::faults
