// An update on its way from a node to the root's store.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/digest.h"
#include "server/node/incoming.h"
#include "server/store/store.h"

namespace cairn {

// What went wrong with the root's own store, by a code that does not say of a node that it has not the update.
absl::Status OfTheRoot(const absl::Status& status);

class IncomingUpdate final : public Incoming {
 public:
  // `verify`: the bytes must have the key's digest; otherwise that is the client's word (docs/adr/0007-integrity.md).
  IncomingUpdate(UploadKey key, std::string node, std::unique_ptr<Upload> upload, bool verify)
      : Incoming(std::move(node), key.federation), key_(std::move(key)), upload_(std::move(upload)), verify_(verify) {}

  std::uint64_t received() const { return upload_->received(); }
  absl::Status ContinueDigest();  // Of what an attempt before this one brought.

  absl::string_view kind() const override { return "update"; }

  // After Await, and without an error: DATA_LOSS, it is not what the key says; OfTheRoot; or it is in the store.
  absl::Status Seal(Store& store);

 private:
  absl::Status OnBegin(const v1::DeliverHeader& header) override;
  absl::Status OnAppend(absl::Span<const absl::string_view> slices) override;

  const UploadKey key_;
  std::unique_ptr<Upload> upload_;
  const bool verify_;
  Sha256 sha_;
};

}  // namespace cairn
