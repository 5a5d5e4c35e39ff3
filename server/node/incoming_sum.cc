#include "server/node/incoming_sum.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Of a number in an update, that takes one byte or more: three planes of eight bytes. A partial sum has the rows of the
// widest client only, and so stays far below that; it is to keep a node that errs from filling the disk.
constexpr std::uint64_t kPlaneBytesOfOne = 24;
// Of a client, in the index, beside its config and the parts of its update that are not summed.
constexpr std::uint64_t kIndexBytesOfOne = 2 * limits::kMiB;

std::uint64_t BytesMax(const PublishJob& job) {
  std::uint64_t bytes = limits::kMiB;
  for (const Contribution& contribution : job.contributions) {
    bytes += kIndexBytesOfOne + (kPlaneBytesOfOne + 1) * contribution.receipt.bytes;
  }
  return bytes;
}

class ReceivedTotal final : public RoundTotal {
 public:
  ReceivedTotal(SumFile file, PartialView view) : file_(std::move(file)), view_(std::move(view)) {}
  const PartialView& view() const override { return view_; }

 private:
  SumFile file_;
  PartialView view_;
};

}  // namespace

IncomingSum::IncomingSum(std::string node, const PublishJob& job)
    : Incoming(std::move(node), job.federation), directory_(SumDirectory(job.data_dir)), bytes_max_(BytesMax(job)) {}

absl::Status IncomingSum::OnBegin(const v1::DeliverHeader& header) {
  if (header.working()) return absl::OkStatus();
  const PartialLayout layout{header.sum().index_bytes(), header.sum().planes(), header.sum().plane_bytes()};
  CAIRN_RETURN_IF_ERROR(CheckLayout(layout, bytes_max_));
  layout_ = layout;
  absl::StatusOr<SumFile> file = SumFile::Create(directory_, layout.bytes());
  // Not the node's fault, which brings it.
  if (!file.ok()) return absl::Status(file.status().code(), absl::StrCat("the root: ", file.status().message()));
  file_ = *std::move(file);
  return absl::OkStatus();
}

absl::Status IncomingSum::OnAppend(absl::Span<const absl::string_view> slices) {
  for (const absl::string_view slice : slices) {
    if (slice.size() > file_.bytes().size() - received_) return absl::DataLossError("more than the sum was to have");
    std::memcpy(file_.bytes().data() + received_, slice.data(), slice.size());
    received_ += slice.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RoundTotal>> IncomingSum::Finish() {
  if (received_ == 0 || received_ != file_.bytes().size()) {
    return absl::DataLossError(absl::StrCat("the sum has ", received_, " of ", file_.bytes().size(), " bytes"));
  }
  CAIRN_ASSIGN_OR_RETURN(PartialView view, ReadPartial(layout_, {file_.bytes().data(), file_.bytes().size()}));
  return std::make_unique<ReceivedTotal>(std::move(file_), std::move(view));
}

}  // namespace cairn
