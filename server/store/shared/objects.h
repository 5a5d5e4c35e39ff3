// What the agent knows of its objects, and every change of their state. No threads, no waiting, no clock: what this
// says can be tested call by call. SharedStore puts a lock, a budget and a line of waiting writers around it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/store/shared/leases.h"
#include "server/store/shared/object_table.h"
#include "server/store/shared/sessions.h"
#include "server/store/shared/slabs.h"

namespace cairn {

class Objects {
 public:
  static absl::StatusOr<Objects> Create(std::uint64_t budget, std::uint32_t entries, absl::Duration lease_time);

  // Sessions. Everything a session holds goes with it: leases, and objects that it did not seal.
  Epoch Open(ProcessId process, absl::Time now);
  void Close(Epoch epoch);
  // What each request of a session begins with: FAILED_PRECONDITION when it was fenced. The agent itself never is.
  absl::Status Renew(Epoch epoch, absl::Time now);
  // Fences sessions that are late. To be called at NextFence(), which may be early.
  void FenceLate(absl::Time now);
  absl::Time NextFence() const { return next_fence_; }
  // Sessions that should let go of a slab since the last call. They are fenced if they do not within the lease time.
  std::set<Epoch> TakeToTell(absl::Time now);
  // The session has let go of a slab; also of one that was fenced.
  void Dropped(Epoch epoch, SlabRef slab, absl::Time now);
  // Those that were fenced since the last call.
  std::vector<std::pair<Epoch, ProcessId>> TakeFenced() { return std::exchange(fenced_, {}); }

  // Begins an object of `bytes` in a slab that is in use from now on. RESOURCE_EXHAUSTED: too many objects.
  absl::StatusOr<ObjectKey> Add(Epoch writer, SlabRef slab, std::uint64_t bytes, absl::Time now);
  // Its bytes are as they will stay. PERMISSION_DENIED: another's object. FAILED_PRECONDITION: it was sealed before.
  absl::Status Seal(Epoch writer, const ObjectKey& key, std::uint32_t crc32c);
  // Gives up an object that is not sealed. Errors as Seal.
  absl::Status Abandon(Epoch writer, const ObjectKey& key);
  // Nobody writes this object of the agent for now: GiveUpParked may take it. REQUIRES: it is not sealed, nor parked.
  void Park(const ObjectKey& key);
  // It is written again. False: it was given up.
  bool Unpark(const ObjectKey& key);
  bool IsParked(const ObjectKey& key) const;
  // Gives up what has been parked for longest. False: nothing is.
  bool GiveUpParked();

  // Takes a lease, unless it is spilled: a file lives as long as somebody maps it. NOT_FOUND: it is not
  // sealed yet, or was removed, or as TableView::Find. PERMISSION_DENIED: as TableView::Find.
  absl::StatusOr<ObjectEntry> Get(Epoch reader, const ObjectKey& key);
  // FAILED_PRECONDITION: no such lease.
  absl::Status Release(Epoch reader, const ObjectKey& key);
  // Nobody new may have it; it goes when the last lease does. FAILED_PRECONDITION: it is not sealed.
  absl::Status Remove(const ObjectKey& key);

  // Sealed objects of processes whose session has ended, and whose they were.
  struct Orphan {
    ObjectKey key;
    ProcessId owner;
  };
  std::vector<Orphan> Orphans() const;

  // The sealed object without leases that was used longest ago.
  std::optional<ObjectKey> OldestUnused() const;
  // Ends the lease that the spiller took. True: the object is in its file now, and has left its slab.
  bool EndSpill(Epoch spiller, const ObjectKey& key, bool written);

  // Since the last call: budget that is free again, and files that no object has any more.
  struct Freed {
    std::uint64_t bytes = 0;
    std::vector<ObjectKey> files;
  };
  Freed TakeFreed() { return std::exchange(freed_, {}); }

  Slabs& slabs() { return slabs_; }
  const ObjectTable& table() const { return table_; }
  const Leases& leases() const { return leases_; }
  const Sessions& sessions() const { return sessions_; }

 private:
  Objects(ObjectTable table, std::uint64_t budget, absl::Duration lease_time)
      : table_(std::move(table)), slabs_(budget), sessions_(lease_time), used_(table_.view().entries()) {}

  absl::Status CheckWriter(Epoch writer, const ObjectKey& key) const;
  void DropAll(Epoch epoch);
  void RestIfUnused(const ObjectKey& key);
  void GiveSlab(const ObjectKey& key);
  bool Holds(Epoch epoch) const;
  void ForgetWriting(Epoch writer, std::uint32_t object);

  ObjectTable table_;
  Slabs slabs_;
  Leases leases_;
  Sessions sessions_;
  std::map<Epoch, std::set<std::uint32_t>> writing_;  // Objects that are not sealed; none is empty.
  std::vector<std::uint64_t> used_;                   // By entry: when it was last used, in uses of any object.
  std::uint64_t uses_ = 0;
  std::map<std::uint64_t, std::uint32_t> unused_;  // Sealed objects without leases, by their last use.
  std::map<std::uint64_t, std::uint32_t> parked_;  // By when they were parked, in uses too.
  absl::Time next_fence_ = absl::InfiniteFuture();
  std::vector<std::pair<Epoch, ProcessId>> fenced_;
  Freed freed_;
};

}  // namespace cairn
