#include "tests/faults/faulty_round.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "tests/faults/leaks.h"
#include "tests/faults/running_round.h"
#include "tests/integration/remote.h"

namespace cairn::faults {

namespace fs = std::filesystem;

namespace {

constexpr int kWorkersMost = 4;  // That it is scaled to.

}  // namespace

FaultyFederations::FaultyFederations(fs::path directory, bool durable, int workers)
    : directory_(std::move(directory)),
      durable_(durable),
      server_(directory_, SmallConfig(durable), workers),
      oracle_(directory_ / "oracle", directory_ / "data"),
      shared_memory_(SharedMemoryNames()) {}

ClientOptions FaultyFederations::OptionsOf(std::size_t federation, const std::string& client) const {
  ClientOptions options = testing::FastOptions(server_.address(), kSmallFederations[federation].name, client);
  options.retry.give_up_after = kRoundTimeout;
  return options;
}

absl::Status FaultyFederations::Start() {
  CAIRN_RETURN_IF_ERROR(server_.Start());
  for (std::size_t federation = 0; federation < kSmallFederations.size(); ++federation) {
    const AdapterShape shape = ShapeOfSmall(federation);
    for (std::size_t client = 0; client < kClients; ++client) {
      CAIRN_ASSIGN_OR_RETURN(clients_[federation].emplace_back(),
                             Client::Join(OptionsOf(federation, SmallClient(client)), shape));
    }
    CAIRN_RETURN_IF_ERROR(Client::Join(OptionsOf(federation, "loris"), shape).status());
  }
  return absl::OkStatus();
}

bool FaultyFederations::IsPublished(std::size_t federation, std::uint64_t round) const {
  std::error_code missing;
  const fs::path latest = server_.data_dir() / "published" / kSmallFederations[federation].name / "latest";
  return fs::read_symlink(latest, missing) == absl::StrFormat("v%05d", round);
}

absl::Status FaultyFederations::DoFirst(const Plan& plan, RoundResult& result) {
  for (const Fault& fault : plan.faults) {
    if (MomentOf(fault.kind) != Moment::kBefore) continue;
    ++totals_[NameOf(fault.kind)];
    if (fault.kind == Kind::kScale) {
      const int workers = static_cast<int>(fault.draw % (kWorkersMost + 1));
      result.done.push_back(absl::StrCat("scale to ", workers, " workers"));
      return server_.RestartWith(workers);
    }
    std::string points = fault.point;
    if (fault.kind == Kind::kDiskFullUpload) points = absl::StrCat("store.append=full@", 1 + fault.draw % 6);
    if (fault.kind == Kind::kDiskFullPublish) points = "publish.before_rename=full@1";
    result.done.push_back(absl::StrCat(NameOf(fault.kind), " ", points));
    return server_.RestartWith(points);
  }
  return absl::OkStatus();
}

absl::StatusOr<RoundResult> FaultyFederations::Run(const Plan& plan) {
  RoundResult result;
  const absl::Time start = absl::Now();
  result.round = rounds_[plan.federation] + 1;
  const auto with_place = [&](const absl::Status& status) {
    std::string done;
    for (const std::string& what : result.done) absl::StrAppend(&done, what, ", ");
    return absl::Status(status.code(), absl::StrCat(kSmallFederations[plan.federation].name, " round ", result.round,
                                                    ", seed ", plan.seed, ", ", done, status.message()));
  };
  if (const absl::Status first = DoFirst(plan, result); !first.ok()) return with_place(first);
  Running running(*this, plan, result.round, result);
  if (const absl::Status ran = running.Run(); !ran.ok()) return with_place(ran);
  auto checked = oracle_.Check(plan.federation, result.round, running.Acknowledged());
  if (!checked.ok()) return with_place(checked.status());
  result.checked = *checked;
  ++rounds_[plan.federation];
  // In memory mode whatever was broken off stays until its client's next round.
  const absl::Status objects = AwaitNoObjects(server_, durable_ ? 0 : kSmallFederations.size() * (kClients + 1));
  if (!objects.ok()) return with_place(objects);
  if (const absl::Status slabs = CheckSlabs(server_, SharedBytes(durable_)); !slabs.ok()) {
    return with_place(slabs);
  }
  if (const absl::Status disarmed = Disarm(plan); !disarmed.ok()) return with_place(disarmed);
  result.took = absl::Now() - start;
  return result;
}

// What was not reached must not act in another round.
absl::Status FaultyFederations::Disarm(const Plan& plan) {
  for (const Fault& fault : plan.faults) {
    if (MomentOf(fault.kind) != Moment::kBefore || fault.kind == Kind::kScale) continue;
    if (!server_.AllFired()) return server_.RestartWith(std::string());
  }
  return absl::OkStatus();
}

absl::Status FaultyFederations::Finish() {
  CAIRN_RETURN_IF_ERROR(server_.RestartWith(std::string()));  // Nothing is armed any more.
  for (int again = 0; again < 2; ++again) {
    for (std::size_t federation = 0; federation < kSmallFederations.size(); ++federation) {
      CAIRN_RETURN_IF_ERROR(Run(Plan{.federation = federation, .clients = kTarget}).status());
    }
  }
  CAIRN_RETURN_IF_ERROR(AwaitNoObjects(server_, 0));
  for (auto& clients : clients_) clients.clear();
  CAIRN_RETURN_IF_ERROR(server_.Stop());
  CAIRN_RETURN_IF_ERROR(CheckNothingLeft(directory_, server_.data_dir()));
  if (SharedMemoryNames() == shared_memory_) return absl::OkStatus();
  return absl::InternalError("/dev/shm is not as it was");
}

}  // namespace cairn::faults
