#include "cli/ranks_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/paths.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::size_t kBytesMax = 1 * limits::kMiB;
constexpr std::size_t kNamesShown = 5;

// Whatever can be read from front to back.
absl::StatusOr<std::string> ReadText(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open", path);
  std::string text(kBytesMax + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (got < 0) return ErrnoStatus(errno, "read", path);  // After a signal too.
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  if (filled > kBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(path.native(), ": expected at most ", kBytesMax, " bytes"));
  }
  text.resize(filled);
  return text;
}

std::string Names(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kNamesShown);
  const std::string text = absl::StrJoin(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", ");
  return shown == names.size() ? text : absl::StrCat(text, " and ", names.size() - shown, " more");
}

}  // namespace

absl::StatusOr<Recipients> ReadRanks(const std::filesystem::path& file) {
  CAIRN_ASSIGN_OR_RETURN(const std::string text, ReadText(file));
  absl::StatusOr<Recipients> recipients = ParseRanks(text);
  if (!recipients.ok()) return InFile(file, recipients.status());
  return recipients;
}

std::string RecipientNote(const Recipients& recipients, const std::vector<std::string>& clients) {
  std::vector<std::string> strangers, left_out;
  for (const auto& [id, rank] : recipients) {
    if (!std::binary_search(clients.begin(), clients.end(), id)) strangers.push_back(id);
  }
  for (const std::string& client : clients) {
    if (recipients.count(client) == 0) left_out.push_back(client);
  }
  std::string note;
  if (!strangers.empty()) absl::StrAppend(&note, "note: not among the inputs, and served: ", Names(strangers), "\n");
  if (!left_out.empty()) {
    absl::StrAppend(&note, "note: inputs without a line in the ranks file, and so without an output: ", Names(left_out),
                    "\n");
  }
  return note;
}

}  // namespace cairn
