// What a change of the objects makes due: budget that is free, files to remove, processes and writers to tell. It is
// taken in the critical section of the change, so that the thread which made it also does it, before its call returns.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/store/shared/shared_store.h"

namespace cairn {
namespace {

// The store that this thread settles. A callback may change the store again; then the outermost call serves the line of
// writers, however long it is, and the stack stays as it is.
thread_local const SharedStore* settling = nullptr;

}  // namespace

absl::Status SharedStore::Change(absl::FunctionRef<absl::Status()> change) {
  absl::Status status;
  Due due;
  {
    std::lock_guard lock(mutex_);
    status = change();
    due = TakeDue();
  }
  Settle(std::move(due));
  return status;
}

void SharedStore::ChangeSurely(absl::FunctionRef<void()> change) {
  Change([&] {
    change();
    return absl::OkStatus();
  }).IgnoreError();
}

absl::Status SharedStore::ChangeFor(Epoch epoch, absl::FunctionRef<absl::Status()> change) {
  return Change([&]() -> absl::Status {
    CAIRN_RETURN_IF_ERROR(objects_.Renew(epoch, clock().Now()));
    return change();
  });
}

bool SharedStore::Due::Empty() const {
  return freed.bytes == 0 && freed.files.empty() && fenced.empty() && left.empty() && unmap.empty() &&
         on_retired == nullptr && next == nullptr;
}

// REQUIRES: mutex_ held. All but the next writer's turn.
SharedStore::Due SharedStore::TakeDue() {
  Due due;
  due.freed = objects_.TakeFreed();
  due.freed.bytes += std::exchange(unclaimed_, 0);
  due.fenced = objects_.TakeFenced();
  for (const auto& [epoch, process] : due.fenced) {  // At once: nobody may begin an object for them any more.
    LeaveAll(epoch, absl::FailedPreconditionError(absl::StrCat("epoch ", epoch, " was fenced while it waited")));
  }
  due.left = std::exchange(left_, {});
  due.unmap = objects_.slabs().TakeToUnmap();
  due.to_tell = objects_.TakeToTell(clock().Now());
  if (!due.to_tell.empty()) due.on_retired = on_retired_;
  return due;
}

// Large ones take longer than whoever is here may have.
void SharedStore::Unmap(std::vector<Slabs::Unmapping> slabs) {
  keeper_.Run([this, slabs = std::make_shared<std::vector<Slabs::Unmapping>>(std::move(slabs))] {
    for (Slabs::Unmapping& slab : *slabs) slab.memory.reset();
    ChangeSurely([&] {
      for (const Slabs::Unmapping& slab : *slabs) objects_.slabs().Unmapped(slab.slab);
    });
  });
}

// REQUIRES: mutex_ not held. Does what is due, until nothing is: it may be anybody's turn.
void SharedStore::Settle(Due due) {
  const SharedStore* const outer = std::exchange(settling, this);
  for (bool more = true; more;) {
    Carry(std::move(due));
    const bool waiting = budget_.waiting() != 0;
    std::lock_guard lock(mutex_);
    if (waiting) objects_.GiveUpParked();  // One: it may be enough.
    std::function<void()> next = outer == this ? nullptr : ServeNext();
    due = TakeDue();
    due.next = std::move(next);
    more = !due.Empty();
  }
  settling = outer;
  SpillForWaiting();
}

// Memory first, so that whoever is told finds it free.
void SharedStore::Carry(Due due) {
  for (const ObjectKey& key : due.freed.files) files_.Remove(key);
  if (!due.unmap.empty()) Unmap(std::move(due.unmap));
  for (const Left& left : due.left) GiveUpPlace(left.writer);
  if (due.freed.bytes != 0) budget_.Release(due.freed.bytes);
  if (!due.fenced.empty()) {
    std::lock_guard lock(mutex_);
    totals_.fenced += due.fenced.size();
  }
  for (const Left& left : due.left) left.writer.created(left.why);
  for (const auto& [epoch, process] : due.fenced) {
    if (options_.on_fenced) options_.on_fenced(process);
  }
  if (due.on_retired) {
    for (Epoch epoch : due.to_tell) due.on_retired(epoch);
  }
  if (due.next) due.next();
}

}  // namespace cairn
