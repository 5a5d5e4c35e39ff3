#include "server/store/shared/objects.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<Objects> Objects::Create(std::uint64_t budget, std::uint32_t entries, absl::Duration lease_time) {
  CAIRN_ASSIGN_OR_RETURN(ObjectTable table, ObjectTable::Create(entries));
  return Objects(std::move(table), budget, lease_time);
}

Epoch Objects::Open(ProcessId process, absl::Time now) { return sessions_.Open(process, now); }

void Objects::Close(Epoch epoch) {
  DropAll(epoch);
  slabs_.DropHolder(epoch);
  sessions_.Close(epoch);
}

absl::Status Objects::Renew(Epoch epoch, absl::Time now) {
  if (epoch == kAgentEpoch) return absl::OkStatus();
  // Late or not: as long as nobody fenced it, nothing was taken from it.
  CAIRN_RETURN_IF_ERROR(sessions_.Renew(epoch, now));
  next_fence_ = std::min(next_fence_, now + sessions_.lease_time());
  return absl::OkStatus();
}

void Objects::FenceLate(absl::Time now) {
  const auto holds = [this](Epoch epoch) { return Holds(epoch); };
  for (const auto& session : sessions_.Fence(now, holds)) {
    fenced_.push_back(session);
    DropAll(session.first);  // Not its mappings: they are there until it ends, or wakes and lets go.
  }
  next_fence_ = sessions_.NextFence(holds);
}

bool Objects::Holds(Epoch epoch) const {
  return leases_.Holds(epoch) || writing_.count(epoch) != 0 || slabs_.RetiredOf(epoch).has_value();
}

std::set<Epoch> Objects::TakeToTell(absl::Time now) {
  std::set<Epoch> to_tell = slabs_.TakeToTell();
  for (Epoch epoch : to_tell) sessions_.Ask(epoch, now);
  if (!to_tell.empty()) next_fence_ = std::min(next_fence_, now + sessions_.lease_time());
  return to_tell;
}

void Objects::Dropped(Epoch epoch, SlabRef slab, absl::Time now) {
  slabs_.DropHolder(slab, epoch);
  sessions_.Ask(epoch, now);  // There may be more: each has its time.
}

void Objects::DropAll(Epoch epoch) {
  for (std::uint32_t object : leases_.RemoveAll(epoch)) RestIfUnused(table_.entry(object).key);
  slabs_.EndWriter(epoch);  // First: what is given back below must not wait for a writer that will not come.
  const auto writing = writing_.extract(epoch);
  if (writing.empty()) return;
  for (std::uint32_t object : writing.mapped()) GiveSlab(table_.entry(object).key);
}

absl::StatusOr<ObjectKey> Objects::Add(Epoch writer, SlabRef slab, std::uint64_t bytes, absl::Time now) {
  const bool agent = writer == kAgentEpoch;
  ProcessId owner = table_.agent();
  if (!agent) {
    CAIRN_ASSIGN_OR_RETURN(owner, sessions_.Find(writer));
  }
  CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, table_.Add(bytes, slab, owner, writer));
  writing_[writer].insert(key.entry);
  if (agent) return key;
  sessions_.Ask(writer, now);  // It may have waited for long: its lease time begins now.
  next_fence_ = std::min(next_fence_, now + sessions_.lease_time());
  return key;
}

absl::Status Objects::CheckWriter(Epoch writer, const ObjectKey& key) const {
  CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, table_.view().Find(key));
  if (entry.epoch != writer) {
    return absl::PermissionDeniedError(absl::StrCat("object ", key.ToHex(), " belongs to epoch ", entry.epoch,
                                                    ", process ", entry.owner_pid, "; asked by epoch ", writer));
  }
  if (entry.state == ObjectState::kWriting) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("object ", key.ToHex(), " is sealed already"));
}

absl::Status Objects::Seal(Epoch writer, const ObjectKey& key, std::uint32_t crc32c) {
  CAIRN_RETURN_IF_ERROR(CheckWriter(writer, key));
  SlabMemory& memory = slabs_.memory(table_.entry(key.entry).slab);
  if (!memory.sealed) CAIRN_RETURN_IF_ERROR(SealWorkerSlab(memory));
  ForgetWriting(writer, key.entry);
  used_[key.entry] = ++uses_;
  table_.SetSealed(key, crc32c);
  RestIfUnused(key);
  return absl::OkStatus();
}

absl::Status Objects::Abandon(Epoch writer, const ObjectKey& key) {
  CAIRN_RETURN_IF_ERROR(CheckWriter(writer, key));
  ForgetWriting(writer, key.entry);
  GiveSlab(key);
  return absl::OkStatus();
}

void Objects::Park(const ObjectKey& key) {
  used_[key.entry] = ++uses_;
  parked_.emplace(used_[key.entry], key.entry);
}

