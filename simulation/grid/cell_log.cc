#include "simulation/grid/cell_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLogBytesMax = 1 * limits::kGiB;
constexpr std::size_t kSettingsBytesMax = 64 * limits::kKiB;

// The first line in which two texts differ, of both.
std::pair<std::string, std::string> Difference(const std::string& x, const std::string& y) {
  const std::vector<std::string> ours = absl::StrSplit(x, '\n'), theirs = absl::StrSplit(y, '\n');
  const auto at = std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end());
  return {at.first == ours.end() ? "" : *at.first, at.second == theirs.end() ? "" : *at.second};
}

absl::Status CheckSettings(const fs::path& out, const std::string& settings) {
  const fs::path file = out / "settings.txt";
  const absl::StatusOr<std::string> before = ReadFile(file, kSettingsBytesMax);
  if (absl::IsNotFound(before.status())) return WriteFileAtomically(file, settings);
  if (!before.ok()) return before.status();
  if (*before == settings) return absl::OkStatus();
  const auto [then, now] = Difference(*before, settings);
  return absl::FailedPreconditionError(absl::StrCat(out.string(), " holds cells of another experiment: there \"", then,
                                                    "\", here \"", now, "\"; choose another --out, or delete ",
                                                    (out / "cells.csv").string(), " and ", file.string()));
}

}  // namespace

absl::StatusOr<CellLog> CellLog::Open(const fs::path& out, const std::string& settings) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) return ErrnoStatus(error.value(), "create", out);
  CAIRN_ASSIGN_OR_RETURN(FileLock lock, FileLock::Acquire(out / "lock"));
  CAIRN_RETURN_IF_ERROR(CheckSettings(out, settings));
  CellLog log(std::move(lock), out / "cells.csv");
  CAIRN_RETURN_IF_ERROR(log.Load());
  return log;
}

absl::Status CellLog::Load() {
  file_ = UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file_) return ErrnoStatus(errno, "open", path_);
  CAIRN_ASSIGN_OR_RETURN(std::string text, ReadFile(path_, kLogBytesMax));
  const std::size_t whole = text.rfind('\n') + 1;  // 0 when there is no line at all.
  if (whole < text.size() && ftruncate(file_.get(), static_cast<off_t>(whole)) != 0) {
    return ErrnoStatus(errno, "truncate", path_);
  }
  text.resize(whole);
  if (text.empty()) return WriteAll(file_.get(), absl::StrCat(kCellHeader, "\n"), path_);
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  lines.pop_back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == 0 && lines[i] == kCellHeader) continue;
    absl::StatusOr<CellRow> row = ParseCellRow(lines[i]);
    if (!row.ok() || i == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_.string(), ":", i + 1, ": ", i == 0 ? "not the header of cells" : row.status().message()));
    }
    Keep(*std::move(row));
  }
  return absl::OkStatus();
}

void CellLog::Keep(CellRow row) {
  if (row.outcome.kind == CellOutcome::Kind::kFailed) {
    failed_.insert(row.key);
  } else if (row.outcome.kind == CellOutcome::Kind::kDone) {
    failed_.erase(row.key);
    outcomes_[row.key] = std::move(row.outcome);
  }
}

absl::Status CellLog::Append(const Cell& cell, const CellOutcome& outcome) {
  return WriteAll(file_.get(), absl::StrCat(FormatCellRow(cell, outcome), "\n"), path_);
}

}  // namespace cairn
