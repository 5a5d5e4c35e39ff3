// Updates as objects of the node's shared store: bytes go once from the network to where workers map them. What no
// longer fits is spilled by the shared store.
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "server/store/shared/shared_store.h"
#include "server/store/store.h"

namespace cairn {
namespace {

class SharedBlob final : public Blob {
 public:
  explicit SharedBlob(ReadableObject object) : object_(std::move(object)) {}
  absl::string_view bytes() const override { return object_.bytes(); }
  void DropPages() const override { object_.DropPages(); }
  std::optional<ObjectKey> shared_key() const override { return object_.key(); }

 private:
  ReadableObject object_;
};

std::string ClientKey(const UploadKey& key) { return absl::StrCat(key.federation, "~", key.round, "~", key.client); }

// How far an upload got.
struct Progress {
  std::uint64_t received = 0;
  std::uint32_t crc32c = 0;  // Of that.
};

class SharedMemoryStore;

class MemoryUpload final : public Upload {
 public:
  MemoryUpload(SharedMemoryStore* store, UploadKey key, WritableObject object, Progress progress)
      : store_(store), key_(std::move(key)), object_(std::move(object)), progress_(progress) {}
  ~MemoryUpload() override;

  std::uint64_t received() const override { return progress_.received; }
  absl::Status Append(absl::Span<const absl::string_view> slices) override;
  absl::Status ReadBack(const std::function<void(absl::string_view)>& consume) const override {
    consume({object_->data().data(), progress_.received});
    return absl::OkStatus();
  }

  const UploadKey& key() const { return key_; }
  absl::StatusOr<ObjectKey> Seal();
  void Discard() { object_.reset(); }