bool Objects::IsParked(const ObjectKey& key) const {
  return table_.view().Find(key).ok() && parked_.count(used_[key.entry]) != 0;
}

bool Objects::Unpark(const ObjectKey& key) {
  if (!IsParked(key)) return false;
  parked_.erase(used_[key.entry]);
  return true;
}

bool Objects::GiveUpParked() {
  if (parked_.empty()) return false;
  const ObjectKey key = table_.entry(parked_.begin()->second).key;
  parked_.erase(parked_.begin());
  return Abandon(kAgentEpoch, key).ok();
}

void Objects::ForgetWriting(Epoch writer, std::uint32_t object) {
  const auto it = writing_.find(writer);
  it->second.erase(object);
  if (it->second.empty()) writing_.erase(it);
}

absl::StatusOr<ObjectEntry> Objects::Get(Epoch reader, const ObjectKey& key) {
  CAIRN_ASSIGN_OR_RETURN(ObjectEntry entry, table_.view().Find(key));
  if (entry.state == ObjectState::kWriting) {
    return absl::NotFoundError(absl::StrCat("object ", key.ToHex(), " is not sealed yet"));
  }
  if (entry.state == ObjectState::kRemoved) {
    return absl::NotFoundError(absl::StrCat("object ", key.ToHex(), " was removed"));
  }
  if (entry.state == ObjectState::kSealed) {
    unused_.erase(used_[key.entry]);
    leases_.Add(reader, key.entry);
  }
  used_[key.entry] = ++uses_;
  return entry;
}

absl::Status Objects::Release(Epoch reader, const ObjectKey& key) {
  CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, table_.view().Find(key));
  if (!leases_.Remove(reader, key.entry)) {
    return absl::FailedPreconditionError(absl::StrCat("epoch ", reader, " has no lease of object ", key.ToHex()));
  }
  RestIfUnused(entry.key);
  return absl::OkStatus();
}

absl::Status Objects::Remove(const ObjectKey& key) {
  CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, table_.view().Find(key));
  if (entry.state == ObjectState::kWriting) {
    return absl::FailedPreconditionError(absl::StrCat("object ", key.ToHex(), " is not sealed yet"));
  }
  if (entry.state == ObjectState::kRemoved) {
    return absl::NotFoundError(absl::StrCat("object ", key.ToHex(), " was removed"));
  }
  if (entry.state == ObjectState::kSpilled) {
    // Only the name goes: who maps the file keeps it.
    freed_.files.push_back(key);
    table_.Free(key);
    return absl::OkStatus();
  }
  unused_.erase(used_[key.entry]);
  table_.SetState(key, ObjectState::kRemoved);
  RestIfUnused(key);
  return absl::OkStatus();
}

void Objects::RestIfUnused(const ObjectKey& key) {
  if (leases_.Held(key.entry)) return;
  const ObjectState state = table_.entry(key.entry).state;
  if (state == ObjectState::kSealed) unused_.emplace(used_[key.entry], key.entry);
  if (state == ObjectState::kRemoved) GiveSlab(key);
}

void Objects::GiveSlab(const ObjectKey& key) {
  const SlabRef slab = table_.entry(key.entry).slab;
  freed_.bytes += slabs_.bytes(slab);
  table_.Free(key);  // Before the slab can have other bytes: see TableView::StillValid.
  slabs_.Give(slab);
}

std::vector<Objects::Orphan> Objects::Orphans() const {
  std::vector<Orphan> orphans;
  for (std::uint32_t i = 0; i < table_.view().entries(); ++i) {
    const ObjectEntry& entry = table_.entry(i);
    const bool sealed = entry.state == ObjectState::kSealed || entry.state == ObjectState::kSpilled;
    if (!sealed || entry.epoch == kAgentEpoch || sessions_.Has(entry.epoch)) continue;
    orphans.push_back({entry.key, {entry.owner_pid, entry.owner_start}});
  }
  return orphans;
}

std::optional<ObjectKey> Objects::OldestUnused() const {
  if (unused_.empty()) return std::nullopt;
  return table_.entry(unused_.begin()->second).key;
}

bool Objects::EndSpill(Epoch spiller, const ObjectKey& key, bool written) {
  leases_.Remove(spiller, key.entry);
  const ObjectEntry& entry = table_.entry(key.entry);
  if (!written || entry.state != ObjectState::kSealed || leases_.Held(key.entry)) {
    freed_.files.push_back(key);
    RestIfUnused(key);
    return false;
  }
  const SlabRef slab = entry.slab;
  freed_.bytes += slabs_.bytes(slab);
  table_.SetState(key, ObjectState::kSpilled);
  slabs_.Give(slab);
  return true;
}

}  // namespace cairn
