#include "server/node/incoming_update.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace cairn {

absl::Status OfTheRoot(const absl::Status& status) {
  if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) return status;
  return absl::InternalError(absl::StrCat("the root: ", status.message()));
}

absl::Status IncomingUpdate::ContinueDigest() {
  if (!verify_) return absl::OkStatus();
  return OfTheRoot(upload_->ReadBack([this](absl::string_view bytes) { sha_.Update(bytes); }));
}

absl::Status IncomingUpdate::OnBegin(const v1::DeliverHeader& header) {
  if (!header.working() && !header.has_sum() && header.shard_layout() == 0) return absl::OkStatus();
  return absl::InvalidArgumentError("an update was asked for");
}

absl::Status IncomingUpdate::OnAppend(absl::Span<const absl::string_view> slices) {
  if (verify_) {
    for (const absl::string_view slice : slices) sha_.Update(slice);
  }
  const absl::Status appended = upload_->Append(slices);
  return absl::IsOutOfRange(appended) ? absl::DataLossError(appended.message()) : OfTheRoot(appended);
}

absl::Status IncomingUpdate::Seal(Store& store) {
  if (const std::uint64_t received = upload_->received(); received != key_.bytes) {
    store.Discard(std::move(upload_));
    return absl::DataLossError(absl::StrCat("it has ", received, " of ", key_.bytes, " bytes"));
  }
  const std::string came = verify_ ? ToHex(sha_.Finish()) : key_.sha256;
  if (came == key_.sha256) return OfTheRoot(store.Seal(std::move(upload_), key_.sha256));
  store.Discard(std::move(upload_));
  return absl::DataLossError(absl::StrCat("its bytes have sha256 ", came));
}

}  // namespace cairn
