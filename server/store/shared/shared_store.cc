#include "server/store/shared/shared_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

const Clock& DefaultClock() {
  static const SteadyClock clock;
  return clock;
}

absl::Status CheckOptions(const SharedStoreOptions& options) {
  if (options.budget < SlabBytes(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("shared memory: expected a budget of at least ", SlabBytes(1), " bytes, got ", options.budget));
  }
  if (options.objects_max < 1 || options.objects_max > limits::kSharedObjectsMax) {
    return absl::InvalidArgumentError(absl::StrCat("shared memory: expected 1 to ", limits::kSharedObjectsMax,
                                                   " objects, got ", options.objects_max));
  }
  if (options.lease_time >= absl::Milliseconds(1) && options.lease_time <= kLeaseTimeMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("shared memory: expected a lease time of 1ms to ",
                                                 absl::FormatDuration(kLeaseTimeMax), ", got ",
                                                 absl::FormatDuration(options.lease_time)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SharedStore>> SharedStore::Open(SharedStoreOptions options) {
  CAIRN_RETURN_IF_ERROR(CheckOptions(options));
  if (options.clock == nullptr) options.clock = &DefaultClock();
  SpillFiles files;
  if (!options.spill_directory.empty()) {
    CAIRN_ASSIGN_OR_RETURN(files, SpillFiles::Open(options.spill_directory));
  }
  CAIRN_ASSIGN_OR_RETURN(Objects objects, Objects::Create(options.budget, options.objects_max, options.lease_time));
  return std::unique_ptr<SharedStore>(new SharedStore(std::move(options), std::move(objects), std::move(files)));
}

SharedStore::SharedStore(SharedStoreOptions options, Objects objects, SpillFiles files)
    : options_(std::move(options)),
      files_(std::move(files)),
      budget_(options_.budget),
      objects_(std::move(objects)),
      keeper_(1) {}

SharedStore::~SharedStore() {
  // All at once: when one leaves it must not be the turn of another.
  ChangeSurely([&] {
    closing_ = true;
    LeaveAll(std::nullopt, absl::CancelledError("the store is closing"));
  });
}

absl::StatusOr<ReadableObject> SharedStore::Get(const ObjectKey& key) {
  std::unique_lock lock(mutex_);
  CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, objects_.Get(kAgentEpoch, key));
  if (entry.state == ObjectState::kSpilled) {
    lock.unlock();
    CAIRN_ASSIGN_OR_RETURN(const UniqueFd file, files_.OpenForReading(key, entry.bytes));
    CAIRN_ASSIGN_OR_RETURN(Mapping mapping, Mapping::Map(file.get(), entry.bytes, Mapping::Access::kRead));
    return ReadableObject(entry, std::move(mapping));
  }
  const absl::StatusOr<absl::string_view> bytes = BytesOf(entry);
  if (bytes.ok()) return ReadableObject(this, entry, *bytes);
  objects_.Release(kAgentEpoch, key).IgnoreError();
  return bytes.status();
}

absl::StatusOr<absl::string_view> SharedStore::BytesOf(const ObjectEntry& entry) {
  SlabMemory& memory = objects_.slabs().memory(entry.slab);
  if (!memory.mapping) {  // A worker's.
    CAIRN_ASSIGN_OR_RETURN(memory.mapping,
                           Mapping::Map(memory.fd.get(), objects_.slabs().bytes(entry.slab), Mapping::Access::kRead));
  }
  return absl::string_view(memory.mapping.data(), entry.bytes);
}

absl::Status SharedStore::Remove(const ObjectKey& key) {
  return Change([&] { return objects_.Remove(key); });
}

void SharedStore::Park(const ObjectKey& key) {
  ChangeSurely([&] { objects_.Park(key); });
}

absl::StatusOr<WritableObject> SharedStore::Unpark(const ObjectKey& key) {
  std::lock_guard lock(mutex_);
  if (!objects_.Unpark(key)) {
    return absl::NotFoundError(absl::StrCat("object ", key.ToHex(), " was given up: others waited for room"));
  }
  const ObjectEntry& entry = objects_.table().entry(key.entry);
  return WritableObject(this, key, {objects_.slabs().memory(entry.slab).mapping.data(), entry.bytes});
}

bool SharedStore::IsParked(const ObjectKey& key) const {
  std::lock_guard lock(mutex_);
  return objects_.IsParked(key);
}

absl::Status SharedStore::Seal(Epoch epoch, const ObjectKey& key, std::uint32_t crc32c) {
  return ChangeFor(epoch, [&] { return objects_.Seal(epoch, key, crc32c); });
}

absl::Status SharedStore::Abandon(Epoch epoch, const ObjectKey& key) {
  return ChangeFor(epoch, [&] { return objects_.Abandon(epoch, key); });
}

absl::Status SharedStore::Release(Epoch epoch, const ObjectKey& key) {
  return ChangeFor(epoch, [&] { return objects_.Release(epoch, key); });
}

Epoch SharedStore::OpenSession(ProcessId process) {
  std::lock_guard lock(mutex_);
  return objects_.Open(process, clock().Now());
}

void SharedStore::CloseSession(Epoch epoch) {
  ChangeSurely([&] {
    LeaveAll(epoch, absl::CancelledError("the session was closed"));
    objects_.Close(epoch);
  });
  if (options_.on_closed) options_.on_closed();
}

std::vector<Objects::Orphan> SharedStore::Orphans() const {
  std::lock_guard lock(mutex_);
  return objects_.Orphans();
}

absl::Status SharedStore::Renew(Epoch epoch) {
  return ChangeFor(epoch, [] { return absl::OkStatus(); });
}

absl::StatusOr<SharedStore::Lent> SharedStore::GetFor(Epoch epoch, const ObjectKey& key) {
  Lent lent;
  CAIRN_RETURN_IF_ERROR(ChangeFor(epoch, [&]() -> absl::Status {
    CAIRN_ASSIGN_OR_RETURN(lent.entry, objects_.Get(epoch, key));
    if (lent.entry.state == ObjectState::kSpilled) return absl::OkStatus();
    Slabs& slabs = objects_.slabs();
    if (slabs.AddHolder(lent.entry.slab, epoch)) lent.fd = slabs.memory(lent.entry.slab).fd.get();
    return absl::OkStatus();
  }));
  if (lent.entry.state != ObjectState::kSpilled) return lent;
  CAIRN_ASSIGN_OR_RETURN(lent.file, files_.OpenForReading(key, lent.entry.bytes));
  lent.fd = lent.file.get();
  return lent;
}

void SharedStore::Dropped(Epoch epoch, SlabRef slab) {
  ChangeSurely([&] { objects_.Dropped(epoch, slab, clock().Now()); });
}

std::optional<SlabRef> SharedStore::RetiredOf(Epoch epoch) {
  std::lock_guard lock(mutex_);
  return objects_.slabs().RetiredOf(epoch);
}

void SharedStore::OnRetired(std::function<void(Epoch)> handler) {
  std::lock_guard lock(mutex_);
  on_retired_ = std::move(handler);
}

void SharedStore::FenceLate() {
  ChangeSurely([&] { objects_.FenceLate(clock().Now()); });
}

absl::Time SharedStore::NextFence() const {
  std::lock_guard lock(mutex_);
  return objects_.NextFence();
}

SharedStoreStats SharedStore::stats() {
  const std::uint64_t used = budget_.used();
  std::lock_guard lock(mutex_);
  SharedStoreStats stats = totals_;
  stats.budget_used = used;
  stats.mapped = objects_.slabs().mapped();
  stats.retired = objects_.slabs().retired();
  stats.idle = objects_.slabs().idle();
  stats.objects = objects_.table().used();
  stats.leases = objects_.leases().size();
  stats.sessions = objects_.sessions().size();
  stats.waiting = writers_.size();
  return stats;
}

}  // namespace cairn
