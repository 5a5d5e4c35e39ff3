// Write-once objects in the shared memory of one node. The agent, the process that opens the store, owns all of it: it
// writes objects in place, and lends them to workers through a StoreAgent. docs/adr/0013 says why it is as it is.
//
// Thread-safe. Whoever has a handle must destroy it before the store.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/worker_pool.h"
#include "server/store/byte_budget.h"
#include "server/store/shared/object_handles.h"
#include "server/store/shared/objects.h"
#include "server/store/shared/spill_files.h"

namespace cairn {

inline constexpr absl::Duration kLeaseTimeMax = absl::Hours(24);  // poll's milliseconds hold it.

struct SharedStoreOptions {
  std::uint64_t budget = 0;  // Bytes of shared memory, all processes together; whole huge pages of it are used.
  std::uint32_t objects_max = 4096;
  absl::Duration lease_time = absl::Seconds(10);  // From 1 ms to kLeaseTimeMax.
  std::filesystem::path spill_directory;          // Empty: what does not fit waits.
  const Clock* clock = nullptr;                   // Must not jump; null: the time since boot.
  // A worker was fenced. It maps what it did until it wakes or ends, so that a supervisor had better kill it: by a
  // pidfd, or after it has compared the start time, since the pid may be another's by now. Called on any thread, the
  // agent's among them: it must not block.
  std::function<void(ProcessId)> on_fenced;
  // A session has ended: what its worker sealed stays, and nothing more will come. On any thread; must not block.
  std::function<void()> on_closed;
};

struct SharedStoreStats {
  std::uint64_t budget_used = 0;  // Bytes of slabs in use, and of those promised.
  std::uint64_t mapped = 0;       // Bytes of memory: slabs in use, idle, retired, and on their way out.
  std::uint64_t retired = 0;      // Of these: what processes have to let go of before it is free.
  std::uint64_t idle = 0;         // Of these: what is warm and free.
  std::size_t objects = 0;        // In any state.
  std::size_t leases = 0;         // Of workers and of the agent.
  std::size_t sessions = 0;       // Workers that are connected.
  std::size_t waiting = 0;        // Writers that wait for room.
  std::uint64_t fenced = 0;       // Workers, since the store was opened.
  std::uint64_t spilled = 0;      // Objects, since the store was opened.
  absl::Status last_spill;        // How the last attempt to spill went.
};

class SharedStore {
 public:
  using Ticket = std::uint64_t;

  // INVALID_ARGUMENT: a budget below one slab, or another option out of its range. RESOURCE_EXHAUSTED: no memory or
  // descriptors for the table.
  static absl::StatusOr<std::unique_ptr<SharedStore>> Open(SharedStoreOptions options);
  // Writers that wait get CANCELLED.
  ~SharedStore();
  SharedStore(const SharedStore&) = delete;
  SharedStore& operator=(const SharedStore&) = delete;

  // For the agent's own threads. `created` runs at once, or when there is room: on this thread, on that which made
  // room, or on the store's; so it must not block, nor wait for another one. The budget is given in order of arrival;
  // who has it and finds a warm slab does not wait for those before it for whom memory has to be had first. It gets
  // INVALID_ARGUMENT for an object of no bytes, RESOURCE_EXHAUSTED for one that can never fit, when all entries are
  // taken, or when the system has no memory or descriptors, and CANCELLED when the store is closing.
  Ticket Create(std::uint64_t bytes, std::function<void(absl::StatusOr<WritableObject>)> created);
  // True: `created` will not run. False: it has, or is about to.
  bool Cancel(Ticket ticket);
  // NOT_FOUND: it has gone, or is not sealed yet. PERMISSION_DENIED: a forged key.
  absl::StatusOr<ReadableObject> Get(const ObjectKey& key);
  // What the table says of an object, whatever its state; no lease. Errors as TableView::Find.
  absl::StatusOr<ObjectEntry> Find(const ObjectKey& key) const { return objects_.table().view().Find(key); }
  // Lets go of a sealed object: it can no longer be had, and its memory is free once the last lease has ended.
  absl::Status Remove(const ObjectKey& key);
  // What workers sealed whose sessions have ended. Somebody may have been told of it, or nobody ever will: only who
  // gave the worker its task knows which, and removes it. Looks at every entry of the table.
  std::vector<Objects::Orphan> Orphans() const;
  // Makes warm slabs ahead of need, as far as there is room: the first objects of a size then cost what later ones do.
  absl::Status Prefault(std::uint64_t bytes, std::size_t slabs);
  // Takes up an object that was parked (WritableObject::Park). NOT_FOUND: somebody waited for room, and it was given
  // up.
  absl::StatusOr<WritableObject> Unpark(const ObjectKey& key);
  bool IsParked(const ObjectKey& key) const;
  SharedStoreStats stats();
  // What the slabs of objects take, and who waits for room.
  const ByteBudget& budget() const { return budget_; }

