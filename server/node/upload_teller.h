// Tells the root how uploads get on: in order, one message under way at a time, with the newest of each upload only.
#pragma once

#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "server/node/root_connection.h"
#include "server/store/store.h"

namespace cairn {

class UploadTeller {
 public:
  explicit UploadTeller(RootConnection* root) : root_(root) {}  // Outlives this object's last call.

  void Progress(const UploadKey& key, std::uint64_t received);
  void Ended(const UploadKey& key, const absl::Status& refusal);

 private:
  void Add(v1::UploadNotice notice);
  void SendLocked();

  RootConnection* root_;
  std::mutex mutex_;
  bool sending_ = false;
  std::vector<v1::UploadNotice> queue_;
};

}  // namespace cairn
