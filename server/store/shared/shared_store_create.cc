// The line of writers: who waits for the budget, then for the memory, and who makes it.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/store/shared/shared_store.h"

namespace cairn {

SharedStore::Ticket SharedStore::Create(std::uint64_t bytes,
                                        std::function<void(absl::StatusOr<WritableObject>)> created) {
  return Enter(kAgentEpoch, bytes, [this, created = std::move(created)](absl::StatusOr<Started> started) {
    if (!started.ok()) return created(started.status());
    created(WritableObject(this, started->entry.key, absl::MakeSpan(started->data, started->entry.bytes)));
  });
}

SharedStore::Ticket SharedStore::CreateFor(Epoch epoch, std::uint64_t bytes,
                                           std::function<void(absl::StatusOr<Lent>)> created) {
  const absl::Status alive = Renew(epoch);
  if (!alive.ok()) {
    created(alive);
    return 0;
  }
  return Enter(epoch, bytes, [created = std::move(created)](absl::StatusOr<Started> started) {
    if (!started.ok()) return created(started.status());
    Lent lent{.entry = started->entry};
    if (started->fd != nullptr) lent.file = std::move(*started->fd);
    lent.fd = lent.file.get();
    created(std::move(lent));
  });
}

bool SharedStore::Cancel(Ticket ticket) {
  Writer writer;
  {
    std::lock_guard lock(mutex_);
    auto found = writers_.extract(ticket);
    if (found.empty()) return false;
    writer = std::move(found.mapped());
    std::erase(for_memory_, ticket);
  }
  GiveUpPlace(writer);
  Settle({});
  return true;
}

absl::Status SharedStore::CheckSize(std::uint64_t bytes) const {
  if (bytes == 0) return absl::InvalidArgumentError("an object of 0 bytes: expected at least 1");
  if (bytes <= options_.budget && SlabBytes(bytes) <= options_.budget) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("an object of ", bytes, " bytes, in whole huge pages, never fits: ",
                                                   "the store's budget is ", options_.budget, " bytes"));
}

SharedStore::Ticket SharedStore::Enter(Epoch epoch, std::uint64_t bytes, Created created) {
  const absl::Status size = CheckSize(bytes);
  if (!size.ok()) {
    created(size);
    return 0;
  }
  const std::uint64_t slab_bytes = SlabBytes(bytes);
  const Ticket ticket = JoinLine({epoch, bytes, slab_bytes, std::move(created)});
  const ByteBudget::Ticket budget_ticket =
      budget_.Acquire(slab_bytes, [this, ticket, slab_bytes] { Granted(ticket, slab_bytes); });
  bool left;
  {
    std::lock_guard lock(mutex_);
    const auto it = writers_.find(ticket);
    left = it == writers_.end();
    if (!left) it->second.budget_ticket = budget_ticket;
  }
  if (left) budget_.Cancel(budget_ticket);  // Or it was served: then this does nothing.
  Settle({});
  return ticket;
}

SharedStore::Ticket SharedStore::JoinLine(Writer writer) {
  std::lock_guard lock(mutex_);
  const Ticket ticket = next_ticket_++;
  if (closing_) {
    left_.push_back({std::move(writer), absl::CancelledError("the store is closing")});
  } else {
    writers_.emplace(ticket, std::move(writer));
  }
  return ticket;
}

// Runs inside the budget's calls, after each of which comes Settle.
void SharedStore::Granted(Ticket ticket, std::uint64_t slab_bytes) {
  std::lock_guard lock(mutex_);
  const auto it = writers_.find(ticket);
  if (it == writers_.end()) {
    unclaimed_ += slab_bytes;
    return;
  }
  it->second.place = Place::kMemory;
  for_memory_.push_back(ticket);
}

// REQUIRES: mutex_ held. What to do, without it, for the next in line; null when all have to wait.
std::function<void()> SharedStore::ServeNext() {
  if (for_memory_.empty()) return nullptr;
  if (auto make = ReserveFor(for_memory_.front())) return make;
  // The first waits for processes to let go of memory that is promised to it. Idle slabs are of no use to it.
  for (std::size_t i = 1; i < for_memory_.size(); ++i) {
    if (auto begin = ReuseFor(for_memory_[i])) return begin;
  }
  return nullptr;
}

// REQUIRES: mutex_ held, for the next three. Null: it has to wait.
std::function<void()> SharedStore::ReuseFor(Ticket ticket) {
  const Writer& writer = writers_.at(ticket);
  const std::optional<SlabRef> idle = objects_.slabs().TakeIdle(writer.epoch, writer.slab_bytes);
  if (!idle) return nullptr;
  std::erase(for_memory_, ticket);
  return Begin(std::move(writers_.extract(ticket).mapped()), *idle);
}