 private:
  SharedMemoryStore* store_;
  UploadKey key_;
  std::optional<WritableObject> object_;  // None once sealed or discarded.
  Progress progress_;
};

absl::Status MemoryUpload::Append(absl::Span<const absl::string_view> slices) {
  for (absl::string_view slice : slices) {
    if (slice.size() > key_.bytes - progress_.received) {
      return absl::OutOfRangeError(absl::StrCat("upload holds more than the ", key_.bytes, " bytes announced"));
    }
    if (slice.empty()) continue;
    std::memcpy(object_->data().data() + progress_.received, slice.data(), slice.size());
    progress_.crc32c = Crc32c(slice.data(), slice.size(), progress_.crc32c);
    progress_.received += slice.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<ObjectKey> MemoryUpload::Seal() {
  const absl::StatusOr<ObjectKey> sealed = std::move(*object_).Seal(progress_.crc32c);
  object_.reset();
  return sealed;
}

// What the shared store calls back may call this store again: it is never called with the lock held, but for Unpark and
// IsParked, which call nobody.
class SharedMemoryStore final : public Store {
 public:
  explicit SharedMemoryStore(SharedStore* shared) : shared_(shared) {}
  ~SharedMemoryStore() override;

  std::uint64_t Reservation(std::uint64_t bytes) const override { return SlabBytes(bytes); }
  const ByteBudget& budget() const override { return shared_->budget(); }

  std::uint64_t ResumePoint(const UploadKey& key) const override;
  Ticket Begin(const UploadKey& key, WorkerPool* workers, Begun begun) override;
  bool Cancel(Ticket ticket) override { return shared_->Cancel(ticket); }
  absl::Status Seal(std::unique_ptr<Upload> upload, const std::string& sha256) override;
  void Discard(std::unique_ptr<Upload> upload) override { static_cast<MemoryUpload&>(*upload).Discard(); }

  absl::StatusOr<std::shared_ptr<const Blob>> Find(const std::string& federation, const std::string& name) override;
  void Remove(const std::string& federation, const std::string& name) override;
  absl::Status Retain(const std::string& federation, std::uint64_t round, absl::Span<const std::string> names) override;

  // The upload is over; with `object` it was broken off.
  void Ended(const UploadKey& key, std::optional<WritableObject> object, Progress progress);

 private:
  // An upload in progress (its object is held by its MemoryUpload), or broken off, with its object parked.
  struct Part {
    UploadKey key;
    bool active = false;
    ObjectKey object;
    Progress progress;
  };
  using Begins = absl::StatusOr<std::unique_ptr<Upload>>;

  // REQUIRES, for these: mutex_ held.
  bool Resumes(const Part& part, const UploadKey& key) const;
  std::optional<Begins> BeginAtOnce(const UploadKey& key);

  Begins BeginIn(const UploadKey& key, absl::StatusOr<WritableObject> object);
  void Drop(const std::vector<ObjectKey>& parked);

  SharedStore* const shared_;
  mutable std::mutex mutex_;
  std::map<std::string, Part> parts_;                                // By ClientKey.
  std::map<std::pair<std::string, std::string>, ObjectKey> sealed_;  // By federation and name.
};

MemoryUpload::~MemoryUpload() { store_->Ended(key_, std::move(object_), progress_); }

SharedMemoryStore::~SharedMemoryStore() {
  std::vector<ObjectKey> parked;
  for (const auto& [client, part] : parts_) parked.push_back(part.object);
  Drop(parked);
  for (const auto& [name, object] : sealed_) shared_->Remove(object).IgnoreError();
}

bool SharedMemoryStore::Resumes(const Part& part, const UploadKey& key) const {
  return !part.active && !key.sha256.empty() && part.key.sha256 == key.sha256 && part.key.bytes == key.bytes;
}

std::uint64_t SharedMemoryStore::ResumePoint(const UploadKey& key) const {
  std::lock_guard lock(mutex_);
  const auto it = parts_.find(ClientKey(key));
  if (it == parts_.end() || !Resumes(it->second, key) || !shared_->IsParked(it->second.object)) return 0;
  return it->second.progress.received;
}

// What needs no room: nothing when the upload has to begin with its first byte.
std::optional<SharedMemoryStore::Begins> SharedMemoryStore::BeginAtOnce(const UploadKey& key) {
  const auto it = parts_.find(ClientKey(key));
  if (it == parts_.end()) return std::nullopt;
  Part& part = it->second;
  if (part.active) {
    return absl::AbortedError(absl::StrCat("another stream of client \"", key.client, "\" is uploading an update"));
  }
  if (!Resumes(part, key)) return std::nullopt;
  auto object = shared_->Unpark(part.object);
  if (!object.ok()) return std::nullopt;
  part.active = true;
  return std::make_unique<MemoryUpload>(this, key, *std::move(object), part.progress);
}

Store::Ticket SharedMemoryStore::Begin(const UploadKey& key, WorkerPool* workers, Begun begun) {
  std::optional<Begins> at_once;
  {
    std::lock_guard lock(mutex_);
    at_once = BeginAtOnce(key);
  }
  if (at_once) {
    auto upload = std::make_shared<Begins>(*std::move(at_once));
    workers->Run([upload, begun = std::move(begun)] { begun(std::move(*upload)); });
    return 0;
  }
  return shared_->Create(key.bytes, [this, key, workers, begun](absl::StatusOr<WritableObject> created) {
    auto object = std::make_shared<absl::StatusOr<WritableObject>>(std::move(created));
    workers->Run([this, key, object, begun] { begun(BeginIn(key, std::move(*object))); });
  });
}

// `object` is the upload's, unless another stream was faster.
SharedMemoryStore::Begins SharedMemoryStore::BeginIn(const UploadKey& key, absl::StatusOr<WritableObject> object) {
  std::optional<WritableObject> other;  // Given up after the lock is released.
  std::lock_guard lock(mutex_);
  if (std::optional<Begins> at_once = BeginAtOnce(key)) return *std::move(at_once);
  CAIRN_RETURN_IF_ERROR(object.status());
  Part& part = parts_[ClientKey(key)];
  if (auto dropped = shared_->Unpark(part.object); dropped.ok()) other.emplace(*std::move(dropped));
  part = Part{.key = key, .active = true};
  return std::make_unique<MemoryUpload>(this, key, *std::move(object), Progress{});
}

void SharedMemoryStore::Ended(const UploadKey& key, std::optional<WritableObject> object, Progress progress) {
  const bool resumable = object.has_value() && !key.sha256.empty();
  const ObjectKey parked = resumable ? std::move(*object).Park() : ObjectKey{};
  object.reset();  // Before another stream of the client may begin: its room is the first that is free.
  std::lock_guard lock(mutex_);
  const auto it = parts_.find(ClientKey(key));
  if (it == parts_.end()) return;
  if (resumable) {
    it->second = Part{.key = key, .object = parked, .progress = progress};
  } else {
    parts_.erase(it);
  }
}

absl::Status SharedMemoryStore::Seal(std::unique_ptr<Upload> upload, const std::string& sha256) {
  auto& memory = static_cast<MemoryUpload&>(*upload);
  CAIRN_RETURN_IF_ERROR(CAIRN_FAILPOINT("store.before_seal"));
  CAIRN_ASSIGN_OR_RETURN(const ObjectKey object, memory.Seal());
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = sealed_.try_emplace({memory.key().federation, UpdateName(memory.key().client, sha256)}, object).second;
  }
  // The first seal stands: its bytes may have been acknowledged.
  return first ? absl::OkStatus() : shared_->Remove(object);
}

absl::StatusOr<std::shared_ptr<const Blob>> SharedMemoryStore::Find(const std::string& federation,
                                                                    const std::string& name) {
  std::optional<ObjectKey> object;
  {
    std::lock_guard lock(mutex_);
    const auto it = sealed_.find({federation, name});
    if (it != sealed_.end()) object = it->second;
  }
  if (!object) return absl::NotFoundError(absl::StrCat("no update ", name, " of ", federation));
  CAIRN_ASSIGN_OR_RETURN(ReadableObject bytes, shared_->Get(*object));
  return std::make_shared<SharedBlob>(std::move(bytes));
}

void SharedMemoryStore::Remove(const std::string& federation, const std::string& name) {
  ObjectKey object;
  {
    std::lock_guard lock(mutex_);
    const auto found = sealed_.extract({federation, name});
    if (found.empty()) return;
    object = found.mapped();
  }
  shared_->Remove(object).IgnoreError();  // Cannot fail: nobody else removes it.
}

absl::Status SharedMemoryStore::Retain(const std::string& federation, std::uint64_t round,
                                       absl::Span<const std::string> names) {
  const std::set<absl::string_view> kept(names.begin(), names.end());
  std::vector<ObjectKey> removed, parked;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(sealed_, [&](const auto& entry) {
      const bool drop = entry.first.first == federation && kept.count(entry.first.second) == 0;
      if (drop) removed.push_back(entry.second);
      return drop;
    });
    std::erase_if(parts_, [&](const auto& entry) {
      const Part& part = entry.second;
      const bool drop = !part.active && part.key.federation == federation && part.key.round != round;
      if (drop) parked.push_back(part.object);
      return drop;
    });
  }
  absl::Status status;
  for (const ObjectKey& object : removed) status.Update(shared_->Remove(object));
  Drop(parked);
  return status;
}

void SharedMemoryStore::Drop(const std::vector<ObjectKey>& parked) {
  for (const ObjectKey& object : parked) shared_->Unpark(object).IgnoreError();  // Its handle ends here.
}

}  // namespace

std::unique_ptr<Store> OpenMemoryStore(SharedStore* shared) { return std::make_unique<SharedMemoryStore>(shared); }

}  // namespace cairn
