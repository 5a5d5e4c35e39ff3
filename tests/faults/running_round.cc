#include "tests/faults/running_round.h"

#include <algorithm>
#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "tests/faults/strangers.h"

namespace cairn::faults {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(1);
constexpr absl::Duration kStopped = absl::Milliseconds(700);  // Longer than the lease of SmallConfig.
constexpr absl::Duration kMemoryHeld = absl::Seconds(2);
constexpr std::uint64_t kMemoryLeft = std::uint64_t{2} << 20;

template <typename Set>
auto Pick(const Set& set, std::uint64_t draw) {
  return *std::next(set.begin(), static_cast<std::ptrdiff_t>(draw % set.size()));
}

}  // namespace

absl::Status Running::Run() {
  std::vector<std::thread> threads;
  for (std::size_t client = 0; client < plan_.clients; ++client) {
    threads.emplace_back([this, client] { BeClient(client); });
  }
  for (const Fault& fault : plan_.faults) {
    if (MomentOf(fault.kind) == Moment::kLoris) threads.emplace_back([this, &fault] { BeLoris(fault); });
  }
  const absl::Status watched = Watch(threads);
  over_ = true;
  for (std::thread& thread : threads) thread.join();
  Wake(true);
  CAIRN_RETURN_IF_ERROR(watched);
  std::lock_guard lock(mutex_);
  return violation_;
}

std::set<std::string> Running::Acknowledged() const {
  std::set<std::string> acknowledged;
  for (const auto& [client, generation] : acknowledged_) {
    // What was only in memory is gone with the server's process, and the client was asked again.
    if (all_.durable_ || generation == all_.server_.generation()) acknowledged.insert(SmallClient(client));
  }
  return acknowledged;
}

