#include "simulation/runner.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/status_macros.h"
#include "simulation/base_cache.h"
#include "simulation/report.h"
#include "simulation/server_process.h"
#include "simulation/terminal_view.h"
#include "simulation/workspace.h"

namespace cairn {
namespace {

std::vector<std::string> FederatedMethods(const Experiment& experiment) {
  std::vector<std::string> methods;
  std::copy_if(experiment.methods.begin(), experiment.methods.end(), std::back_inserter(methods),
               [](const std::string& method) { return method != kAlone; });
  return methods;
}

// The method whose adapter is kept.
std::string KeptMethod(const Experiment& experiment) {
  const std::vector<std::string> methods = FederatedMethods(experiment);
  if (std::find(methods.begin(), methods.end(), "stack") != methods.end()) return "stack";
  return methods.empty() ? "" : methods.back();
}

class Runner {
 public:
  Runner(const Experiment& experiment, Workspace workspace) : workspace_(std::move(workspace)) {
    results_.experiment = experiment;
    for (const ClientSplit& split : workspace_.splits) {
      results_.data.push_back({split.pretrain.size(), split.train.size(), split.held_out.size(), split.dropped_bytes});
    }
  }

  absl::StatusOr<Results> Run() {
    const absl::Time started = absl::Now();
    CAIRN_ASSIGN_OR_RETURN(results_.base_from_cache, ProvideBase(experiment(), workspace_));
    if (results_.base_from_cache) std::printf("base model: from the cache\n");
    CAIRN_RETURN_IF_ERROR(StartServerIfNeeded());
    for (const std::string& method : experiment().methods) CAIRN_RETURN_IF_ERROR(RunMethod(method));
    if (server_) server_->process.Terminate();
    results_.seconds = absl::ToDoubleSeconds(absl::Now() - started);
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(workspace_.out / "results.json", ResultsJson(results_)));
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(workspace_.out / "report.html", ReportHtml(results_)));
    return std::move(results_);
  }

 private:
  const Experiment& experiment() const { return results_.experiment; }

  absl::Status StartServerIfNeeded() {
    const std::vector<std::string> methods = FederatedMethods(experiment());
    if (methods.empty()) return absl::OkStatus();
    CAIRN_ASSIGN_OR_RETURN(RunningServer server,
                           StartServer({.executable = workspace_.cairn,
                                        .directory = workspace_.out / "server",
                                        .log = workspace_.log("server"),
                                        .methods = methods,
                                        .rule = experiment().rule,
                                        .guards = experiment().guards,
                                        .rule_modules = experiment().rule_modules,
                                        .relative_to_published = experiment().relative_to_published,
                                        .rounds = experiment().rounds,
                                        .clients = static_cast<std::uint32_t>(ContributorsOf(experiment()))}));
    std::printf("server: cairn serve on %s\n", server.endpoint.c_str());
    server_.emplace(std::move(server));
    return absl::OkStatus();
  }

  absl::Status RunMethod(const std::string& method) {
    const absl::Time started = absl::Now();
    std::vector<TrainerTask> tasks;
    for (const ExperimentClient& client : experiment().clients) tasks.push_back(TaskOf(method, client));
    TerminalView view(MethodTitle(method), experiment().rounds);
    ChildProcess* server = method == kAlone ? nullptr : &server_->process;
    CAIRN_ASSIGN_OR_RETURN(std::vector<TrainerState> states, RunTrainers(tasks, server, view));
    results_.methods.push_back({method, absl::ToDoubleSeconds(absl::Now() - started), std::move(states)});
    return absl::OkStatus();
  }

  TrainerTask TaskOf(const std::string& method, const ExperimentClient& client) const {
    std::vector<std::string> arguments = {workspace_.trainer.string()};
    const auto add = [&](std::initializer_list<std::string> more) { arguments.insert(arguments.end(), more); };
    if (method == kAlone) {
      add({"alone", "--rounds", absl::StrCat(experiment().rounds)});
    } else {
      add({"client", "--server", server_->endpoint, "--federation", FederationOf(method), "--work",
           (workspace_.out / "work" / FederationOf(method) / client.name).string()});
      if (FreezesA(method)) add({"--freeze-a"});
      if (experiment().training.prune > 0) add({"--prune", absl::StrCat(experiment().training.prune)});
      const bool keeps = method == KeptMethod(experiment()) && client.name == experiment().clients.front().name;
      if (keeps) add({"--adapter-out", workspace_.adapter().string()});
      if (!client.attack.empty()) {
        const std::vector<std::string> flags = AttackFlags(method, client);
        arguments.insert(arguments.end(), flags.begin(), flags.end());
      }
    }
    const ExperimentTraining& training = experiment().training;
    add({"--base",          workspace_.base().string(),
         "--train",         workspace_.train_text(client.name).string(),
         "--held-out",      workspace_.held_out_text(client.name).string(),
         "--client",        client.name,
         "--rank",          absl::StrCat(client.rank),
         "--alpha",         absl::StrCat(client.alpha),
         "--seed",          absl::StrCat(experiment().seed),
         "--steps",         absl::StrCat(training.steps),
         "--batch",         absl::StrCat(training.batch),
         "--learning-rate", absl::StrCat(training.learning_rate)});
    return {client.name,
            {std::move(arguments),
             {{"OPENBLAS_NUM_THREADS", "1"}},
             workspace_.log(absl::StrCat(FederationOf(method), "-", client.name))}};
  }

  std::vector<std::string> AttackFlags(const std::string& method, const ExperimentClient& client) const {
    const Accomplice accomplice = AccompliceOf(experiment(), client);
    const std::string directory = absl::StrCat("accomplices-", accomplice.attack);
    return {"--attack",      client.attack,
            "--accomplices", (workspace_.out / "work" / FederationOf(method) / directory).string(),
            "--clients",     absl::StrCat(experiment().clients.size()),
            "--attackers",   absl::StrCat(accomplice.of),
            "--attacker",    absl::StrCat(accomplice.number)};
  }

  const Workspace workspace_;
  Results results_;
  std::optional<RunningServer> server_;
};

}  // namespace

absl::StatusOr<Results> RunExperiment(const Experiment& experiment, const std::filesystem::path& out) {
  const InterruptGuard guard;
  CAIRN_ASSIGN_OR_RETURN(Workspace workspace, PlanWorkspace(experiment, out));
  CAIRN_RETURN_IF_ERROR(WriteWorkspace(workspace));
  return Runner(experiment, std::move(workspace)).Run();
}

}  // namespace cairn
