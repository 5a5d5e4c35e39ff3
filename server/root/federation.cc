#include "server/root/federation.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "aggregators/blame.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/status_text.h"
#include "server/root/gather.h"
#include "server/root/published_files.h"
#include "server/root/shards.h"
#include "server/root/summer.h"

namespace cairn {
namespace {

constexpr std::size_t kDetailBytesMax = 2048;  // Of a refusal, as told to those who watch.
constexpr std::size_t kClientsLogged = 10;     // Of those voted down in a round.

// Whether the same updates will fail the same way.
bool IsPermanent(const absl::Status& failure) {
  return absl::IsInvalidArgument(failure) || absl::IsOutOfRange(failure) || absl::IsFailedPrecondition(failure);
}

// "; 1 of 6 clients did not count"; nothing when all did.
std::string VotedDown(const std::vector<OutcomeRow>& outcomes) {
  const auto dropped = std::count_if(outcomes.begin(), outcomes.end(), [](const auto& row) { return !row.accepted; });
  return dropped == 0 ? "" : absl::StrCat("; ", dropped, " of ", outcomes.size(), " clients did not count");
}

void LogVotedDown(const std::string& federation, std::uint64_t version, const std::vector<OutcomeRow>& outcomes) {
  std::size_t dropped = 0;
  for (const OutcomeRow& row : outcomes) {
    if (row.accepted || ++dropped > kClientsLogged) continue;
    spdlog::warn("{}: version {}: client {} does not count: {}", federation, version, row.client,
                 std::string(absl::StripPrefix(row.reason, "not counted: ")));
  }
  if (dropped <= kClientsLogged) return;
  spdlog::warn("{}: version {}: nor do {} others", federation, version, dropped - kClientsLogged);
}

// The same for the same updates, with the same weights. After a reload there may be others in a round that is closed:
// some were given up, or sent again.
std::string DigestOf(const std::vector<ReceiptRow>& receipts) {
  Sha256 sha;
  for (const ReceiptRow& receipt : receipts) {
    for (const std::string& part :
         {receipt.client, receipt.sha256, absl::StrCat(receipt.examples), receipt.adapter_config.text()}) {
      sha.Update(absl::StrCat(part.size(), ":", part));
    }
  }
  return ToHex(sha.Finish());
}

std::int64_t ToMillis(absl::Time time) { return absl::ToUnixMillis(time); }

}  // namespace

Federation::Federation(FederationOptions options, const FederationHost& host)
    : options_(std::move(options)), host_(host), phase_since_(host.clock->Now()) {
  state_.policy = options_.policy;
}

std::shared_ptr<const Snapshot> Federation::snapshot() const {
  return std::make_shared<const Snapshot>(Snapshot{name(), combine(), options_.method.rule, publish_, start_, state_,
                                                   round::WaitingFor(state_, host_.clock->Now()), relative_error_,
                                                   version_sha256_, previous_sha256_, outcomes_});
}

absl::Status Federation::Join(const std::string& client, std::optional<AdapterSpec> spec) {
  CAIRN_RETURN_IF_ERROR(CheckId("client id", client));
  if (spec && plain_tensors_) spec->modules.clear();  // They do not say of what rank the factors are.
  if (spec) CAIRN_RETURN_IF_ERROR(CheckBaseModel(spec->base_model));
  if (spec && !(spec->modules.empty() && spec->tensors.empty())) {
    CAIRN_RETURN_IF_ERROR(CheckSpec(*spec));
    CAIRN_ASSIGN_OR_RETURN(const bool adopt, Adopts(*spec));
    CAIRN_RETURN_IF_ERROR(adopt ? AdoptSpec(*spec) : CheckWithinSpec(client, *spec));
  }
  const auto known = state_.clients.find(client);
  if (known != state_.clients.end() && known->second.active) return absl::OkStatus();
  if (known == state_.clients.end() && state_.clients.size() >= limits::kCohortClientsMax) {
    return absl::FailedPreconditionError(absl::StrCat("federation \"", name(), "\" already has ", state_.clients.size(),
                                                      " clients, the most it may have"));
  }
  CAIRN_RETURN_IF_ERROR(host_.database->SaveClient(name(), {client, true}));
  Tell(Notice::Kind::kJoined, client);
  return Apply(round::Joined{client});
}

absl::Status Federation::CheckJoined(const std::string& client) const {
  if (state_.clients.count(client) != 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("client \"", client, "\" has not joined federation \"", name(), "\""));
}

absl::Status Federation::Leave(const std::string& client) {
  CAIRN_RETURN_IF_ERROR(CheckJoined(client));
  CAIRN_RETURN_IF_ERROR(host_.database->SaveClient(name(), {client, false}));
  Tell(Notice::Kind::kLeft, client);
  if (host_.places != nullptr) host_.AfterCommit([this, client] { host_.places->ClientLeft(name(), client); });
  return Apply(round::Left{client});
}

absl::StatusOr<std::optional<ReceiptRow>> Federation::CheckUpload(const UploadKey& key) {
  CAIRN_ASSIGN_OR_RETURN(auto receipt, host_.database->LoadReceipt(name(), key.round, key.client));
  if (receipt && receipt->sha256 == key.sha256) return receipt;
  CAIRN_RETURN_IF_ERROR(round::CheckUpload(state_, key.client, key.round));
  return std::optional<ReceiptRow>();
}

bool Federation::InOpenRound(const UploadKey& key) const {
  return state_.phase == round::Phase::kOpen && key.round == state_.round;
}

bool Federation::InRound() const {
  return state_.phase == round::Phase::kOpen || state_.phase == round::Phase::kAggregating;
}

void Federation::Progress(const UploadKey& key, std::uint64_t received) {
  if (!InOpenRound(key)) return;
  // What fails takes the transaction with it, here and below.
  Apply(round::UploadProgressed{key.client, received, key.bytes}).IgnoreError();
  Tell(Notice::Kind::kProgress, key.client);
}

void Federation::UploadEnded(const UploadKey& key, const absl::Status& refusal) {
  if (!InOpenRound(key)) return;
  Apply(round::UploadEnded{key.client}).IgnoreError();
  if (refusal.ok()) {
    Tell(Notice::Kind::kProgress, key.client);
  } else {
    Tell(Notice::Kind::kRejected, key.client, std::string(refusal.message().substr(0, kDetailBytesMax)));
  }
}

absl::StatusOr<ReceiptRow> Federation::Contribute(const SealedUpdate& update) {
  absl::StatusOr<ReceiptRow> receipt = Acknowledge(update);
  if (receipt.ok() && receipt->round == state_.round) return receipt;
  // Refused, or a second copy that came when its round was over: then nobody will ask for the bytes.
  if (update.node.empty()) RemoveUnneeded(update.key.client, update.key.sha256);  // A node asks what it is to keep.
  return receipt;
}

// Once the transaction is durable, and if there is no receipt of the update then: the same bytes may have come again
// meanwhile.
void Federation::RemoveUnneeded(const std::string& client, const std::string& sha256) {
  host_.AfterCommit([this, client, sha256] {
    const auto receipt = host_.database->LoadReceipt(name(), state_.round, client);
    const bool needed = !receipt.ok() || (*receipt && (*receipt)->sha256 == sha256);
    if (!needed) host_.store->Remove(name(), UpdateName(client, sha256));
  });
}

absl::StatusOr<ReceiptRow> Federation::Acknowledge(const SealedUpdate& update) {
  CAIRN_ASSIGN_OR_RETURN(auto known, CheckUpload(update.key));
  if (known) return *known;
  CAIRN_RETURN_IF_ERROR(CheckThere(update));
  std::shared_ptr<const Adapter> shape = update.shape;
  if (shape == nullptr) {
    CAIRN_ASSIGN_OR_RETURN(shape, rehearsal_.Describe(update.header, update.key.bytes, update.adapter_config));
  }
  if (spec_ != nullptr) CAIRN_RETURN_IF_ERROR(CheckAgainstSpec(*shape, *spec_));
  if (absl::Status status = CheckBaseModel(shape->config.base_model); !status.ok()) {
    return absl::InvalidArgumentError(status.message());  // No later round would take it either.
  }
  if (!update.frozen.ok()) return absl::UnavailableError(update.frozen.status().message());
  CAIRN_RETURN_IF_ERROR(rehearsal_.Add(update.key.client, update.examples, shape, *update.frozen));
  if (spec_ == nullptr) CAIRN_RETURN_IF_ERROR(AdoptSpec(SpecOf(*shape)));
  ReceiptRow receipt{name(),           update.key.round, update.key.client,     update.key.sha256,
                     update.key.bytes, update.examples,  update.adapter_config, ToMillis(host_.clock->Now()),
                     update.node};
  CAIRN_RETURN_IF_ERROR(Record(update, receipt));
  host_.AfterCommit([this, bytes = update.key.bytes] { host_.metrics->UpdateAccepted(name(), bytes); });
  host_.AfterCommit([this, receipt] { Hand(receipt); });
  Tell(Notice::Kind::kContributed, update.key.client);
  CAIRN_RETURN_IF_ERROR(Apply(round::Contributed{update.key.client, update.node}));
  return receipt;
}

absl::Status Federation::Record(const SealedUpdate& update, const ReceiptRow& receipt) {
  CAIRN_RETURN_IF_ERROR(host_.database->Insert(receipt));
  if (!receipt.node.empty()) {
    return host_.database->Save({name(), receipt.round, receipt.client, receipt.node, update.header, *update.frozen});
  }
  return host_.database->DeleteNodeUpdate(name(), receipt.round, receipt.client);  // Of one that was lost.
}

absl::Status Federation::PublishingEnded(std::uint64_t round, const std::string& updates,
                                         absl::StatusOr<Publication> publication) {
  if (state_.phase != round::Phase::kAggregating) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const auto receipts, host_.database->LoadReceipts(name(), state_.round));
  if (round != state_.round || updates != DigestOf(receipts)) {
    spdlog::warn("{}: what was made of other updates of round {} is not used", name(), round);
    const bool comes = !state_.in_hand();  // An attempt, anyway.
    CAIRN_RETURN_IF_ERROR(TakeOverFetched());
    return comes ? absl::OkStatus() : TryAggregate();
  }
  if (!publication.ok()) return AggregationFailed(publication.status());
  reported_lost_.clear();  // It was read before.
  VersionRow& version = publication->version;
  version.published_ms = ToMillis(host_.clock->Now());
  relative_error_ = version.relative_error;
  previous_sha256_ = std::exchange(version_sha256_, version.whole.sha256);
  CAIRN_RETURN_IF_ERROR(AddLost(publication->outcomes));
  outcomes_ = std::make_shared<const std::vector<OutcomeRow>>(std::move(publication->outcomes));
  CAIRN_RETURN_IF_ERROR(host_.database->DeleteNodeUpdates(name(), round));
  CAIRN_RETURN_IF_ERROR(host_.database->Insert(version));
  CAIRN_RETURN_IF_ERROR(host_.database->Insert(name(), round, *outcomes_));
  host_.AfterCommit([this, number = version.version, error = version.relative_error] {
    PointLatest(number);
    LogVotedDown(name(), number, *outcomes_);
    ShowClients(/*published_now=*/true);
    if (error) host_.metrics->SetPublishedError(name(), *error);
    if (sums_up_) host_.summer->Forget(name(), number);
    CAIRN_FAILPOINT("root.before_retain").IgnoreError();
    const absl::Status status = host_.store->Retain(name(), number + 1, {});
    if (!status.ok()) spdlog::warn("{}: after publishing version {}: {}", name(), number, status.ToString());
    if (host_.nodes != nullptr) host_.nodes->Remind(name());
    host_.metrics->RoundFinished(name(), "published");
  });
  Tell(Notice::Kind::kPublished, "", absl::StrCat("version ", version.version, VotedDown(*outcomes_)));
  return Apply(round::Published{version.version});
}