absl::Status Running::Watch(std::vector<std::thread>& threads) {
  auto next = plan_.faults.begin();
  while (!all_.IsPublished(plan_.federation, round_)) {
    CAIRN_RETURN_IF_ERROR(all_.server_.Tend());
    if (absl::Now() - start_ > kRoundTimeout) return absl::DeadlineExceededError("the round does not end");
    {
      std::lock_guard lock(mutex_);
      CAIRN_RETURN_IF_ERROR(violation_);
    }
    while (next != plan_.faults.end() && MomentOf(next->kind) != Moment::kDuring) ++next;
    if (next != plan_.faults.end() && absl::Now() - start_ >= next->at) CAIRN_RETURN_IF_ERROR(Do(*next++, threads));
    Wake(false);
    absl::SleepFor(kPoll);
  }
  published_ = true;
  for (; next != plan_.faults.end(); ++next) {  // Between two rounds is a moment too.
    if (MomentOf(next->kind) == Moment::kDuring) CAIRN_RETURN_IF_ERROR(Do(*next, threads));
  }
  while (left_ > 0) {  // Clients that try what is too late; the server may still die at a failpoint.
    CAIRN_RETURN_IF_ERROR(all_.server_.Tend());
    if (absl::Now() - start_ > kRoundTimeout) return absl::DeadlineExceededError("a client does not end");
    Wake(false);
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::Status Running::Do(const Fault& fault, std::vector<std::thread>& threads) {
  const std::set<pid_t> workers = all_.server_.Workers();
  switch (fault.kind) {
    case Kind::kKillWorker:
      if (workers.empty()) return Skip(fault, "there is none");
      Note(fault, "one");
      ::kill(Pick(workers, fault.draw), SIGKILL);
      return absl::OkStatus();
    case Kind::kKillAllWorkers:
      if (workers.empty()) return Skip(fault, "there is none");
      Note(fault, absl::StrCat(workers.size()));
      for (const pid_t worker : workers) ::kill(worker, SIGKILL);
      return absl::OkStatus();
    case Kind::kStopWorker:
      if (workers.empty()) return Skip(fault, "there is none");
      Note(fault, "past its lease");
      Stop(fault.draw % 3 == 0 ? workers : std::set<pid_t>{Pick(workers, fault.draw)});
      return absl::OkStatus();
    case Kind::kKillServer:
      Note(fault, "");
      return all_.server_.KillAndLaunch();
    case Kind::kTerminateServer:
      Note(fault, "");
      Wake(true);  // Nobody would else while this waits.
      return all_.server_.TerminateAndLaunch();
    default:
      threads.emplace_back([this, &fault] { Tell(BeStranger(fault)); });
      Note(fault, "");
      return absl::OkStatus();
  }
}

absl::Status Running::BeStranger(const Fault& fault) {
  const fs::path node = all_.server_.node_dir();
  if (fault.kind == Kind::kForgedKey) return AskForForgedKeys(node, fault.draw);
  if (fault.kind == Kind::kStrangeWorker) return OfferStrangeWorker(node);
  if (fault.kind == Kind::kMemoryFull) return TakeMemory(node, SharedBytes(all_.durable_) - kMemoryLeft, kMemoryHeld);
  return BeKilled(fault);
}

absl::Status Running::BeKilled(const Fault& fault) {
  CAIRN_ASSIGN_OR_RETURN(
      testing::Child child,
      testing::Child::Spawn({testing::BuiltProgram("faults_client"), "push", all_.server_.address(),
                             absl::StrCat(plan_.federation), absl::StrCat(fault.client), absl::StrCat(round_)},
                            all_.directory_ / "clients.log"));
  absl::SleepFor(absl::Milliseconds(fault.draw % 300));
  child.Kill();
  return absl::OkStatus();
}

void Running::Stop(const std::set<pid_t>& workers) {
  for (const pid_t worker : workers) ::kill(worker, SIGSTOP);
  std::lock_guard lock(mutex_);
  for (const pid_t worker : workers) stopped_.push_back({worker, absl::Now() + kStopped});
}

void Running::Wake(bool all) {
  std::lock_guard lock(mutex_);
  std::erase_if(stopped_, [&](const std::pair<pid_t, absl::Time>& entry) {
    const bool due = all || absl::Now() >= entry.second;
    if (due) ::kill(entry.first, SIGCONT);
    return due;
  });
}

Sender Running::SenderOf(std::size_t client) const {
  const bool sent_whole = std::any_of(plan_.faults.begin(), plan_.faults.end(), [client](const Fault& fault) {
    return fault.client == client && (fault.kind == Kind::kLostAcknowledgement || fault.kind == Kind::kKillClient);
  });
  return {all_.OptionsOf(plan_.federation, SmallClient(client)),
          plan_.federation,
          client,
          round_,
          all_.server_.data_dir(),
          sent_whole};
}

void Running::BeClient(std::size_t client) {
  ++left_;
  for (const Fault& fault : plan_.faults) {
    if (fault.client != client || MomentOf(fault.kind) != Moment::kClientBefore) continue;
    Note(fault, SmallClient(client));
    Tell(DoBefore(SenderOf(client), fault));
  }
  Tell(Contribute(client));
  while (!published_ && !over_) absl::SleepFor(kPoll);
  for (const Fault& fault : plan_.faults) {
    if (over_ || fault.client != client || fault.kind != Kind::kLate) continue;
    Note(fault, SmallClient(client));
    Tell(DoAfter(client, fault));
  }
  --left_;
}

void Running::BeLoris(const Fault& fault) {
  Note(fault, "");
  Sender sender = SenderOf(fault.client);
  sender.options.client = "loris";
  BeSlow(sender, [this] { return published_ || over_; });
}

absl::Status Running::Contribute(std::size_t client) {
  const auto update = SmallUpdate(plan_.federation, client, round_);
  while (!published_ && !over_) {
    const std::uint64_t generation = all_.server_.generation();
    const absl::Status pushed = Push(client, update);
    if (absl::IsFailedPrecondition(pushed)) {
      if (all_.durable_) return absl::OkStatus();  // Four others were faster.
      absl::SleepFor(kPoll);                       // The others' may be lost with the server: then it is asked again.
      continue;
    }
    CAIRN_RETURN_IF_ERROR(pushed);
    {
      std::lock_guard lock(mutex_);
      acknowledged_[client] = generation;
    }
    CAIRN_RETURN_IF_ERROR(DoAfterReceipt(client));
    if (all_.durable_) return absl::OkStatus();
    while (!published_ && !over_ && all_.server_.generation() == generation) absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::Status Running::Push(std::size_t client, const testing::UpdateBytes& update) {
  Round round;
  round.number = round_;
  return all_.clients_[plan_.federation][client]
      ->PushBytes(round, update.config_json, update.safetensors, ExamplesOf(client, round_))
      .status();
}

absl::Status Running::DoAfterReceipt(std::size_t client) {
  for (const Fault& fault : plan_.faults) {
    if (fault.client != client || (fault.kind != Kind::kDuplicate && fault.kind != Kind::kOtherBytes)) continue;
    Note(fault, SmallClient(client));
    CAIRN_RETURN_IF_ERROR(DoAfter(client, fault));
  }
  return absl::OkStatus();
}

absl::Status Running::DoAfter(std::size_t client, const Fault& fault) {
  if (fault.kind == Kind::kOtherBytes && !all_.durable_) return absl::OkStatus();
  const int variant = fault.kind == Kind::kOtherBytes ? 1 : 0;
  const absl::Status pushed = Push(client, SmallUpdate(plan_.federation, client, round_, variant));
  if (variant == 1 && pushed.ok()) return absl::InternalError("other bytes of the same client were acknowledged");
  bool acknowledged;
  {
    std::lock_guard lock(mutex_);
    acknowledged = acknowledged_.count(client) > 0;
  }
  const bool known = acknowledged && all_.durable_;
  if (variant == 0 && known && !pushed.ok()) return pushed;
  return absl::OkStatus();
}

void Running::Note(const Fault& fault, const std::string& whom) {
  std::lock_guard lock(mutex_);
  ++all_.totals_[NameOf(fault.kind)];
  result_.done.push_back(absl::StrFormat("%s%s%s @%d ms", NameOf(fault.kind), whom.empty() ? "" : " ", whom,
                                         absl::ToInt64Milliseconds(absl::Now() - start_)));
}

absl::Status Running::Skip(const Fault& fault, const std::string& why) {
  result_.done.push_back(absl::StrCat(NameOf(fault.kind), " skipped: ", why));
  return absl::OkStatus();
}

void Running::Tell(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  violation_.Update(status);
}

}  // namespace cairn::faults
