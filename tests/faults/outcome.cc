#include "tests/faults/outcome.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "server/root/database.h"
#include "tests/faults/scenario.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::string> DigestOf(const fs::path& path) {
  CAIRN_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  return Sha256Hex(file.bytes());
}

// Every file below `root`, by its path there.
absl::Status AddFiles(const fs::path& root, const std::string& kind, Outcome& outcome) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = absl::StrCat(kind, " ", entry.path().lexically_relative(root).string());
    CAIRN_ASSIGN_OR_RETURN(outcome[name], DigestOf(entry.path()));
  }
  return absl::OkStatus();
}

absl::Status AddReceipts(Database& database, Outcome& outcome) {
  for (std::uint64_t round = 1; round <= kRounds + 1; ++round) {
    CAIRN_ASSIGN_OR_RETURN(const auto receipts, database.LoadReceipts(kFederation, round));
    for (const ReceiptRow& receipt : receipts) {
      if (!outcome.emplace(absl::StrCat("receipt ", round, " ", receipt.client), receipt.sha256).second) {
        return absl::InternalError(absl::StrCat("two receipts of ", receipt.client, " in round ", round));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEmpty(const fs::path& directory) {
  if (!fs::exists(directory)) return absl::OkStatus();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) return absl::InternalError(absl::StrCat("left over: ", entry.path().string()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Outcome> ReadOutcome(const fs::path& data_dir) {
  Outcome outcome;
  const fs::path published = data_dir / "published" / kFederation;
  CAIRN_RETURN_IF_ERROR(AddFiles(published, "published", outcome));
  CAIRN_RETURN_IF_ERROR(AddFiles(data_dir / "adapters" / kFederation, "adapter", outcome));
  const fs::path history = data_dir / "history" / kFederation;
  if (fs::exists(history)) CAIRN_RETURN_IF_ERROR(AddFiles(history, "history", outcome));
  outcome["latest"] = fs::read_symlink(published / "latest").string();
  CAIRN_ASSIGN_OR_RETURN(const auto database, Database::Open(data_dir / "cairn.sqlite", Database::Sync::kFull));
  CAIRN_RETURN_IF_ERROR(AddReceipts(*database, outcome));
  CAIRN_RETURN_IF_ERROR(CheckEmpty(data_dir / "uploads"));
  CAIRN_RETURN_IF_ERROR(CheckEmpty(data_dir / "objects"));
  return outcome;
}

absl::Status CheckSame(const Outcome& expected, const Outcome& got) {
  for (const auto& [name, digest] : expected) {
    const auto it = got.find(name);
    if (it == got.end()) return absl::InternalError(absl::StrCat(name, ": missing"));
    if (it->second != digest) {
      return absl::InternalError(absl::StrCat(name, ": expected ", digest, ", got ", it->second));
    }
  }
  for (const auto& [name, digest] : got) {
    if (expected.count(name) == 0) return absl::InternalError(absl::StrCat(name, ": not in the undisturbed run"));
  }
  return absl::OkStatus();
}

}  // namespace cairn::faults
