#include "tests/faults/process_faults.h"

#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "tests/faults/strangers.h"
#include "tests/faults/world.h"

namespace cairn::faults {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kStopped = absl::Milliseconds(700);  // Longer than the lease of ProcessConfig ...
constexpr absl::Duration kHung = absl::Seconds(25);           // ... and than what finds that a machine is dead.
constexpr absl::Duration kMemoryHeld = absl::Seconds(2);
constexpr std::uint64_t kMemoryLeft = std::uint64_t{2} << 20;

template <typename Set>
auto Pick(const Set& set, std::uint64_t draw) {
  return *std::next(set.begin(), static_cast<std::ptrdiff_t>(draw % set.size()));
}

std::string DownText(const Fault& fault) {
  return fault.down == absl::ZeroDuration() ? "" : absl::StrCat("for ", absl::FormatDuration(fault.down));
}

}  // namespace

ProcessFaults::~ProcessFaults() {
  Wake(true);  // Strangers may wait for one of them.
  for (std::thread& stranger : strangers_) stranger.join();
}

absl::Status ProcessFaults::Do(const Fault& fault) {
  FaultyServer& server = deployment_.server(fault.process);
  switch (fault.kind) {
    case Kind::kKillWorker:
    case Kind::kKillAllWorkers:
    case Kind::kStopWorker:
      return DoToWorkers(fault, server);
    case Kind::kKillServer:
    case Kind::kTerminateServer:
    case Kind::kStopServer:
    case Kind::kHangServer:
    case Kind::kKillAll:
      return DoToServer(fault, server);
    default:
      diary_.Note(fault, fault.kind == Kind::kKillClient ? SmallClient(fault.client) : server.Label(""));
      strangers_.emplace_back(
          [this, &fault, node_dir = server.node_dir()] { diary_.Tell(BeStranger(fault, node_dir)); });
      return absl::OkStatus();
  }
}

absl::Status ProcessFaults::DoToWorkers(const Fault& fault, FaultyServer& server) {
  const std::set<pid_t> workers = server.Workers();
  if (workers.empty()) {
    diary_.Skip(fault, server.Label("has none"));
  } else if (fault.kind == Kind::kKillWorker) {
    diary_.Note(fault, server.Label("one"));
    ::kill(Pick(workers, fault.draw), SIGKILL);
  } else if (fault.kind == Kind::kKillAllWorkers) {
    diary_.Note(fault, server.Label(absl::StrCat(workers.size())));
    for (const pid_t worker : workers) ::kill(worker, SIGKILL);
  } else {
    diary_.Note(fault, server.Label("past its lease"));
    Stop(fault.draw % 3 == 0 ? workers : std::set<pid_t>{Pick(workers, fault.draw)}, kStopped);
  }
  return absl::OkStatus();
}

absl::Status ProcessFaults::DoToServer(const Fault& fault, FaultyServer& server) {
  if (fault.kind == Kind::kKillServer) {
    diary_.Note(fault, server.Label(DownText(fault)));
    server.Kill(fault.down);
  } else if (fault.kind == Kind::kKillAll) {
    diary_.Note(fault, DownText(fault));
    for (std::size_t i = 0; i < deployment_.size(); ++i) deployment_.server(i).Kill(fault.down);
  } else if (fault.kind == Kind::kTerminateServer) {
    diary_.Note(fault, server.Label(DownText(fault)));
    Wake(true);  // Nobody would else while this waits.
    return server.Terminate(fault.down);
  } else if (server.pid() <= 0) {
    diary_.Skip(fault, server.Label("is down"));
  } else {
    diary_.Note(fault, server.Label(""));
    Stop({server.pid()}, fault.kind == Kind::kHangServer ? kHung : kStopped);
  }
  return absl::OkStatus();
}

absl::Status ProcessFaults::BeStranger(const Fault& fault, const fs::path& node_dir) {
  if (fault.kind == Kind::kForgedKey) return AskForForgedKeys(node_dir, fault.draw);
  if (fault.kind == Kind::kStrangeWorker) return OfferStrangeWorker(node_dir);
  if (fault.kind == Kind::kMemoryFull) return TakeMemory(node_dir, SharedBytes(durable_) - kMemoryLeft, kMemoryHeld);
  return BeKilled(fault);
}

absl::Status ProcessFaults::BeKilled(const Fault& fault) {
  const std::size_t gateway = plan_.placements[fault.client].gateway % deployment_.gateways();
  const std::string address = deployment_.gateway(gateway).address();
  CAIRN_ASSIGN_OR_RETURN(testing::Child child, testing::Child::Spawn({testing::BuiltProgram("faults_client"), "push",
                                                                      address, absl::StrCat(plan_.federation),
                                                                      absl::StrCat(fault.client), absl::StrCat(round_)},
                                                                     log_));
  absl::SleepFor(absl::Milliseconds(fault.draw % 300));
  child.Kill();
  return absl::OkStatus();
}

void ProcessFaults::Stop(const std::set<pid_t>& processes, absl::Duration time) {
  for (const pid_t process : processes) {
    ::kill(process, SIGSTOP);
    stopped_.push_back({process, absl::Now() + time});
  }
}

void ProcessFaults::Wake(bool all) {
  std::erase_if(stopped_, [&](const std::pair<pid_t, absl::Time>& entry) {
    const bool due = all || absl::Now() >= entry.second;
    if (due) ::kill(entry.first, SIGCONT);
    return due;
  });
}

}  // namespace cairn::faults
