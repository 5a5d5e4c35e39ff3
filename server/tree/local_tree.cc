#include "server/tree/local_tree.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn::tree {
namespace {

constexpr double kPatienceLeases = 1.5, kSilenceLeases = 2;

}  // namespace

absl::StatusOr<std::unique_ptr<LocalTree>> LocalTree::Start(const LocalTreeOptions& options) {
  std::unique_ptr<LocalTree> tree(new LocalTree());
  SharedStoreOptions shared{.budget = options.budget,
                            .objects_max = options.objects_max,
                            .lease_time = options.lease,
                            .spill_directory = options.spill};
  shared.on_closed = [tree = tree.get()] { tree->SessionEnded(); };
  shared.on_fenced = [tree = tree.get()](ProcessId process) { tree->Ended(process); };
  CAIRN_ASSIGN_OR_RETURN(tree->store_, SharedStore::Open(std::move(shared)));
  if (options.workers > 0) CAIRN_RETURN_IF_ERROR(tree->StartWorkers(options));
  return tree;
}

absl::Status LocalTree::StartWorkers(const LocalTreeOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(agent_, StoreAgent::Start(store_.get(), options.directory));
  TreeOptions tree{.metrics = options.metrics,
                   .directory = options.directory,
                   .workers = options.workers,
                   .patience = options.lease * kPatienceLeases,
                   .silence = options.lease * kSilenceLeases,
                   .stuck = options.stuck};
  tree.on_lost = [this](const ProcessId& process) {
    std::lock_guard lock(mutex_);
    if (processes_ != nullptr) processes_->Kill(process);
  };
  CAIRN_ASSIGN_OR_RETURN(auto started, Tree::Start(store_.get(), std::move(tree)));
  {
    std::lock_guard lock(mutex_);
    tree_ = std::move(started);
  }
  if (options.worker.empty()) return absl::OkStatus();
  WorkerProcesses::Options processes{.command = options.worker, .count = options.workers, .lives_long = options.lease};
  processes.command.insert(processes.command.end(), {"--node", std::filesystem::absolute(options.directory).native(),
                                                     "--parent", absl::StrCat(::getpid())});
  processes.on_ended = [this](const ProcessId& process) { Ended(process); };
  CAIRN_ASSIGN_OR_RETURN(auto running, WorkerProcesses::Start(std::move(processes)));
  std::lock_guard lock(mutex_);
  processes_ = std::move(running);
  return absl::OkStatus();
}

void LocalTree::SessionEnded() {
  std::lock_guard lock(mutex_);
  if (tree_ != nullptr) tree_->SessionEnded();
}

void LocalTree::Ended(const ProcessId& process) {
  std::lock_guard lock(mutex_);
  if (tree_ != nullptr) tree_->WorkerEnded(process);
  if (processes_ != nullptr) processes_->Kill(process);
}

LocalTree::~LocalTree() {
  std::unique_ptr<WorkerProcesses> processes;
  {
    std::lock_guard lock(mutex_);
    processes = std::move(processes_);
  }
  processes.reset();
  std::unique_ptr<Tree> tree;
  {
    std::lock_guard lock(mutex_);
    tree = std::move(tree_);
  }
  tree.reset();
  agent_.reset();
}

}  // namespace cairn::tree
