// What a federation reads from its database when it is loaded.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "aggregators/rule.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "server/root/federation.h"
#include "server/root/gather.h"
#include "server/root/published_files.h"
#include "server/root/published_form.h"
#include "server/root/summer.h"

namespace cairn {
namespace {

absl::Time FromMillis(std::int64_t millis) {
  // Infinite times saturate on the way out; anything near the ends was infinite.
  constexpr std::int64_t kFar = std::int64_t{1} << 60;
  if (millis > kFar) return absl::InfiniteFuture();
  if (millis < -kFar) return absl::InfinitePast();
  return absl::FromUnixMillis(millis);
}

absl::StatusOr<round::Phase> PhaseFromName(const std::string& name) {
  for (round::Phase phase :
       {round::Phase::kWaiting, round::Phase::kOpen, round::Phase::kAggregating, round::Phase::kFinished}) {
    if (round::NameOf(phase) == name) return phase;
  }
  return absl::DataLossError(absl::StrCat("database: unknown phase \"", name, "\""));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Federation>> Federation::Load(FederationOptions options, const FederationHost& host) {
  CAIRN_RETURN_IF_ERROR(CheckId("federation name", options.name));
  std::unique_ptr<Federation> federation(new Federation(std::move(options), host));
  CAIRN_RETURN_IF_ERROR(federation->ReadMethod());
  CAIRN_ASSIGN_OR_RETURN(auto row, host.database->LoadFederation(federation->name()));
  CAIRN_ASSIGN_OR_RETURN(auto spec, host.database->LoadSpec(federation->name()));
  if (spec) {
    federation->spec_ = std::make_shared<const AdapterSpec>(*std::move(spec));
    CAIRN_RETURN_IF_ERROR(federation->CheckConfiguredSpec());
  } else if (federation->options_.spec) {
    CAIRN_RETURN_IF_ERROR(federation->AdoptSpec(*federation->options_.spec));
  }
  if (row) {
    CAIRN_RETURN_IF_ERROR(federation->Restore(*row));
  } else {
    CAIRN_RETURN_IF_ERROR(federation->StartRehearsal());
    CAIRN_RETURN_IF_ERROR(federation->Save());
  }
  // An aggregation that was interrupted starts again; a deadline that passed meanwhile counts.
  CAIRN_RETURN_IF_ERROR(federation->Tick());
  return federation;
}

absl::Status Federation::CheckConfiguredSpec() {
  CAIRN_RETURN_IF_ERROR(CheckBaseModel(options_.base_model));
  if (!options_.spec || (options_.spec->modules == spec_->modules && options_.spec->tensors == spec_->tensors)) {
    return absl::OkStatus();
  }
  // Nobody's update is in the way of more.
  if (Covers(*options_.spec, *spec_)) return AdoptSpec(*options_.spec);
  return absl::FailedPreconditionError(absl::StrCat(
      "federation \"", name(), "\" was begun with other modules or tensors than the configuration names: ",
      spec_->modules.size(), " and ", spec_->tensors.size(), ", now ", options_.spec->modules.size(), " and ",
      options_.spec->tensors.size(), "; they may become more, not others: use another name or another data_dir"));
}

absl::Status Federation::ReadMethod() {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(options_.method.combine));
  start_ = combine->round_start();
  plain_tensors_ = TakesPlainTensors(*combine);
  CAIRN_ASSIGN_OR_RETURN(const auto rule, MakeRule(options_.method.rule));
  CAIRN_ASSIGN_OR_RETURN(const PublishForm form, PublishFormOf(options_.method));
  publish_ = ToString(form);
  state_.policy.required = rule->needs().client;
  sums_up_ = host_.summer != nullptr && SumsUp(options_.method);
  return absl::OkStatus();
}

absl::Status Federation::Restore(const FederationRow& row) {
  if (row.combine != combine()) {
    return absl::FailedPreconditionError(absl::StrCat("federation \"", row.name, "\" was begun with combine ",
                                                      row.combine, ", the configuration says ", combine(),
                                                      ": use another name or another data_dir"));
  }
  CAIRN_ASSIGN_OR_RETURN(state_.phase, PhaseFromName(row.phase));
  state_.round = row.round;
  state_.version = row.version;
  state_.opened = FromMillis(row.opened_ms);
  state_.deadline = FromMillis(row.deadline_ms);
  CAIRN_ASSIGN_OR_RETURN(auto published, host_.database->LoadVersion(name(), row.version));
  if (published) version_sha256_ = published->whole.sha256;
  if (row.version > 1) {
    CAIRN_ASSIGN_OR_RETURN(const auto previous, host_.database->LoadVersion(name(), row.version - 1));
    if (previous) previous_sha256_ = previous->whole.sha256;
  }
  if (published && published->relative_error) {
    relative_error_ = published->relative_error;
    host_.AfterCommit([this] { host_.metrics->SetPublishedError(name(), *relative_error_); });
  }
  if (published) {
    CAIRN_ASSIGN_OR_RETURN(std::vector<OutcomeRow> outcomes, host_.database->LoadOutcomes(name(), row.version));
    outcomes_ = std::make_shared<const std::vector<OutcomeRow>>(std::move(outcomes));
    host_.AfterCommit([this] { ShowClients(/*published_now=*/false); });
  }
  CAIRN_ASSIGN_OR_RETURN(auto clients, host_.database->LoadClients(name()));
  for (const ClientRow& client : clients) state_.clients[client.client].active = client.active;

  CAIRN_RETURN_IF_ERROR(RestoreReceipts());
  // More rounds may have been configured since.
  if (state_.phase == round::Phase::kFinished && (options_.policy.rounds == 0 || row.round < options_.policy.rounds)) {
    state_.phase = round::Phase::kWaiting;
  }
  state_ = round::Recovered(std::move(state_), host_.clock->Now());
  host_.AfterCommit([this] { RetainNeeded(); });
  // The last process may have died between committing a version and what follows it.
  if (state_.version > 0) {
    host_.AfterCommit([this, version = state_.version] { PointLatest(version); });
  }
  return absl::OkStatus();
}

absl::Status Federation::RestoreReceipts() {
  std::vector<ReceiptRow> receipts;
  if (InRound()) {
    CAIRN_ASSIGN_OR_RETURN(receipts, host_.database->LoadReceipts(name(), state_.round));
  }
  const std::size_t on_record = receipts.size();
  if (!host_.durable) {
    CAIRN_ASSIGN_OR_RETURN(receipts, DropForgotten(std::move(receipts)));
  }
  const bool some_are_forgotten = receipts.size() < on_record;
  CAIRN_ASSIGN_OR_RETURN(receipts, Rehearse(std::move(receipts)));
  CAIRN_RETURN_IF_ERROR(TakeOver(receipts).status());
  for (const ReceiptRow& receipt : receipts) {
    round::Client& client = state_.clients[receipt.client];
    client.part = round::Client::Part::kContributed;
    client.bytes_received = client.bytes_total = receipt.bytes;
    client.node = receipt.node;
    if (!receipt.node.empty() && host_.present.count(receipt.node) == 0) {
      state_.away.emplace(receipt.node, std::max(host_.clock->Now(), host_.away_from));
    }
    host_.AfterCommit([this, receipt] { Hand(receipt); });
  }
  const bool enough = state_.has_required() && state_.contributed() >= state_.policy.clients_min;
  if (!some_are_forgotten || enough) return absl::OkStatus();
  state_.phase = round::Phase::kOpen;  // At once, whoever is away.
  return Save();
}

// Gives up what died in the memory of the last process; what is at nodes is there still.
absl::StatusOr<std::vector<ReceiptRow>> Federation::DropForgotten(std::vector<ReceiptRow> receipts) {
  std::vector<ReceiptRow> there;
  for (ReceiptRow& receipt : receipts) {
    if (!receipt.node.empty() || host_.store->Find(name(), NameOf(receipt)).ok()) {
      there.push_back(std::move(receipt));
    } else {
      CAIRN_RETURN_IF_ERROR(Drop(receipt, absl::NotFoundError("it was in the memory of a server that ended")));
    }
  }
  return there;
}

// Of what earlier processes left in the store. What the same transaction acknowledged is on record, too.
void Federation::RetainNeeded() {
  std::vector<std::string> names;
  absl::Status retained;
  if (InRound()) {
    const auto receipts = host_.database->LoadReceipts(name(), state_.round);
    retained = receipts.status();
    if (receipts.ok()) {
      for (const ReceiptRow& receipt : *receipts) names.push_back(NameOf(receipt));
    }
  }
  if (retained.ok()) retained = host_.store->Retain(name(), InRound() ? state_.round : state_.round + 1, names);
  if (!retained.ok()) spdlog::warn("{}: updates that nobody needs: {}", name(), retained.ToString());
}

absl::Status Federation::StartRehearsal() {
  CAIRN_ASSIGN_OR_RETURN(rehearsal_, Rehearsal::Begin(combine()));
  // Clients go on from what was combined; of what was cut from it they may have less.
  const bool as_combined = !options_.method.publish || options_.method.publish->kind == PublishForm::Kind::kStack;
  if (state_.version == 0 || !as_combined || !rehearsal_.goes_on()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const auto version, host_.database->LoadVersion(name(), state_.version));
  if (!version) return absl::OkStatus();
  const absl::Status known = rehearsal_.GoOnFrom(
      version->version, AdapterPath(host_.data_dir, name(), version->whole.sha256), version->whole.config);
  if (known.ok()) return known;
  spdlog::warn("{}: version {}: {}", name(), version->version, known.ToString());
  // Then the first client decides, as in the first round.
  CAIRN_ASSIGN_OR_RETURN(rehearsal_, Rehearsal::Begin(combine()));
  return absl::OkStatus();
}

// Of the receipts that survived, those that still combine: a server of another release may refuse what this one took.
absl::StatusOr<std::vector<ReceiptRow>> Federation::Rehearse(std::vector<ReceiptRow> receipts) {
  CAIRN_RETURN_IF_ERROR(StartRehearsal());
  std::vector<ReceiptRow> usable;
  for (ReceiptRow& receipt : receipts) {
    const absl::Status restored = RestoreRehearsal(receipt);
    if (absl::IsInvalidArgument(restored)) {
      CAIRN_RETURN_IF_ERROR(Drop(receipt, restored));
      continue;
    }
    if (!restored.ok()) {
      return absl::Status(restored.code(), absl::StrCat("round ", receipt.round, ": the acknowledged update of client ",
                                                        receipt.client, ": ", restored.message()));
    }
    usable.push_back(std::move(receipt));
  }
  return usable;
}

}  // namespace cairn
