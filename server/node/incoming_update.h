// An update on its way from a node to the root's store.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/digest.h"
#include "server/store/store.h"

namespace cairn {

// One thread waits for the end; one other, or none, brings the bytes.
class IncomingUpdate {
 public:
  // `verify`: the bytes must have the key's digest; otherwise that is the client's word (docs/adr/0007-integrity.md).
  IncomingUpdate(UploadKey key, std::string node, std::unique_ptr<Upload> upload, bool verify)
      : key_(std::move(key)), node_(std::move(node)), upload_(std::move(upload)), verify_(verify) {}

  const std::string& node() const { return node_; }
  std::uint64_t received() const { return upload_->received(); }
  absl::Status ContinueDigest();  // Of what an attempt before this one brought.

  // False: there is already somebody who brings it, or it is over.
  bool Take();
  absl::Status Append(absl::Span<const absl::string_view> slices);
  // OK: whole. Only the first end counts.
  void End(const absl::Status& status);

  // Waits for the end. UNAVAILABLE: nobody came to bring it.
  absl::Status Await();
  // After that, and without an error: DATA_LOSS, or it is in the store.
  absl::Status Seal(Store& store);

 private:
  const UploadKey key_;
  const std::string node_;
  std::unique_ptr<Upload> upload_;
  const bool verify_;
  Sha256 sha_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool taken_ = false;
  std::optional<absl::Status> end_;
};

}  // namespace cairn
