#include "cli/aggregate_memory.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<StoredAdapter> OpenFor(absl::string_view flag, const fs::path& path, const AggregateRequest& request) {
  auto opened = OpenAdapterPath(path, request.plain_tensors() ? ReadAs::kTensors : ReadAs::kAdapter);
  if (opened.ok()) return opened;
  return absl::Status(opened.status().code(), absl::StrCat(flag, ": ", opened.status().message()));
}

}  // namespace

absl::StatusOr<AggregateMemory> AggregateMemory::Open(const AggregateRequest& request,
                                                      const std::vector<std::string>& clients) {
  AggregateMemory memory;
  if (!request.last.empty()) {
    CAIRN_ASSIGN_OR_RETURN(memory.last_, OpenFor("--last", request.last, request));
  }
  if (!request.relative_to.empty()) {
    CAIRN_ASSIGN_OR_RETURN(memory.reference_, OpenFor("--relative-to", request.relative_to, request));
  }
  if (request.history.empty()) return memory;
  std::error_code ignored;
  if (!fs::is_directory(request.history, ignored)) {
    return absl::NotFoundError(absl::StrCat("--history: expected a folder, got ", request.history.native()));
  }
  for (const std::string& client : clients) {
    const fs::path path = request.history / client;
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    CAIRN_ASSIGN_OR_RETURN(StoredAdapter history, OpenFor("--history", path, request));
    memory.histories_.emplace(client, std::move(history));
  }
  return memory;
}

RoundMemory AggregateMemory::memory() const {
  RoundMemory memory;
  if (last_) memory.last = &last_->adapter;
  if (reference_) memory.reference = &reference_->adapter;
  for (const auto& [client, history] : histories_) memory.histories.emplace(client, &history.adapter);
  return memory;
}

void AggregateMemory::DropPages() const {
  if (last_) last_->files.DropPages();
  if (reference_) reference_->files.DropPages();
  for (const auto& [client, history] : histories_) history.files.DropPages();
}

}  // namespace cairn