std::function<void()> SharedStore::ReserveFor(Ticket ticket) {
  if (auto begin = ReuseFor(ticket)) return begin;
  Writer& writer = writers_.at(ticket);
  const std::optional<SlabRef> slab = objects_.slabs().Reserve(writer.epoch, writer.slab_bytes);
  if (!slab) return nullptr;
  std::erase(for_memory_, ticket);
  writer.place = Place::kMaking;
  const bool agent = writer.epoch == kAgentEpoch;
  auto make = [this, ticket, slab = *slab, agent, bytes = writer.slab_bytes] { MakeSlab(ticket, slab, agent, bytes); };
  if (!agent) return make;
  keeper_.Run(std::move(make));  // Touching cold pages takes a while, which the caller may not have.
  return [] {};
}

std::function<void()> SharedStore::Made(Ticket ticket, SlabRef slab, std::uint64_t bytes,
                                        absl::StatusOr<SlabMemory> memory) {
  auto writer = writers_.extract(ticket);  // Empty: it has left the line.
  const absl::Status status = memory.status();
  if (status.ok()) {
    objects_.slabs().Install(slab, *std::move(memory));
    if (!writer.empty()) return Begin(std::move(writer.mapped()), slab);
    objects_.slabs().Give(slab);
  } else {
    objects_.slabs().Cancel(slab);
    if (!writer.empty()) return Refuse(std::move(writer.mapped()), status);
  }
  return [this, bytes] { budget_.Release(bytes); };
}

void SharedStore::MakeSlab(Ticket ticket, SlabRef slab, bool agent, std::uint64_t bytes) {
  absl::StatusOr<SlabMemory> memory = agent ? MakeAgentSlab(bytes) : MakeWorkerSlab(bytes);
  Due due;
  {
    std::lock_guard lock(mutex_);
    due.next = Made(ticket, slab, bytes, std::move(memory));
  }
  Settle(std::move(due));
}

// REQUIRES: mutex_ held, `slab` in use. What to tell the writer.
std::function<void()> SharedStore::Begin(Writer writer, SlabRef slab) {
  absl::StatusOr<Started> started = Start(writer, slab);
  if (!started.ok()) {
    objects_.slabs().Give(slab);
    return Refuse(std::move(writer), started.status());
  }
  return [created = std::move(writer.created), started = *std::move(started)] { created(started); };
}

// REQUIRES: mutex_ held. After an error everything is as before.
absl::StatusOr<SharedStore::Started> SharedStore::Start(const Writer& writer, SlabRef slab) {
  Slabs& slabs = objects_.slabs();
  Started started{.data = slabs.memory(slab).mapping.data()};
  const bool lend = writer.epoch != kAgentEpoch && !slabs.IsHolder(slab, writer.epoch);
  if (lend) {
    CAIRN_ASSIGN_OR_RETURN(UniqueFd fd, Duplicate(slabs.memory(slab).fd.get()));
    started.fd = std::make_shared<UniqueFd>(std::move(fd));
  }
  CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, objects_.Add(writer.epoch, slab, writer.bytes, clock().Now()));
  if (lend) slabs.AddHolder(slab, writer.epoch);
  started.entry = objects_.table().entry(key.entry);
  return started;
}

std::function<void()> SharedStore::Refuse(Writer writer, absl::Status why) {
  return [this, writer = std::move(writer), why = std::move(why)] {
    budget_.Release(writer.slab_bytes);
    writer.created(why);
  };
}

// Of who is out of the line already. While its slab is made, whoever comes with it finds that the writer has gone.
void SharedStore::GiveUpPlace(const Writer& writer) {
  if (writer.place == Place::kMemory) budget_.Release(writer.slab_bytes);
  // Too late: then Granted finds that it has gone.
  if (writer.place == Place::kBudget && writer.budget_ticket != 0) budget_.Cancel(writer.budget_ticket);
}

// REQUIRES: mutex_ held. Takes the writers of this epoch, or all, out of the line.
void SharedStore::LeaveAll(std::optional<Epoch> epoch, const absl::Status& why) {
  for (auto it = writers_.begin(); it != writers_.end();) {
    if (epoch && it->second.epoch != *epoch) {
      ++it;
      continue;
    }
    std::erase(for_memory_, it->first);
    left_.push_back({std::move(it->second), why});
    it = writers_.erase(it);
  }
}

}  // namespace cairn
