#include "tests/faults/running_round.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/retry.h"

namespace cairn::faults {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(1);
constexpr absl::Duration kAskedAgainPoll = absl::Milliseconds(200);  // Between two looks whether the round is over.

}  // namespace

absl::Status Running::Run() {
  std::vector<std::thread> threads;
  left_ = static_cast<int>(plan_.clients);
  for (std::size_t client = 0; client < plan_.clients; ++client) {
    threads.emplace_back([this, client] {
      BeClient(client);
      --left_;
    });
  }
  for (const Fault& fault : plan_.faults) {
    if (MomentOf(fault.kind) == Moment::kLoris) threads.emplace_back([this, &fault] { BeLoris(fault); });
  }
  const absl::Status watched = Watch();
  over_ = true;
  for (std::thread& thread : threads) thread.join();
  CAIRN_RETURN_IF_ERROR(watched);
  return diary_.violation();
}

Acknowledged Running::acknowledged() const {
  Acknowledged acknowledged;
  for (const auto& [sent, generation] : acknowledged_) {
    // Without nodes, what was only in memory is gone with the server's process, and the client was asked again.
    const bool stays = all_.durable() || all_.deployment().has_nodes();
    if (stays || generation == all_.deployment().generation()) acknowledged.insert(sent);
  }
  return acknowledged;
}

absl::Status Running::TendOnce(ProcessFaults& processes) {
  CAIRN_RETURN_IF_ERROR(all_.deployment().Tend());
  if (absl::Now() - diary_.start() > kRoundTimeout) {
    return absl::DeadlineExceededError(published_ ? "a client does not end" : "the round does not end");
  }
  processes.Wake(false);
  absl::SleepFor(kPoll);
  return absl::OkStatus();
}

absl::Status Running::Watch() {
  ProcessFaults processes(all_.deployment(), plan_, round_, all_.durable(), all_.directory() / "clients.log", diary_);
  auto next = plan_.faults.begin();
  while (!all_.IsPublished(plan_.federation, round_)) {
    CAIRN_RETURN_IF_ERROR(diary_.violation());
    while (next != plan_.faults.end() && MomentOf(next->kind) != Moment::kDuring) ++next;
    if (next != plan_.faults.end() && absl::Now() - diary_.start() >= next->at) {
      CAIRN_RETURN_IF_ERROR(processes.Do(*next++));
    }
    CAIRN_RETURN_IF_ERROR(TendOnce(processes));
  }
  published_ = true;
  for (; next != plan_.faults.end(); ++next) {  // Between two rounds is a moment too.
    if (MomentOf(next->kind) == Moment::kDuring) CAIRN_RETURN_IF_ERROR(processes.Do(*next));
  }
  // Clients that try what is too late; a server may still die at a failpoint.
  while (left_ > 0) CAIRN_RETURN_IF_ERROR(TendOnce(processes));
  return absl::OkStatus();
}

std::size_t Running::GatewayOf(const Fault& fault) const { return (fault.draw >> 32) % all_.deployment().gateways(); }

Sender Running::SenderOf(const Fault& fault) const {
  const bool sent_whole = std::any_of(plan_.faults.begin(), plan_.faults.end(), [&](const Fault& other) {
    return other.client == fault.client &&
           (other.kind == Kind::kLostAcknowledgement || other.kind == Kind::kKillClient);
  });
  const std::size_t gateway = GatewayOf(fault);
  return {all_.OptionsOf(plan_.federation, SmallClient(fault.client), gateway),
          plan_.federation,
          fault.client,
          round_,
          all_.deployment().gateway(gateway).data_dir(),
          sent_whole};
}

void Running::EachOf(std::size_t client, Moment moment, const std::function<void(const Fault&)>& act) {
  for (const Fault& fault : plan_.faults) {
    if (fault.client != client || MomentOf(fault.kind) != moment) continue;
    diary_.Note(fault, SmallClient(client));
    act(fault);
  }
}

void Running::BeClient(std::size_t client) {
  absl::SleepFor(plan_.placements[client].late);
  EachOf(client, Moment::kClientBefore, [&](const Fault& fault) { diary_.Tell(DoBefore(SenderOf(fault), fault)); });
  std::vector<std::thread> twins;
  EachOf(client, Moment::kBeside, [&](const Fault& fault) { twins.emplace_back([this, &fault] { BeTwin(fault); }); });
  diary_.Tell(Contribute(client));
  while (!published_ && !over_) absl::SleepFor(kPoll);
  if (!over_) EachOf(client, Moment::kClientLate, [&](const Fault& fault) { diary_.Tell(DoAfter(client, fault)); });
  for (std::thread& twin : twins) twin.join();
  if (all_.deployment().has_nodes() && client == round_ % plan_.clients) diary_.Tell(PullPublished(client));
}

