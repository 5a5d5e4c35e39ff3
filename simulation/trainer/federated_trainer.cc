#include "simulation/trainer/federated_trainer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"

namespace cairn {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kAccompliceTimeout = absl::Minutes(10);  // They train as long as this client does.
constexpr absl::Duration kRefusedPause = absl::Milliseconds(200);

}  // namespace

FederatedTrainer::FederatedTrainer(FederatedDirectories directories, LocalClient local, Weights base,
                                   std::unique_ptr<Client> client, std::unique_ptr<Attacker> attacker)
    : directories_(std::move(directories)),
      local_(std::move(local)),
      base_(std::move(base)),
      master_(base_.Clone()),
      client_(std::move(client)),
      attacker_(std::move(attacker)) {
  if (attacker_ != nullptr) local_.options.flip_labels = attacker_->flips_labels();
}

absl::Status FederatedTrainer::Run() {
  std::uint64_t last = 0;
  while (true) {
    events_.Phase(last, "waiting");
    const absl::StatusOr<Round> round = NextRound();
    if (absl::IsOutOfRange(round.status())) break;
    if (!round.ok()) return round.status();
    CAIRN_RETURN_IF_ERROR(TakePart(*round));
    last = round->number;
  }
  CAIRN_RETURN_IF_ERROR(Finish(last));
  return client_->Leave();
}

// A round that refused this client stays open to it; the same would be refused again.
absl::StatusOr<Round> FederatedTrainer::NextRound() {
  while (true) {
    CAIRN_ASSIGN_OR_RETURN(Round round, client_->AwaitRound());
    if (round.number != refused_) return round;
    absl::SleepFor(kRefusedPause);
  }
}

absl::Status FederatedTrainer::TakePart(const Round& round) {
  CAIRN_ASSIGN_OR_RETURN(const Start start, Begin(round));
  CAIRN_RETURN_IF_ERROR(Measure(start, round.version, round.number));
  events_.Phase(round.number, "training");
  CAIRN_ASSIGN_OR_RETURN(const Lora update, Train(round, start));
  CAIRN_ASSIGN_OR_RETURN(const Lora sent, Forge(round, start, update));
  CAIRN_ASSIGN_OR_RETURN(const bool counted, Upload(round, sent));
  // A round that closed without this client says nothing about its rank.
  if (counted && round.start == StartMode::kWarm) Prune(local_, base_.config, start.published(), update);
  return absl::OkStatus();
}

// A client that was killed and started again has merged nothing: it gets the checkpoint and, but for the rounding of
// float32, the same weights. So does one whose server has begun anew.
absl::StatusOr<FederatedTrainer::Start> FederatedTrainer::Begin(const Round& round) {
  events_.Phase(round.number, "pulling");
  const fs::path directory = directories_.work / "published";
  CAIRN_ASSIGN_OR_RETURN(const std::optional<Form> form, client_->PullStart(round, merged_, directory, TellPull()));
  if (form == Form::kBase) BackToBase();
  if (!form || form == Form::kBase) return Start{round.start == StartMode::kWarm ? &base_ : &master_, std::nullopt};
  CAIRN_ASSIGN_OR_RETURN(Lora pulled, ReadAdapter(directory));
  if (attacker_ != nullptr) pulled_ = pulled;
  return BeginWith(round, *form, std::move(pulled));
}

absl::StatusOr<FederatedTrainer::Start> FederatedTrainer::BeginWith(const Round& round, Form form, Lora pulled) {
  if (round.start == StartMode::kWarm) return Start{&base_, std::move(pulled)};
  if (form == Form::kAdapter) BackToBase();
  const std::int64_t trained = round.start == StartMode::kResidual ? local_.rank : 0;
  CAIRN_RETURN_IF_ERROR(MergeInto(BehindRank(pulled, trained), master_));
  merged_ = round.version_sha256;
  if (round.start == StartMode::kMerge) return Start{&master_, std::nullopt};
  // Modules that nobody trained are not in a delta: they go on as they were.
  if (begun_) pulled = Completed(std::move(pulled), *begun_);
  begun_ = pulled;
  return Start{&master_, std::move(pulled)};
}