  // For StoreAgent, which speaks for workers. Each begins with Renew: FAILED_PRECONDITION for one that was fenced.
  struct Lent {
    ObjectEntry entry;
    int fd = -1;    // To be passed on, before anything else is asked of this store. -1: the worker has it.
    UniqueFd file;  // What keeps `fd` open, of a new or a spilled object.
  };
  Epoch OpenSession(ProcessId process);
  void CloseSession(Epoch epoch);
  absl::Status Renew(Epoch epoch);
  Ticket CreateFor(Epoch epoch, std::uint64_t bytes, std::function<void(absl::StatusOr<Lent>)> created);
  absl::Status Seal(Epoch epoch, const ObjectKey& key, std::uint32_t crc32c);
  absl::Status Abandon(Epoch epoch, const ObjectKey& key);
  absl::StatusOr<Lent> GetFor(Epoch epoch, const ObjectKey& key);
  absl::Status Release(Epoch epoch, const ObjectKey& key);
  // A slab that the worker should let go of, if any, and that it has done so. Neither begins with Renew.
  std::optional<SlabRef> RetiredOf(Epoch epoch);
  void Dropped(Epoch epoch, SlabRef slab);
  // Called, without locks held, for each session that should let go of something. Set before the first session; null
  // ends it.
  void OnRetired(std::function<void(Epoch)> handler);
  // Fences who is late. To be called at NextFence().
  void FenceLate();
  absl::Time NextFence() const;
  int table_fd() const { return objects_.table().read_only_fd(); }
  const Clock& clock() const { return *options_.clock; }
  const SharedStoreOptions& options() const { return options_; }

 private:
  friend class WritableObject;

  // An object that a writer may begin.
  struct Started {
    ObjectEntry entry;
    char* data = nullptr;          // Of an agent's object.
    std::shared_ptr<UniqueFd> fd;  // Of a worker's, its own copy: the slab's is closed at the seal. Null: it has it.
  };
  using Created = std::function<void(absl::StatusOr<Started>)>;
  // A writer in line: first for the budget, then for memory that nobody maps any more, then for its pages.
  enum class Place { kBudget, kMemory, kMaking };
  struct Writer {
    Epoch epoch = kAgentEpoch;
    std::uint64_t bytes = 0;
    std::uint64_t slab_bytes = 0;
    Created created;
    ByteBudget::Ticket budget_ticket = 0;  // 0: not known yet.
    Place place = Place::kBudget;
  };
  // One who is out of the line, and is to be told why.
  struct Left {
    Writer writer;
    absl::Status why;
  };
  // What a change of the objects made due, to be done without the lock.
  struct Due {
    Objects::Freed freed;
    std::vector<std::pair<Epoch, ProcessId>> fenced;
    std::vector<Left> left;
    std::vector<Slabs::Unmapping> unmap;
    std::set<Epoch> to_tell;
    std::function<void(Epoch)> on_retired;  // Null when there is nobody to tell.
    std::function<void()> next;             // The next writer's turn.
    bool Empty() const;
  };

  SharedStore(SharedStoreOptions options, Objects objects, SpillFiles files);
  absl::Status Change(absl::FunctionRef<absl::Status()> change);
  void ChangeSurely(absl::FunctionRef<void()> change);  // What cannot fail.
  absl::Status ChangeFor(Epoch epoch, absl::FunctionRef<absl::Status()> change);
  Due TakeDue();
  void Settle(Due due);
  void Carry(Due due);
  void Unmap(std::vector<Slabs::Unmapping> slabs);
  void Park(const ObjectKey& key);
  absl::StatusOr<absl::string_view> BytesOf(const ObjectEntry& entry);

  absl::Status CheckSize(std::uint64_t bytes) const;
  Ticket Enter(Epoch epoch, std::uint64_t bytes, Created created);
  Ticket JoinLine(Writer writer);
  void Granted(Ticket ticket, std::uint64_t slab_bytes);
  std::function<void()> ServeNext();
  std::function<void()> ReuseFor(Ticket ticket);
  std::function<void()> ReserveFor(Ticket ticket);
  std::function<void()> Made(Ticket ticket, SlabRef slab, std::uint64_t bytes, absl::StatusOr<SlabMemory> memory);
  void MakeSlab(Ticket ticket, SlabRef slab, bool agent, std::uint64_t bytes);
  std::function<void()> Begin(Writer writer, SlabRef slab);
  absl::StatusOr<Started> Start(const Writer& writer, SlabRef slab);
  std::function<void()> Refuse(Writer writer, absl::Status why);
  void GiveUpPlace(const Writer& writer);
  void LeaveAll(std::optional<Epoch> epoch, const absl::Status& why);

  void SpillForWaiting();
  void StartSpill();
  void Spill();
  void SpillOne();

  SharedStoreOptions options_;
  const SpillFiles files_;
  ByteBudget budget_;
  mutable std::mutex mutex_;  // Never held while the budget, a callback or the disk is at work.
  Objects objects_;
  std::map<Ticket, Writer> writers_;
  std::deque<Ticket> for_memory_;  // Those who have their budget, in order.
  std::vector<Left> left_;         // Since the last TakeDue.
  std::uint64_t unclaimed_ = 0;    // Bytes of the budget that were granted to who had left.
  bool closing_ = false;           // Nobody may enter the line.
  Ticket next_ticket_ = 1;
  std::function<void(Epoch)> on_retired_;
  bool spilling_ = false;
  absl::Time spill_again_ = absl::InfinitePast();  // Not earlier.
  SharedStoreStats totals_;                        // Only what counts since the store was opened.
  WorkerPool keeper_;  // One thread that makes and unmaps slabs, and spills: last, so that it ends first.
};

}  // namespace cairn