void Running::BeLoris(const Fault& fault) {
  diary_.Note(fault, "");
  Sender sender = SenderOf(fault);
  sender.options.client = "loris";
  BeSlow(sender, [this] { return published_ || over_; });
}

void Running::BeTwin(const Fault& fault) {
  const int variant = fault.kind == Kind::kOtherTwice ? 1 : 0;
  std::size_t gateway = plan_.placements[fault.client].gateway + 1;
  // Whatever becomes of it: the version tells whether that is right.
  Push(fault.client, variant, gateway).IgnoreError();
}

absl::Status Running::Contribute(std::size_t client) {
  std::size_t gateway = plan_.placements[client].gateway;
  while (!published_ && !over_) {
    const std::uint64_t generation = all_.deployment().generation();
    const absl::Status pushed = Push(client, 0, gateway);
    if (absl::IsFailedPrecondition(pushed) || (absl::IsAlreadyExists(pushed) && SendsOtherBytes(client))) {
      if (!MayBeAskedAgain()) return absl::OkStatus();  // Four others were faster, or the other bytes were.
      absl::SleepFor(kPoll);  // The others' may be lost with the server: then it is asked again.
      continue;
    }
    if (over_) return absl::OkStatus();
    CAIRN_RETURN_IF_ERROR(pushed);
    CAIRN_RETURN_IF_ERROR(DoAfterReceipt(client));
    if (!MayBeAskedAgain() || !AwaitAskedAgain(client, gateway, generation)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

bool Running::SendsOtherBytes(std::size_t client) const {
  return std::any_of(plan_.faults.begin(), plan_.faults.end(), [&](const Fault& fault) {
    return fault.client == client &&
           (fault.kind == Kind::kOtherTwice || (fault.kind == Kind::kOtherBytes && federation().loses_nodes()));
  });
}

bool Running::AwaitAskedAgain(std::size_t client, std::size_t& gateway, std::uint64_t generation) {
  while (!published_ && !over_) {
    if (!all_.deployment().has_nodes()) {
      if (all_.deployment().generation() != generation) return true;
    } else {
      const auto sdk = all_.ClientAt(plan_.federation, client, gateway);
      const auto round = sdk.ok() ? (*sdk)->AwaitRound(kAskedAgainPoll) : sdk.status();
      if (round.ok() && round->number == round_) return true;
      if (absl::IsUnavailable(round.status()) && plan_.placements[client].moves) ++gateway;
    }
    absl::SleepFor(kPoll);
  }
  return false;
}

absl::Status Running::Push(std::size_t client, int variant, std::size_t& gateway) {
  const auto update = SmallUpdate(plan_.federation, client, round_, variant);
  Round round;
  round.number = round_;
  while (true) {
    const std::uint64_t generation = all_.deployment().generation();
    const auto sdk = all_.ClientAt(plan_.federation, client, gateway);
    const absl::Status pushed =
        sdk.ok() ? (*sdk)->PushBytes(round, update.config_json, update.safetensors, ExamplesOf(client, round_)).status()
                 : sdk.status();
    if (pushed.ok()) {
      std::lock_guard lock(mutex_);
      acknowledged_[{client, variant}] = generation;
    }
    if (over_ || !sdk::IsRetryable(pushed.code())) return pushed;
    if (plan_.placements[client].moves) ++gateway;
  }
}

absl::Status Running::DoAfterReceipt(std::size_t client) {
  absl::Status done;
  EachOf(client, Moment::kClientAfter, [&](const Fault& fault) { done.Update(DoAfter(client, fault)); });
  return done;
}

absl::Status Running::DoAfter(std::size_t client, const Fault& fault) {
  if (fault.kind == Kind::kOtherBytes && !all_.durable()) return absl::OkStatus();
  const int variant = fault.kind == Kind::kOtherBytes ? 1 : 0;
  bool known;
  {
    std::lock_guard lock(mutex_);
    known = acknowledged_.count({client, 0}) > 0 && !MayBeAskedAgain();
  }
  std::size_t gateway = GatewayOf(fault);
  const absl::Status pushed = Push(client, variant, gateway);
  if (!known || over_) return absl::OkStatus();
  if (variant == 1 && pushed.ok()) return absl::InternalError("other bytes of the same client were acknowledged");
  return variant == 0 ? pushed : absl::OkStatus();
}

absl::Status Running::PullPublished(std::size_t client) {
  const fs::path directory = all_.directory() / "pulled";
  for (std::size_t gateway = round_; !over_; ++gateway) {
    const auto sdk = all_.ClientAt(plan_.federation, client, gateway);
    const absl::Status pulled = sdk.ok() ? (*sdk)->Pull(round_, Form::kAdapter, directory).status() : sdk.status();
    if (sdk::IsRetryable(pulled.code())) continue;
    CAIRN_RETURN_IF_ERROR(pulled);
    CAIRN_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(directory / kAdapterModelFile, limits::kGiB));
    pulled_sha256_ = Sha256Hex(bytes);
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace cairn::faults