absl::Status Federation::AggregationFailed(const absl::Status& why) {
  spdlog::error("{}: round {}: aggregation failed: {}", name(), state_.round, StatusText(why));
  host_.metrics->RoundFinished(name(), "failed");
  Tell(Notice::Kind::kFailed, "", std::string(why.message().substr(0, kDetailBytesMax)));
  const bool held = state_.held;
  CAIRN_RETURN_IF_ERROR(TakeOverFetched());
  if (held && !state_.held) return absl::OkStatus();  // The next attempt, or what is asked for instead, has begun.
  CAIRN_ASSIGN_OR_RETURN(const bool lost, ForgetReported());
  if (lost) return absl::OkStatus();  // The next attempt is without them.
  std::vector<std::string> dropped;
  for (std::string& client : BlamedClients(why)) {
    CAIRN_ASSIGN_OR_RETURN(const auto receipt, host_.database->LoadReceipt(name(), state_.round, client));
    if (!receipt) continue;
    CAIRN_RETURN_IF_ERROR(Drop(*receipt, why));
    dropped.push_back(std::move(client));
  }
  if (!dropped.empty()) return Apply(round::Dropped{std::move(dropped)});
  return Apply(round::AggregationFailed{std::string(why.message().substr(0, kDetailBytesMax)), IsPermanent(why)});
}

