#include "tests/faults/federation_run.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "tests/faults/scenario.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kRunTimeout = absl::Seconds(120);
constexpr absl::Duration kPollInterval = absl::Milliseconds(1);

std::string ServerConfig(const Scenario& scenario) {
  return absl::StrCat("federations:\n  - {name: ", kFederation, ", combine: ", scenario.combine, ", rule: '",
                      scenario.rule, "', relative_to_published: ", scenario.relative ? "true" : "false",
                      ", rounds: ", kRounds, ", clients: {min: ", kRanks.size(), "}}\n");
}

bool HasFile(const fs::path& directory, const std::string& suffix) {
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, missing)) {
    if (absl::EndsWith(entry.path().string(), suffix)) return true;
  }
  return false;
}

}  // namespace

std::vector<Kill> RandomKills(std::uint64_t seed, int count, absl::Duration duration) {
  std::mt19937_64 random(seed);
  std::vector<Kill> kills(count);
  for (Kill& kill : kills) {
    kill.at = duration * (static_cast<double>(random() >> 11) * 0x1p-53);
    kill.victim = random() % 2 == 0 ? Kill::kServer : static_cast<int>(random() % kRanks.size());
  }
  std::sort(kills.begin(), kills.end(), [](const Kill& a, const Kill& b) { return a.at < b.at; });
  return kills;
}

FederationRun::FederationRun(fs::path directory, const Scenario& scenario)
    : directory_(std::move(directory)), scenario_(scenario), server_(directory_, ServerConfig(scenario)) {}

absl::Status FederationRun::Launch(std::size_t client) {
  CAIRN_ASSIGN_OR_RETURN(testing::Child child,
                         testing::Child::Spawn({testing::BuiltProgram("faults_client"), server_.address(),
                                                absl::StrCat(client), absl::StrCat(RankOf(scenario_.combine, client)),
                                                (directory_ / ClientName(client)).string()},
                                               directory_ / "clients.log"));
  if (client < clients_.size()) {
    clients_[client] = std::move(child);
  } else {
    clients_.push_back(std::move(child));
  }
  return absl::OkStatus();
}

absl::Status FederationRun::Run(const std::vector<Kill>& kills) {
  CAIRN_RETURN_IF_ERROR(server_.Start());  // The undisturbed run's duration is that of its rounds.
  const absl::Time start = absl::Now();
  for (std::size_t i = 0; i < kRanks.size(); ++i) CAIRN_RETURN_IF_ERROR(Launch(i));
  auto next = kills.begin();
  while (true) {
    CAIRN_ASSIGN_OR_RETURN(const bool finished, Poll());
    if (finished) break;
    if (absl::Now() - start > kRunTimeout) return absl::DeadlineExceededError("the federation does not finish");
    if (next != kills.end() && absl::Now() - start >= next->at) {
      CAIRN_RETURN_IF_ERROR(Do(*next++));
    } else {
      absl::SleepFor(kPollInterval);
    }
  }
  duration_ = absl::Now() - start;
  CAIRN_RETURN_IF_ERROR(StopServer());
  return CheckNothingLeft();
}

absl::Status FederationRun::Do(const Kill& kill) {
  if (kill.victim == Kill::kServer) return KillServer();
  testing::Child& client = clients_[kill.victim];
  if (client.ExitCode()) return absl::OkStatus();  // It has finished.
  client.Kill();
  ++client_kills_;
  return Launch(kill.victim);
}

absl::Status FederationRun::KillServer() {
  server_.Kill();
  ++server_kills_;
  kills_in_uploads_ += HasFile(data_dir() / "uploads", ".part");
  kills_in_publishing_ += HasFile(data_dir() / "adapters" / kFederation, "writing.safetensors") ||
                          HasFile(data_dir() / "published" / kFederation, ".writing");
  return server_.Launch();
}

absl::StatusOr<bool> FederationRun::Poll() {
  if (server_.child().ExitCode()) {
    return absl::InternalError(absl::StrCat("the server ended by itself with ", *server_.child().ExitCode()));
  }
  bool finished = true;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const std::optional<int> code = clients_[i].ExitCode();
    if (code && *code != 0) return absl::InternalError(absl::StrCat(ClientName(i), " ended with ", *code));
    finished = finished && code.has_value();
  }
  return finished;
}

absl::Status FederationRun::StopServer() {
  CAIRN_RETURN_IF_ERROR(server_.AwaitReady());  // It may have been started again a moment ago.
  CAIRN_ASSIGN_OR_RETURN(const int code, server_.Terminate());
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("SIGTERM: expected the server to exit with 0, got ", code));
}

// Every process of this run has the directory in its arguments.
absl::Status FederationRun::CheckNothingLeft() const {
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const auto command = ReadFile(entry.path() / "cmdline", limits::kMiB);
    if (command.ok() && absl::StrContains(*command, directory_.string() + "/")) {
      return absl::InternalError(absl::StrCat("process ", pid, " is left over: ", *command));
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn::faults