void FederatedTrainer::BackToBase() {
  master_ = base_.Clone();
  merged_.clear();
  begun_.reset();
}

absl::StatusOr<Lora> FederatedTrainer::Train(const Round& round, const Start& start) {
  const auto on_step = [&](int step, double loss) {
    events_.Step(round.number, step, local_.options.steps, loss);
    return absl::OkStatus();
  };
  if (round.start == StartMode::kMerge) return TrainFresh(local_, *start.weights, round.number, on_step);
  return TrainWarm(local_, *start.weights, start.published(), round.number, on_step);
}

// What an honest client sends is what it trained.
absl::StatusOr<Lora> FederatedTrainer::Forge(const Round& round, const Start& start, const Lora& update) {
  if (attacker_ == nullptr) return update;
  events_.Phase(round.number, "forging");
  std::optional<Lora> began;
  if (start.adapter) began = WarmStart(local_, base_.config, start.published());
  return attacker_->Forge({.number = round.number,
                           .own = &update,
                           .start = began ? &*began : nullptr,
                           .last = pulled_ ? &*pulled_ : nullptr},
                          kAccompliceTimeout);
}

// Whether it counts. FAILED_PRECONDITION means that the round closed without this client, which then takes part in the
// next one.
absl::StatusOr<bool> FederatedTrainer::Upload(const Round& round, const Lora& update) {
  events_.Phase(round.number, "pushing");
  CAIRN_ASSIGN_OR_RETURN(const AdapterBytes adapter, ToAdapter(update, base_.base_model));
  const std::uint64_t examples = std::max<std::uint64_t>(1, local_.train_text.size() / base_.config.context);
  const auto receipt =
      client_->PushBytes(round, adapter.config_json, adapter.safetensors, examples,
                         [this](std::uint64_t done, std::uint64_t total) { events_.Transfer("push", done, total); });
  if (absl::IsFailedPrecondition(receipt.status())) return false;
  if (attacker_ != nullptr && absl::IsInvalidArgument(receipt.status())) return Refused(round, receipt.status());
  CAIRN_RETURN_IF_ERROR(receipt.status());
  return true;
}

// Rounds do not wait for attacks that no server takes. They wait for all others, which would be for ever.
absl::StatusOr<bool> FederatedTrainer::Refused(const Round& round, const absl::Status& refusal) {
  if (!attacker_->is_refused()) {
    return absl::Status(refusal.code(), absl::StrCat("the server refused what attack ", attacker_->attack(),
                                                     " makes in round ", round.number, ": ", refusal.message()));
  }
  refused_ = round.number;
  return false;
}

ProgressCallback FederatedTrainer::TellPull() {
  return [this](std::uint64_t done, std::uint64_t total) { events_.Transfer("pull", done, total); };
}

// The published model: all of the adapter counts, also what this client's rank cannot hold. In residual rounds the
// units behind its rank are merged already.
absl::Status FederatedTrainer::Measure(const Start& start, std::uint64_t version, std::uint64_t round) {
  events_.Phase(round, "evaluating");
  std::optional<Lora> own;
  if (start.adapter) {
    own = start.weights == &base_ ? *start.adapter : WarmStart(local_, base_.config, start.published());
  }
  CAIRN_ASSIGN_OR_RETURN(const Weights weights, Published(*start.weights, own ? &*own : nullptr));
  CAIRN_ASSIGN_OR_RETURN(const double loss, HeldOutLoss(weights, nullptr, local_.held_out_text));
  events_.HeldOut(version, loss);
  return absl::OkStatus();
}

absl::Status FederatedTrainer::Finish(std::uint64_t round) {
  const fs::path directory =
      directories_.adapter_out.empty() ? directories_.work / "published" : directories_.adapter_out;
  events_.Phase(round, "pulling");
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t version, client_->Pull(0, Form::kAdapter, directory, TellPull()));
  CAIRN_ASSIGN_OR_RETURN(Lora last, ReadAdapter(directory));
  CAIRN_RETURN_IF_ERROR(Measure({&base_, std::move(last)}, version, round));
  events_.Done();
  return absl::OkStatus();
}

}  // namespace cairn
