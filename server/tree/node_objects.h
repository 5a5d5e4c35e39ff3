// A worker's objects in the node's store, for several threads: StoreClient is for one at a time, and a worker that
// folds for long must show meanwhile that it is alive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "aggregators/sum_plane.h"
#include "server/store/shared/store_client.h"

namespace cairn::tree {

class NodeObjects : public std::enable_shared_from_this<NodeObjects> {
 public:
  // As StoreClient::Connect.
  static absl::StatusOr<std::shared_ptr<NodeObjects>> Connect(const std::filesystem::path& directory);

  // Bytes of a sealed object, under a lease.
  class Read {
   public:
    Read(std::shared_ptr<NodeObjects> objects, LeasedObject object)
        : objects_(std::move(objects)), object_(std::make_unique<LeasedObject>(std::move(object))) {}
    Read(Read&&) = default;
    Read& operator=(Read&&) = delete;
    ~Read();
    absl::string_view bytes() const { return object_->bytes(); }
    // LeasedObject::StillValid.
    bool StillValid() const;

   private:
    std::shared_ptr<NodeObjects> objects_;  // Null once moved from.
    std::unique_ptr<LeasedObject> object_;
  };
  absl::StatusOr<Read> Get(const ObjectKey& key);

  // Planes of sums that lie in objects of this worker, which nobody else reads before they are sealed.
  MakePlane Planes();
  // REQUIRES: made by Planes().
  absl::StatusOr<ObjectKey> Seal(std::unique_ptr<SumPlane> plane);

  // Another thread's call is a sign of life, too, and it gives some while it waits: this does not wait for it.
  absl::Status Renew();
  // As StoreClient.
  absl::Status ServeAgent();
  int fd() const { return client_->fd(); }
  absl::Duration lease_time() const { return client_->lease_time(); }

 private:
  class Plane;
  absl::StatusOr<NewObject> Create(std::uint64_t bytes);
  explicit NodeObjects(std::shared_ptr<StoreClient> client) : client_(std::move(client)) {}

  mutable std::mutex mutex_;  // Held while the client, or anything of it, is used or destroyed.
  std::shared_ptr<StoreClient> client_;
};

}  // namespace cairn::tree
