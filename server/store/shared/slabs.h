// Shared memory in pieces of whole huge pages, each of which holds one object at a time, and is kept, warm, for the
// next one of its size. A slab has one process that can write it, for all its life: the agent, or the worker for which
// it was made (docs/adr/0013).
//
// A slab is memory until the last process has let go of it, whatever the agent does: so what is mapped anywhere counts,
// and stays under the capacity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/files.h"
#include "server/store/shared/memfd.h"
#include "server/store/shared/object_table.h"

namespace cairn {

// The memory itself.
struct SlabMemory {
  UniqueFd fd;          // Read-only once it is sealed.
  bool sealed = false;  // Nobody can map it for writing who does not do so already.
  Mapping mapping;      // The agent's, of a worker's slab only when the agent needs it.
};
// For the agent to write: prefaulted and sealed. Takes a while when it is large.
absl::StatusOr<SlabMemory> MakeAgentSlab(std::uint64_t bytes);
// For a worker to map and to prefault; to be sealed before anybody else has it. Its size is sealed from the start:
// what a worker does to it cannot end the agent that reads it, nor take memory beyond it.
absl::StatusOr<SlabMemory> MakeWorkerSlab(std::uint64_t bytes);
absl::Status SealWorkerSlab(SlabMemory& memory);

// Who has which slab. Not thread-safe.
class Slabs {
 public:
  explicit Slabs(std::uint64_t capacity);

  // Memory that is given up. To unmap it takes a while: whoever holds the lock hands that to somebody else.
  struct Unmapping {
    SlabRef slab;
    std::unique_ptr<SlabMemory> memory;
  };

  // An idle slab of exactly this size, of this writer: it is in use now. REQUIRES, here and below: whole huge pages.
  std::optional<SlabRef> TakeIdle(Epoch writer, std::uint64_t bytes);
  // Room for a new slab, for which idle ones are given up. None: it has to be unmapped here first, or processes have to
  // let go of it.
  std::optional<SlabRef> Reserve(Epoch writer, std::uint64_t bytes);
  void Install(SlabRef slab, SlabMemory memory);  // It is in use now.
  void Cancel(SlabRef slab);                      // Of a reservation.
  // No longer in use: idle, or retired when its writer is no more.
  void Give(SlabRef slab);
  // That process will write no more: what it alone could write is of use as long as it is in use.
  void EndWriter(Epoch writer);

  bool IsHolder(SlabRef slab, Epoch epoch) const { return slabs_[slab.index].holders.count(epoch) != 0; }
  // A process maps the slab. False: it did already.
  bool AddHolder(SlabRef slab, Epoch epoch);
  // It does not any more; nothing happens when it never did.
  void DropHolder(SlabRef slab, Epoch epoch);
  void DropHolder(Epoch epoch);  // Of all slabs.
  // A retired slab that the process still maps.
  std::optional<SlabRef> RetiredOf(Epoch epoch) const;
  // Processes that map slabs which were retired since the last call.
  std::set<Epoch> TakeToTell() { return std::exchange(to_tell_, {}); }

  // What was given up since the last call, to be destroyed; until Unmapped says so, it counts.
  std::vector<Unmapping> TakeToUnmap() { return std::exchange(to_unmap_, {}); }
  void Unmapped(SlabRef slab);

  SlabMemory& memory(SlabRef slab) { return *slabs_[slab.index].memory; }
  std::uint64_t bytes(SlabRef slab) const { return slabs_[slab.index].bytes; }
  std::uint64_t mapped() const { return mapped_; }             // In use, idle and retired.
  std::uint64_t retired() const { return retired_ - going_; }  // Of these: what waits for processes to let go.
  std::uint64_t idle() const;                                  // And what is warm and free.

 private:
  enum class State { kNone, kReserved, kInUse, kIdle, kRetired };
  struct Slab {
    State state = State::kNone;
    std::uint32_t incarnation = 0;
    std::uint64_t bytes = 0;
    Epoch writer = kAgentEpoch;
    bool writer_ended = false;
    bool unmapping = false;  // Its memory was given up, and may still be mapped here.
    std::unique_ptr<SlabMemory> memory;
    std::set<Epoch> holders;
  };

  bool Is(SlabRef slab) const { return slabs_[slab.index].incarnation == slab.incarnation; }
  void MakeRoom(std::uint64_t bytes);
  void Evict(std::deque<std::uint32_t>::iterator idle);
  void Retire(std::uint32_t index);
  void Erase(std::uint32_t index);

  const std::uint64_t capacity_;
  std::uint64_t mapped_ = 0;
  std::uint64_t retired_ = 0;
  std::uint64_t going_ = 0;  // Of these: what no other process maps, so that it goes by itself.
  std::vector<Slab> slabs_;
  std::vector<std::uint32_t> free_;
  std::deque<std::uint32_t> idle_;  // Oldest first.
  std::set<Epoch> to_tell_;
  std::vector<Unmapping> to_unmap_;
};

}  // namespace cairn
