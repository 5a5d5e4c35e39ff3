#include "server/node/identity.h"

#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr char kFile[] = "node";

std::string RandomText() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

}  // namespace

absl::StatusOr<NodeIdentity> LoadNodeIdentity(const std::filesystem::path& data_dir, const std::string& name) {
  const std::filesystem::path path = data_dir / kFile;
  const auto text = ReadFile(path, limits::kKiB);
  if (absl::IsNotFound(text.status())) {
    NodeIdentity made{name, RandomText()};
    if (name.empty()) made.name = absl::StrCat("node-", made.directory.substr(0, 8));
    CAIRN_RETURN_IF_ERROR(CheckId("node", made.name));
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(path, absl::StrCat(made.name, "\n", made.directory, "\n")));
    return made;
  }
  CAIRN_RETURN_IF_ERROR(text.status());
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  if (lines.size() != 3) return absl::DataLossError(absl::StrCat(path.string(), ": expected two lines"));
  if (name.empty() || name == lines[0]) return NodeIdentity{lines[0], lines[1]};
  return absl::FailedPreconditionError(absl::StrCat("data_dir ", data_dir.string(), " is that of node ", lines[0],
                                                    ", not of ", name, ": use that name, or another data_dir"));
}

}  // namespace cairn
