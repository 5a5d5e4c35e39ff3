#include "server/node/incoming_update.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

constexpr std::chrono::seconds kStartMax(30);  // Until the node begins to bring what it was asked for.

}  // namespace

absl::Status IncomingUpdate::ContinueDigest() {
  if (!verify_) return absl::OkStatus();
  return upload_->ReadBack([this](absl::string_view bytes) { sha_.Update(bytes); });
}

bool IncomingUpdate::Take() {
  std::lock_guard lock(mutex_);
  if (end_) return false;
  return !std::exchange(taken_, true);
}

absl::Status IncomingUpdate::Append(absl::Span<const absl::string_view> slices) {
  if (verify_) {
    for (const absl::string_view slice : slices) sha_.Update(slice);
  }
  const absl::Status appended = upload_->Append(slices);
  return absl::IsOutOfRange(appended) ? absl::DataLossError(appended.message()) : appended;
}

void IncomingUpdate::End(const absl::Status& status) {
  std::lock_guard lock(mutex_);
  if (!end_) end_ = status;
  ended_.notify_one();
}

absl::Status IncomingUpdate::Await() {
  std::unique_lock lock(mutex_);
  if (!ended_.wait_for(lock, kStartMax, [this] { return end_ || taken_; })) {
    end_ = absl::UnavailableError(absl::StrCat("node ", node_, " does not bring its update"));
  }
  // Whoever brings it ends it: a stream without progress is ended by its watch.
  ended_.wait(lock, [this] { return end_.has_value(); });
  return *end_;
}

absl::Status IncomingUpdate::Seal(Store& store) {
  if (const std::uint64_t received = upload_->received(); received != key_.bytes) {
    store.Discard(std::move(upload_));
    return absl::DataLossError(absl::StrCat("it has ", received, " of ", key_.bytes, " bytes"));
  }
  const std::string came = verify_ ? ToHex(sha_.Finish()) : key_.sha256;
  if (came == key_.sha256) return store.Seal(std::move(upload_), key_.sha256);
  store.Discard(std::move(upload_));
  return absl::DataLossError(absl::StrCat("its bytes have sha256 ", came));
}

}  // namespace cairn
