#include "server/tree/node_objects.h"

#include "base/failpoint.h"
#include "base/progress.h"
#include "base/status_macros.h"

namespace cairn::tree {
namespace {

// For how long a worker waits for memory, in lease times. What others may give back meanwhile comes within one: what a
// worker held that was stopped, and what the store spills. Whoever waits in vain lets go of the sum that wanted it,
// and says so; then
//   - the round goes on with the workers that have sums of it, and with no more than those from then on;
//   - when nobody has, one worker tries with the round for itself; then an open round waits until it is closed, and a
//     closed one is left to the server, which needs no memory of the store.
// So nobody holds memory and waits for more for longer than that, and every wait ends (RoundSum::Starve).
constexpr double kRoomLeases = 1;

}  // namespace

class NodeObjects::Plane final : public SumPlane {
 public:
  Plane(std::shared_ptr<NodeObjects> objects, NewObject object, std::size_t elements)
      : objects_(std::move(objects)),
        object_(std::move(object)),
        values_(reinterpret_cast<std::int64_t*>(object_->data().data()), elements) {}
  ~Plane() override {
    std::lock_guard lock(objects_->mutex_);
    object_.reset();
  }
  absl::Span<std::int64_t> values() override { return values_; }
  // Without a checksum: it would be one more pass over memory that the next reader is about to read.
  absl::StatusOr<ObjectKey> Seal() {
    std::lock_guard lock(objects_->mutex_);
    NewObject object = *std::exchange(object_, std::nullopt);
    return std::move(object).Seal(0);
  }

 private:
  std::shared_ptr<NodeObjects> objects_;
  std::optional<NewObject> object_;
  absl::Span<std::int64_t> values_;
};

absl::StatusOr<std::shared_ptr<NodeObjects>> NodeObjects::Connect(const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(std::shared_ptr<StoreClient> client, StoreClient::Connect(directory));
  return std::shared_ptr<NodeObjects>(new NodeObjects(std::move(client)));
}

NodeObjects::Read::~Read() {
  if (objects_ == nullptr) return;
  std::lock_guard lock(objects_->mutex_);
  object_.reset();
}

bool NodeObjects::Read::StillValid() const {
  std::lock_guard lock(objects_->mutex_);
  return object_->StillValid();
}

absl::StatusOr<NodeObjects::Read> NodeObjects::Get(const ObjectKey& key) {
  std::unique_lock lock(mutex_);
  absl::StatusOr<LeasedObject> object = client_->Get(key);
  lock.unlock();
  if (!object.ok()) return object.status();
  return Read(shared_from_this(), *std::move(object));
}

absl::StatusOr<NewObject> NodeObjects::Create(std::uint64_t bytes) {
  const WorkProgress::AwaitsOthers waits;
  const std::lock_guard lock(mutex_);
  return client_->Create(bytes, lease_time() * kRoomLeases);
}

MakePlane NodeObjects::Planes() {
  return [objects = shared_from_this()](std::size_t elements) -> absl::StatusOr<std::unique_ptr<SumPlane>> {
    absl::StatusOr<NewObject> object = objects->Create(elements * sizeof(std::int64_t));
    if (!object.ok()) return object.status();
    WorkProgress::Made();
    CAIRN_RETURN_IF_ERROR(CAIRN_FAILPOINT("worker.after_plane"));
    return std::make_unique<Plane>(objects, *std::move(object), elements);
  };
}

absl::StatusOr<ObjectKey> NodeObjects::Seal(std::unique_ptr<SumPlane> plane) {
  return static_cast<Plane&>(*plane).Seal();
}

absl::Status NodeObjects::Renew() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return lock.owns_lock() ? client_->Renew() : absl::OkStatus();
}

absl::Status NodeObjects::ServeAgent() {
  std::lock_guard lock(mutex_);
  return client_->ServeAgent();
}

}  // namespace cairn::tree