// An acknowledged update that cannot be combined is given up, so that the others' are not.
absl::Status Federation::Drop(const ReceiptRow& receipt, const absl::Status& why, absl::string_view reason) {
  spdlog::error("{}: round {}: the update of {} is dropped after its receipt: {}", name(), receipt.round,
                receipt.client, StatusText(why));
  CAIRN_RETURN_IF_ERROR(host_.database->DeleteReceipt(name(), receipt.round, receipt.client));
  CAIRN_RETURN_IF_ERROR(host_.database->DeleteNodeUpdate(name(), receipt.round, receipt.client));
  RemoveUnneeded(receipt.client, receipt.sha256);
  host_.AfterCommit([this, reason = std::string(reason)] {
    host_.metrics->UpdateRejected(name(), reason);
    if (host_.nodes != nullptr) host_.nodes->Remind(name());
  });
  Tell(Notice::Kind::kRejected, receipt.client,
       absl::StrCat("dropped after its receipt: ", why.message().substr(0, kDetailBytesMax)));
  return absl::OkStatus();
}

void Federation::PointLatest(std::uint64_t version) {
  CAIRN_FAILPOINT("root.before_latest").IgnoreError();
  const absl::Status status = PointLatestAt(host_.data_dir, name(), version);
  if (!status.ok()) spdlog::warn("{}: pointing latest at version {}: {}", name(), version, status.ToString());
}

