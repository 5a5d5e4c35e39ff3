#include "server/node/incoming_shard.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/root/published_files.h"
#include "server/store/make_directories.h"
#include "server/tree/shard_messages.h"

namespace cairn {

std::filesystem::path IncomingShard::PathOf(std::size_t part) const {
  return ShardPath(job_.data_dir, job_.federation, absl::StrCat(name_, "-", part));
}

absl::Status IncomingShard::Begin(const v1::DeliverHeader& header) {
  if (header.working()) return absl::OkStatus();
  layout_ = header.shard();
  if (layout_.parts_size() != layout_.bytes_size()) return absl::DataLossError("parts without their sizes");
  // Headers come on top of what is published.
  const std::uint64_t bytes_max = job_.bytes_max + limits::kSafetensorsHeaderBytesMax;
  std::uint64_t rest = bytes_max;
  for (const std::uint64_t bytes : layout_.bytes()) {
    if (bytes > rest) {
      return absl::FailedPreconditionError(
          absl::StrCat("node ", node(), " has combined more than ", bytes_max, " bytes, which no client can receive"));
    }
    rest -= bytes;
  }
  CAIRN_RETURN_IF_ERROR(MakeDirectories(PathOf(0).parent_path()));
  return Open();
}

absl::Status IncomingShard::Open() {
  file_.Reset();
  do {
    if (++part_ >= layout_.bytes_size()) return absl::OkStatus();
    left_ = layout_.bytes(part_);
  } while (left_ == 0);
  path_ = PathOf(static_cast<std::size_t>(part_));
  file_ = UniqueFd(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return file_ ? absl::OkStatus() : ErrnoStatus(errno, "open", path_);
}

absl::Status IncomingShard::Append(absl::Span<const absl::string_view> slices) {
  for (absl::string_view slice : slices) {
    while (!slice.empty()) {
      if (!file_) return absl::DataLossError("more than the modules were to have");
      const absl::string_view piece = slice.substr(0, left_);
      CAIRN_RETURN_IF_ERROR(WriteAll(file_.get(), piece, path_));
      slice.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) CAIRN_RETURN_IF_ERROR(Open());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ShardPart>> IncomingShard::Finish() {
  if (layout_.parts().empty() || part_ < layout_.bytes_size()) {
    return absl::DataLossError(absl::StrCat("node ", node(), " brought some of its modules only"));
  }
  std::vector<ShardPart> parts;
  for (int i = 0; i < layout_.parts_size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(ShardPart part, tree::PartOf(layout_.parts(i), job_));
    part.file = layout_.bytes(i) > 0 ? PathOf(static_cast<std::size_t>(i)) : std::filesystem::path();
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace cairn
