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
namespace {

constexpr std::uint64_t kLayoutBytesMax = 256 * limits::kMiB;  // Some hundred bytes for each module and client.

}  // namespace

IncomingShard::IncomingShard(std::string node, const PublishJob& job, std::string name)
    : Incoming(std::move(node), job.federation),
      data_dir_(job.data_dir),
      bytes_max_(job.bytes_max + limits::kSafetensorsHeaderBytesMax),  // Headers come on top of what is published.
      name_(std::move(name)) {}

std::filesystem::path IncomingShard::PathOf(int part) const {
  return ShardPath(data_dir_, federation(), absl::StrCat(name_, "-", part));
}

absl::Status IncomingShard::OnBegin(const v1::DeliverHeader& header) {
  if (header.working()) return absl::OkStatus();
  layout_bytes_ = header.shard_layout();
  if (layout_bytes_ > 0 && layout_bytes_ <= kLayoutBytesMax) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("modules with a layout of ", layout_bytes_, " bytes"));
}

absl::Status IncomingShard::TakeLayout() {
  if (!layout_.ParseFromString(layout_text_) || layout_.parts().empty() ||
      layout_.parts_size() != layout_.bytes_size()) {
    return absl::DataLossError("no layout of modules");
  }
  std::string().swap(layout_text_);
  std::uint64_t rest = bytes_max_;
  for (const std::uint64_t bytes : layout_.bytes()) {
    if (bytes > rest) {
      return absl::FailedPreconditionError(
          absl::StrCat("node ", node(), " has combined more than ", bytes_max_, " bytes, which no client can receive"));
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
  path_ = PathOf(part_);
  file_ = UniqueFd(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return file_ ? absl::OkStatus() : ErrnoStatus(errno, "open", path_);
}

absl::Status IncomingShard::OnAppend(absl::Span<const absl::string_view> slices) {
  for (absl::string_view slice : slices) {
    if (part_ < 0) {
      const absl::string_view piece = slice.substr(0, layout_bytes_ - layout_text_.size());
      absl::StrAppend(&layout_text_, piece);
      slice.remove_prefix(piece.size());
      if (layout_text_.size() == layout_bytes_) CAIRN_RETURN_IF_ERROR(TakeLayout());
    }
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

absl::StatusOr<std::vector<ShardPart>> IncomingShard::Finish(const PublishJob& job) {
  if (layout_.parts().empty() || part_ < layout_.bytes_size()) {
    return absl::DataLossError(absl::StrCat("node ", node(), " brought some of its modules only"));
  }
  std::vector<ShardPart> parts;
  for (int i = 0; i < layout_.parts_size(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(ShardPart part, tree::PartOf(layout_.parts(i), job));
    part.file = layout_.bytes(i) > 0 ? PathOf(i) : std::filesystem::path();
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace cairn
