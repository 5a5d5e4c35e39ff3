#include "server/node/known_root.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr char kFile[] = "root";
constexpr std::size_t kShown = 8;  // Characters of an identity, for people.

std::string Short(const std::string& identity) { return absl::StrCat(identity.substr(0, kShown), "..."); }

}  // namespace

absl::StatusOr<std::unique_ptr<KnownRoot>> KnownRoot::Load(std::filesystem::path data_dir, std::string address) {
  const std::filesystem::path path = data_dir / kFile;
  std::unique_ptr<KnownRoot> root(new KnownRoot(std::move(data_dir), std::move(address)));
  const auto text = ReadFile(path, limits::kKiB);
  if (absl::IsNotFound(text.status())) return root;
  CAIRN_RETURN_IF_ERROR(text.status());
  root->identity_ = std::string(absl::StripAsciiWhitespace(*text));
  if (root->identity_.empty()) return absl::DataLossError(absl::StrCat(path.string(), ": expected one line"));
  return root;
}

std::string KnownRoot::identity() const {
  std::lock_guard lock(mutex_);
  return identity_;
}

absl::Status KnownRoot::Meet(const std::string& identity) {
  std::lock_guard lock(mutex_);
  if (identity == identity_) return absl::OkStatus();
  if (identity_.empty()) {
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(data_dir_ / kFile, absl::StrCat(identity, "\n")));
    identity_ = identity;
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("data_dir ", data_dir_.string(), " belongs to the nodes of root ", Short(identity_),
                   "; the root at ", address_, identity.empty() ? " does not say who it is" : " is " + Short(identity),
                   ": use the right --root, or another data_dir"));
}

}  // namespace cairn
