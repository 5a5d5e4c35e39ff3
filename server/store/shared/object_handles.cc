#include "server/store/shared/object_handles.h"

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/pages.h"
#include "base/status_macros.h"
#include "server/store/shared/shared_store.h"

namespace cairn {

WritableObject::~WritableObject() {
  // Cannot fail: nobody else knows this object.
  if (store_ != nullptr) store_->Abandon(kAgentEpoch, key_).IgnoreError();
}

absl::StatusOr<ObjectKey> WritableObject::Seal(std::uint32_t crc32c) && {
  CAIRN_RETURN_IF_ERROR(store_->Seal(kAgentEpoch, key_, crc32c));
  store_ = nullptr;
  data_ = {};
  return key_;
}

ObjectKey WritableObject::Park() && {
  std::exchange(store_, nullptr)->Park(key_);
  return key_;
}

void ReadableObject::DropPages() const {
  if (file_) DropMappedPages(bytes_, bytes_);
}

ReadableObject::~ReadableObject() {
  if (store_ != nullptr) store_->Release(kAgentEpoch, entry_.key).IgnoreError();
}

absl::Status VerifyObject(const ObjectKey& key, absl::string_view bytes, std::uint32_t crc32c) {
  const std::uint32_t got = Crc32c(bytes.data(), bytes.size());
  if (got == crc32c) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("object ", key.ToHex(), ": CRC-32C of its ", bytes.size(),
                                          " bytes: expected ", crc32c, ", got ", got));
}

}  // namespace cairn
