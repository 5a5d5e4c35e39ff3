// Making room: slabs ahead of need, and objects that leave memory for files.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/store/shared/shared_store.h"

namespace cairn {
namespace {

// Holds a lease of what is being written to a file; no session has this epoch.
constexpr Epoch kSpillerEpoch = ~Epoch{0};

// After an error, as on a full disk: every attempt writes much for nothing.
constexpr absl::Duration kSpillPause = absl::Seconds(1);

}  // namespace

absl::Status SharedStore::Prefault(std::uint64_t bytes, std::size_t slabs) {
  CAIRN_RETURN_IF_ERROR(CheckSize(bytes));
  const std::uint64_t slab_bytes = SlabBytes(bytes);
  for (std::size_t i = 0; i < slabs; ++i) {
    std::optional<SlabRef> slab;
    {
      std::lock_guard lock(mutex_);
      if (objects_.slabs().mapped() + slab_bytes <= options_.budget) {
        slab = objects_.slabs().Reserve(kAgentEpoch, slab_bytes);
      }
    }
    if (!slab) {
      return absl::ResourceExhaustedError(absl::StrCat("prefault ", slabs, " slabs of ", slab_bytes,
                                                       " bytes: there was room for ", i, " in the budget of ",
                                                       options_.budget));
    }
    absl::StatusOr<SlabMemory> memory = MakeAgentSlab(slab_bytes);
    CAIRN_RETURN_IF_ERROR(Change([&] {
      if (!memory.ok()) {
        objects_.slabs().Cancel(*slab);
        return memory.status();
      }
      objects_.slabs().Install(*slab, *std::move(memory));
      objects_.slabs().Give(*slab);
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

void SharedStore::StartSpill() {
  if (!files_.enabled()) return;
  std::lock_guard lock(mutex_);
  if (spilling_ || clock().Now() < spill_again_ || !objects_.OldestUnused()) return;
  spilling_ = true;
  keeper_.Run([this] { Spill(); });
}

// One object, and then it is the turn of those who wait for cold slabs on the same thread.
void SharedStore::Spill() {
  if (budget_.waiting() != 0) SpillOne();
  {
    std::lock_guard lock(mutex_);
    spilling_ = false;
  }
  SpillForWaiting();  // Also for whoever came meanwhile and saw that it was under way.
}

void SharedStore::SpillForWaiting() {
  if (budget_.waiting() != 0) StartSpill();
}

void SharedStore::SpillOne() {
  ObjectKey key;
  absl::StatusOr<absl::string_view> bytes;
  {
    std::lock_guard lock(mutex_);
    const std::optional<ObjectKey> oldest = objects_.OldestUnused();
    if (!oldest) return;  // Every sealed object is in use by now.
    key = *oldest;
    const auto entry = objects_.Get(kSpillerEpoch, key);
    bytes = entry.ok() ? BytesOf(*entry) : entry.status();
  }
  const absl::Status written = bytes.ok() ? files_.Write(key, *bytes) : bytes.status();
  Change([&] {
    totals_.spilled += objects_.EndSpill(kSpillerEpoch, key, written.ok()) ? 1 : 0;
    if (!written.ok()) spill_again_ = clock().Now() + kSpillPause;
    return totals_.last_spill = written;
  }).IgnoreError();
  // Those who wait may be all there are: no change would come.
  if (!written.ok()) keeper_.RunAfter(absl::ToChronoMilliseconds(kSpillPause), [this] { SpillForWaiting(); });
}

}  // namespace cairn
