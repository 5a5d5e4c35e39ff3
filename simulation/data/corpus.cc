#include "simulation/data/corpus.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSniffedBytes = 8192;

bool IsText(const std::string& bytes) {
  const std::string_view head(bytes.data(), std::min(bytes.size(), kSniffedBytes));
  return head.find('\0') == std::string_view::npos;
}

absl::StatusOr<std::vector<fs::path>> Entries(const fs::path& directory, bool folders) {
  std::error_code error;
  std::vector<fs::path> out;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;  // A dangling link is neither a folder nor a file.
    if (folders ? it->is_directory(ignored) : it->is_regular_file(ignored)) out.push_back(it->path());
  }
  if (error) return ErrnoStatus(error.value(), "list", directory);
  std::sort(out.begin(), out.end());
  return out;
}

absl::StatusOr<ClientCorpus> ReadFolder(const fs::path& folder) {
  ClientCorpus corpus{folder.filename().string(), {}};
  CAIRN_RETURN_IF_ERROR(CheckId("client folder", corpus.client));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<fs::path> files, Entries(folder, false));
  std::size_t total = 0;
  for (const fs::path& file : files) {
    CAIRN_ASSIGN_OR_RETURN(std::string text, ReadFile(file, kCorpusBytesMax - total));
    if (text.empty() || !IsText(text)) continue;
    total += text.size();
    corpus.documents.push_back({file.filename().string(), std::move(text)});
  }
  if (!corpus.documents.empty()) return corpus;
  return absl::InvalidArgumentError(absl::StrCat(folder.string(), ": expected at least one text file, got ",
                                                 files.size(), " files, none of them text"));
}

}  // namespace

std::size_t ClientCorpus::bytes() const {
  std::size_t total = 0;
  for (const Document& document : documents) total += document.text.size();
  return total;
}

absl::StatusOr<ClientCorpus> ReadDocuments(const std::string& client, const fs::path& directory,
                                           const std::vector<std::string>& names) {
  ClientCorpus corpus{client, {}};
  for (const std::string& name : names) {
    CAIRN_ASSIGN_OR_RETURN(std::string text, ReadFile(directory / name, kCorpusBytesMax));
    if (text.empty() || !IsText(text)) {
      return absl::InvalidArgumentError(absl::StrCat((directory / name).string(), ": expected text, got ",
                                                     text.empty() ? "an empty file" : "bytes with NUL in them"));
    }
    corpus.documents.push_back({name, std::move(text)});
  }
  return corpus;
}

absl::StatusOr<std::vector<ClientCorpus>> ReadFolders(const fs::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const std::vector<fs::path> folders, Entries(directory, true));
  if (folders.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory.string(), ": expected one sub-folder of text files per client, at least 2, got ", folders.size()));
  }
  std::vector<ClientCorpus> out;
  for (const fs::path& folder : folders) {
    CAIRN_ASSIGN_OR_RETURN(ClientCorpus corpus, ReadFolder(folder));
    out.push_back(std::move(corpus));
  }
  return out;
}

}  // namespace cairn
