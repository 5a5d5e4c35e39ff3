#include "server/root/histories.h"

#include <spdlog/spdlog.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "adapter/peft_config.h"
#include "aggregators/result_config.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/root/history_sum.h"
#include "server/store/make_directories.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kTensors[] = ".safetensors", kConfig[] = ".json";

fs::path DirectoryOf(const fs::path& data_dir, const std::string& federation) {
  return data_dir / "history" / federation;
}

// Neither character of "@." can be mistaken: ids have no @, and versions are digits.
fs::path PathOf(const fs::path& directory, const std::string& client, std::uint64_t version, const char* extension) {
  return directory / absl::StrCat(client, "@", version, extension);
}

// By version, whether the sum has its tensors: without them its config is what an attempt left.
using Versions = std::map<std::uint64_t, bool>;
struct Listing {
  std::map<std::string, Versions> sums;  // By client.
  std::vector<fs::path> others;          // Unfinished files.
};

absl::StatusOr<Listing> List(const fs::path& directory) {
  Listing listing;
  CAIRN_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, ListDirectory(directory));
  for (const fs::path& entry : entries) {
    const std::string name = entry.stem().string();
    const std::size_t at = name.rfind('@');
    std::uint64_t version = 0;
    if (at == std::string::npos || !absl::SimpleAtoi(name.substr(at + 1), &version)) {
      listing.others.push_back(entry);
      continue;
    }
    bool& whole = listing.sums[name.substr(0, at)][version];
    whole |= entry.extension() == kTensors;
  }
  return listing;
}

absl::Status Remove(const fs::path& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, "remove", path);
}

// Tensors first: there are never tensors without their config.
absl::Status Remove(const fs::path& directory, const std::string& client, std::uint64_t version) {
  CAIRN_RETURN_IF_ERROR(Remove(PathOf(directory, client, version, kTensors)));
  return Remove(PathOf(directory, client, version, kConfig));
}

// The newest whole sum before `version`; 0: none.
std::uint64_t NewestBefore(const Versions& versions, std::uint64_t version) {
  std::uint64_t newest = 0;
  for (const auto& [number, whole] : versions) {
    if (number < version && whole) newest = number;
  }
  return newest;
}

}  // namespace

absl::StatusOr<Histories> Histories::Open(const fs::path& data_dir, const std::string& federation,
                                          std::uint64_t version, const Aggregator* combine) {
  Histories histories(DirectoryOf(data_dir, federation), version, combine);
  CAIRN_RETURN_IF_ERROR(MakeDirectories(histories.directory_));
  CAIRN_ASSIGN_OR_RETURN(const Listing listing, List(histories.directory_));
  for (const fs::path& unfinished : listing.others) CAIRN_RETURN_IF_ERROR(Remove(unfinished));
  for (const auto& [client, versions] : listing.sums) {
    const std::uint64_t newest = NewestBefore(versions, version);
    for (const auto& [number, whole] : versions) {
      if (number != newest) CAIRN_RETURN_IF_ERROR(Remove(histories.directory_, client, number));
    }
    if (newest > 0) histories.newest_[client] = newest;
  }
  return histories;
}

absl::StatusOr<const Adapter*> Histories::Load(const std::string& client) {
  const auto newest = newest_.find(client);
  if (newest == newest_.end()) return nullptr;
  const fs::path tensors = PathOf(directory_, client, newest->second, kTensors);
  CAIRN_ASSIGN_OR_RETURN(const std::string json,
                         ReadFile(PathOf(directory_, client, newest->second, kConfig), limits::kAdapterConfigBytesMax));
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParseUpdateConfig(json, *combine_));
  // Tensors alone were kept: no file of factors.
  if (config.target_modules.empty()) config.kind = AdapterKind::kAveraged;
  CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(tensors));
  absl::StatusOr<Adapter> adapter = ParseAdapter(file.bytes(), config);
  if (!adapter.ok()) {
    return absl::Status(adapter.status().code(), absl::StrCat(tensors.string(), ": ", adapter.status().message()));
  }
  MappedAdapter mapped{std::move(file), *std::move(adapter)};
  return &loaded_.insert_or_assign(client, std::move(mapped)).first->second.adapter;
}

absl::Status Histories::Add(const std::string& client, const Addition& addition) {
  const absl::Status added = Write(client, addition);
  if (!absl::IsOutOfRange(added)) return added;
  spdlog::warn("{}: version {}: the history of client {} stays as it was: {}", directory_.filename().string(), version_,
               client, added.ToString());
  return absl::OkStatus();
}

absl::Status Histories::Write(const std::string& client, const Addition& addition) {
  const auto loaded = loaded_.find(client);
  const Adapter* before = loaded == loaded_.end() ? nullptr : &loaded->second.adapter;
  CAIRN_ASSIGN_OR_RETURN(Checkpoint sum, HistoryWith(before, *addition.update, addition.reference, addition.names));
  if (sum.modules.empty() && sum.tensors.empty()) return absl::OkStatus();
  const fs::path temporary = directory_ / "writing";
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, WriteCheckpoint(temporary, std::move(sum), [&] {
                           addition.after_tensor();
                           if (loaded != loaded_.end()) loaded->second.file.DropPages();
                         }));
  CAIRN_ASSIGN_OR_RETURN(const ResultWriter::Written written, std::move(writer).Finish());
  std::string config(addition.config);
  if (addition.update->config.kind == AdapterKind::kLora) {
    std::vector<const PeftConfig*> inputs = {&addition.update->config};
    if (before != nullptr) inputs.push_back(&before->config);
    config = SerializePeftConfig(ResultConfig(written.ranks, inputs));
  }
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(PathOf(directory_, client, version_, kConfig), config));
  const fs::path tensors = PathOf(directory_, client, version_, kTensors);
  if (rename(temporary.c_str(), tensors.c_str()) != 0) return ErrnoStatus(errno, "rename", temporary);
  return absl::OkStatus();
}

absl::Status Histories::Sync() const { return SyncDirectory(directory_); }

void Histories::DropPages() const {
  for (const auto& [client, mapped] : loaded_) mapped.file.DropPages();
}

absl::Status RemoveHistories(const fs::path& data_dir, const std::string& federation) {
  const fs::path directory = DirectoryOf(data_dir, federation);
  std::error_code error;
  fs::remove_all(directory, error);
  return error ? ErrnoStatus(error.value(), "remove", directory) : absl::OkStatus();
}

}  // namespace cairn