// In the metrics.
void Federation::ShowClients(bool published_now) {
  std::vector<ClientFigures> figures;
  for (const OutcomeRow& row : *outcomes_) {
    figures.push_back({row.client, row.weight, row.distance, row.cosine, !row.accepted});
  }
  host_.metrics->SetClients(name(), figures);
  for (const OutcomeRow& row : *outcomes_) {
    if (published_now && !row.accepted) host_.metrics->ClientDropped(name(), row.client);
  }
}

absl::Status Federation::Tick() { return Apply(round::Tick{}); }

// Half of what belongs together is none: when it could not be carried out, the transaction fails, and the federation is
// loaded again as it was before.
absl::Status Federation::Whole(absl::Status carried_out) {
  if (carried_out.ok()) return carried_out;
  host_.database->Refuse(
      absl::Status(carried_out.code(), absl::StrCat("federation \"", name(), "\": ", carried_out.message())));
  return carried_out;
}

absl::Status Federation::Apply(const round::Event& event) { return Whole(TryApply(event)); }

absl::Status Federation::TryApply(const round::Event& event) {
  const auto saved = [this] { return std::tuple(state_.phase, state_.round, state_.version, state_.deadline); };
  const auto before = saved();  // Not the whole state: that has all clients, and progress is told many times a second.
  round::Transition next = round::Step(std::move(state_), event, host_.clock->Now());
  state_ = std::move(next.state);
  ObserveState(std::get<round::Phase>(before));
  if (before != saved()) CAIRN_RETURN_IF_ERROR(Save());
  for (const round::Effect& effect : next.effects) CAIRN_RETURN_IF_ERROR(CarryOut(effect));
  return absl::OkStatus();
}

void Federation::ObserveState(round::Phase before) {
  host_.metrics->SetContributions(name(), state_.contributed(), options_.policy.clients_target);
  host_.metrics->SetRound(name(), state_.round, round::NameOf(state_.phase));
  if (before == state_.phase) return;
  const absl::Time now = host_.clock->Now();
  host_.metrics->ObservePhase(name(), round::NameOf(before), absl::ToDoubleSeconds(now - phase_since_));
  phase_since_ = now;
}

