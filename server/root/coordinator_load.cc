// How the coordinator loads its federations, and what becomes of those that cannot be loaded.
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/root/coordinator.h"

namespace cairn {
namespace {

constexpr absl::Duration kReloadInterval = absl::Seconds(5);  // Of a federation that could not be loaded.

}  // namespace

absl::Status Coordinator::LoadFederations() {
  after_commit_.clear();  // Before the federations that the actions refer to.
  federations_.clear();
  failed_.clear();
  absl::Status loaded = database_->Begin();
  if (loaded.ok()) loaded = LoadEach();
  if (loaded.ok()) loaded = database_->Commit();
  if (!loaded.ok()) {
    database_->Rollback();
    after_commit_.clear();
    federations_.clear();
    return loaded;
  }
  RunAfterCommit();
  return absl::OkStatus();
}

absl::Status Coordinator::LoadEach() {
  for (const FederationOptions& options : options_.federations) {
    const absl::Status loaded = LoadOne(options);
    // The database is everybody's.
    if (absl::IsUnavailable(loaded)) return loaded;
  }
  return absl::OkStatus();
}

absl::Status Coordinator::LoadOne(const FederationOptions& options) {
  const std::size_t actions = after_commit_.size();
  CAIRN_RETURN_IF_ERROR(database_->BeginPart());
  absl::StatusOr<std::unique_ptr<Federation>> loaded = Federation::Load(options, host_);
  if (loaded.ok()) {
    federations_[options.name] = *std::move(loaded);
    failed_.erase(options.name);
    return database_->EndPart();
  }
  database_->TakeBackPart();
  after_commit_.resize(actions);  // They refer to it.
  const absl::Status why(loaded.status().code(), absl::StrCat("federation \"", options.name,
                                                              "\" cannot be loaded: ", loaded.status().message()));
  spdlog::error("{}", why.ToString());
  failed_[options.name] = {why, clock_->Now() + kReloadInterval};
  return why;
}

Federation* Coordinator::FindOrLoad(const std::string& name) {
  const auto failed = failed_.find(name);
  if (failed == failed_.end() || clock_->Now() < failed->second.retry_at) return Find(name);
  for (const FederationOptions& options : options_.federations) {
    if (options.name == name) LoadOne(options).IgnoreError();  // It is in failed_.
  }
  return Find(name);
}

absl::Status Coordinator::Failure(const std::string& name) const {
  const auto failed = failed_.find(name);
  return failed == failed_.end() ? NoFederation(name) : absl::UnavailableError(failed->second.why.message());
}

std::shared_ptr<const Snapshot> Coordinator::FailedSnapshot(const FederationOptions& options,
                                                            const absl::Status& why) const {
  Snapshot snapshot;
  snapshot.federation = options.name;
  snapshot.combine = options.method.combine;
  snapshot.rule = options.method.rule;
  snapshot.state.policy = options.policy;
  snapshot.waiting_for = absl::StrCat("an operator: ", why.message());
  return std::make_shared<const Snapshot>(std::move(snapshot));
}

}  // namespace cairn
