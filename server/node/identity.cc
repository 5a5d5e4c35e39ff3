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
  if (!name.empty()) CAIRN_RETURN_IF_ERROR(CheckId("node", name));
  const std::filesystem::path path = data_dir / kFile;
  const auto text = ReadFile(path, limits::kKiB);
  if (absl::IsNotFound(text.status())) {
    NodeIdentity made{name, RandomText(), true};
    if (name.empty()) made.name = absl::StrCat("node-", made.directory.substr(0, 8));
    return made;
  }
  CAIRN_RETURN_IF_ERROR(text.status());
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  if (lines.size() != 3) return absl::DataLossError(absl::StrCat(path.string(), ": expected two lines"));
  if (name.empty() || name == lines[0]) return NodeIdentity{lines[0], lines[1]};
  return absl::FailedPreconditionError(absl::StrCat("data_dir ", data_dir.string(), " is that of node ", lines[0],
                                                    ", not of ", name, ": use that name, or another data_dir"));
}

std::uint64_t NewProcessNumber() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random() | 1;
}

absl::Status KeepNodeIdentity(const std::filesystem::path& data_dir, const NodeIdentity& identity) {
  if (!identity.made) return absl::OkStatus();
  return WriteFileAtomically(data_dir / kFile, absl::StrCat(identity.name, "\n", identity.directory, "\n"));
}

}  // namespace cairn