absl::Status Federation::CarryOut(const round::Effect& effect) {
  if (auto* opened = std::get_if<round::RoundOpened>(&effect)) {
    spdlog::info("{}: round {} open", name(), opened->round);
    CAIRN_RETURN_IF_ERROR(StartRehearsal());
    if (host_.places != nullptr) host_.AfterCommit([this] { host_.places->RoundOpened(name()); });
    Tell(Notice::Kind::kOpened);
  } else if (auto* reopened = std::get_if<round::RoundReopened>(&effect)) {
    spdlog::warn("{}: round {} open again: {} updates are left", name(), reopened->round, state_.contributed());
    CAIRN_RETURN_IF_ERROR(RehearseAgain());
    Tell(Notice::Kind::kOpened);
  } else if (std::get_if<round::RoundHeld>(&effect)) {
    const std::string why = round::WaitingFor(state_, host_.clock->Now());
    spdlog::warn("{}: round {} closed, but {}", name(), state_.round, why);
    Tell(Notice::Kind::kClosed, "", why);
  } else if (auto* lost = std::get_if<round::NodeGivenUp>(&effect)) {
    CAIRN_RETURN_IF_ERROR(GiveUp(*lost));
  } else if (auto* extended = std::get_if<round::RoundExtended>(&effect)) {
    spdlog::warn("{}: round {}: cannot close at the deadline, extended: {}", name(), state_.round,
                 round::WaitingFor(state_, host_.clock->Now()));
    Tell(Notice::Kind::kExtended, "", absl::StrCat("until ", absl::FormatTime(extended->until)));
  } else if (auto* closed = std::get_if<round::RoundClosed>(&effect)) {
    spdlog::info("{}: round {} closed with {} update{}", name(), closed->round, closed->contributors.size(),
                 closed->contributors.size() == 1 ? "" : "s");
    Tell(Notice::Kind::kClosed);
    return TryAggregate();
  } else {
    spdlog::info("{}: finished after {} rounds", name(), state_.round);
    if (host_.places != nullptr) host_.AfterCommit([this] { host_.places->Forget(name()); });
    Tell(Notice::Kind::kFinished);
  }
  return absl::OkStatus();
}

absl::Status Federation::TryAggregate() {
  const absl::Status started = Aggregate();
  // Not the fault of whoever closed the round: it is tried again.
  return started.ok() ? started : AggregationFailed(started);
}

absl::Status Federation::Aggregate() {
  PublishJob job{name(), options_.method, state_.round, spec_ ? spec_->base_model : "", {}, {}, host_.data_dir};
  if (sums_up_) job.summer = host_.summer;
  if (!sums_up_ && Shards(options_.method)) job.sharder = host_.sharder;
  CAIRN_ASSIGN_OR_RETURN(rehearsal_, Rehearsal::Begin(combine()));  // Nobody contributes before it is begun anew.
  CAIRN_ASSIGN_OR_RETURN(auto receipts, host_.database->LoadReceipts(name(), state_.round));
  job.updates = DigestOf(receipts);
  job.contributions.reserve(receipts.size());
  for (ReceiptRow& receipt : receipts) {
    auto blob = host_.store->Find(name(), NameOf(receipt));
    if (!blob.ok() && receipt.node.empty()) return blob.status();
    job.contributions.push_back({std::move(receipt), blob.ok() ? *std::move(blob) : nullptr});
  }
  CAIRN_RETURN_IF_ERROR(DescribeAtNodes(job));
  CAIRN_ASSIGN_OR_RETURN(auto previous, host_.database->LoadVersion(name(), state_.version));
  job.previous = std::move(previous);
  host_.AfterCommit([this, job = std::move(job)]() mutable { host_.StartPublishing(std::move(job)); });
  return absl::OkStatus();
}

absl::Status Federation::Save() {
  return host_.database->Save({name(), combine(), std::string(round::NameOf(state_.phase)), state_.round,
                               state_.version, ToMillis(state_.opened), ToMillis(state_.deadline)});
}

void Federation::Tell(Notice::Kind kind, std::string client, std::string detail) {
  // The snapshot is taken after the commit, so that it shows what the whole transaction led to: one for all its
  // notices.
  host_.AfterCommit([this, kind, client = std::move(client), detail = std::move(detail)] {
    if (std::exchange(told_in_, host_.transaction) != host_.transaction) told_ = snapshot();
    host_.Announce(Notice{kind, told_, client, detail, host_.clock->Now()});
  });
}

}  // namespace cairn
