#include "simulation/workspace.h"

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "simulation/data/corpus.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// What a run writes, besides its report. Anything else in the output directory is somebody else's and stays.
constexpr const char* kOwnEntries[] = {"logs", "data", "server", "work", "adapter", "base.safetensors", "results.json"};
constexpr char kReport[] = "report.html";

absl::StatusOr<std::vector<ClientCorpus>> ReadCorpora(const Experiment& experiment) {
  std::vector<ClientCorpus> corpora;
  for (const TextSource& source : SourcesOf(experiment)) {
    if (source.documents.empty()) return ReadFolders(experiment.data);
    CAIRN_ASSIGN_OR_RETURN(ClientCorpus corpus, ReadDocuments(source.name, experiment.data, source.documents));
    corpora.push_back(std::move(corpus));
  }
  return corpora;
}

absl::Status Remove(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? ErrnoStatus(error.value(), "remove", path) : absl::OkStatus();
}

absl::Status ClearAndCreate(const fs::path& out) {
  for (const char* entry : kOwnEntries) CAIRN_RETURN_IF_ERROR(Remove(out / entry));
  std::error_code error;
  for (const char* folder : {"logs", "data"}) {
    fs::create_directories(out / folder, error);
    if (error) return ErrnoStatus(error.value(), "create", out / folder);
  }
  return absl::OkStatus();
}

absl::Status WriteParts(const Workspace& workspace) {
  std::string pretrain;
  for (const ClientSplit& split : workspace.splits) {
    absl::StrAppend(&pretrain, split.pretrain);
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(workspace.train_text(split.client), split.train));
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(workspace.held_out_text(split.client), split.held_out));
  }
  return WriteFileAtomically(workspace.pretrain_text(), pretrain);
}

}  // namespace

absl::StatusOr<Workspace> PlanWorkspace(const Experiment& experiment, const fs::path& out) {
  std::error_code error;
  Workspace workspace;
  workspace.cairn = fs::read_symlink("/proc/self/exe", error);
  workspace.trainer = workspace.cairn.parent_path() / "cairn-trainer";
  if (error || !fs::exists(workspace.trainer, error)) {
    return absl::NotFoundError(absl::StrCat(workspace.trainer.string(),
                                            ": expected the trainer beside cairn; build it, ",
                                            "or configure with -DCAIRN_SIMULATION=ON"));
  }
  workspace.out = fs::absolute(out, error);
  CAIRN_ASSIGN_OR_RETURN(const std::vector<ClientCorpus> corpora, ReadCorpora(experiment));
  // A window and its target, twice over, so that training has more than one window to draw.
  CAIRN_ASSIGN_OR_RETURN(workspace.splits, Split(corpora, 2 * (experiment.context + 1)));
  const std::vector<TextSource> sources = SourcesOf(experiment);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].unseen) workspace.splits[i].pretrain.clear();
  }
  return workspace;
}

absl::Status WriteWorkspace(const Workspace& workspace) {
  CAIRN_RETURN_IF_ERROR(Remove(workspace.out / kReport));
  return RefreshWorkspace(workspace);
}

absl::Status RefreshWorkspace(const Workspace& workspace) {
  CAIRN_RETURN_IF_ERROR(ClearAndCreate(workspace.out));
  return WriteParts(workspace);
}

}  // namespace cairn
