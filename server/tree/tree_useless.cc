// What rounds do not need any more, and what workers that were lost have left.
#include <algorithm>
#include <set>

#include "server/tree/tree.h"

namespace cairn::tree {

std::vector<ObjectKey> Tree::KeysOf(const v1::SealedPartial& partial) {
  std::vector<ObjectKey> keys;
  for (const std::string& plane : partial.planes()) {
    if (const auto key = ObjectKey::FromHex(plane); key.ok()) keys.push_back(*key);
  }
  return keys;
}

void Tree::RemoveUseless(std::unique_lock<std::mutex>& lock) {
  const std::vector<ObjectKey> useless = TakeUseless();
  lock.unlock();  // The store may have to say that a worker is late.
  for (const ObjectKey& key : useless) store_->Remove(key).IgnoreError();
  lock.lock();
}

// Lets go of what the round does not need any more.
void Tree::Conclude(Round& round) {
  std::vector<PartialId> gone = round.sum.TakeUseless();
  for (const PartialId id : gone) {
    const auto partial = round.partials.find(id);
    if (partial == round.partials.end()) continue;
    const std::vector<ObjectKey> keys = KeysOf(partial->second);
    useless_.insert(useless_.end(), keys.begin(), keys.end());
    round.partials.erase(partial);
  }
}

void Tree::Lose(WorkerId worker) {
  if (sharding_ != nullptr && sharding_->members.count(worker) > 0) {
    sharding_->tasks.erase(worker);
    const auto made = sharding_->made.emplace(worker, absl::UnavailableError("a worker was lost"));
    sharding_->lost = sharding_->lost || made.second;  // One that has finished is not missed.
  }
  for (auto& [key, round] : rounds_) {
    round.sum.Lost(worker);
    round.held.erase(worker);
    Conclude(round);
  }
}

std::vector<ObjectKey> Tree::TakeUseless() {
  for (auto entry = rounds_.begin(); entry != rounds_.end();) {
    Round& round = entry->second;
    const bool held = std::any_of(workers_.begin(), workers_.end(),
                                  [&](const Worker& worker) { return !worker.ended && round.sum.Holds(worker.id); });
    if (!round.over || held) {
      ++entry;
      continue;
    }
    for (const auto& [id, partial] : round.partials) {
      const std::vector<ObjectKey> keys = KeysOf(partial);
      useless_.insert(useless_.end(), keys.begin(), keys.end());
    }
    entry = rounds_.erase(entry);
  }
  FindOrphans();
  return std::exchange(useless_, {});
}

std::set<ObjectKey> Tree::KnownPlanes() const {
  std::set<ObjectKey> known(useless_.begin(), useless_.end());
  for (const auto& [key, round] : rounds_) {
    for (const auto& [id, partial] : round.partials) {
      for (const ObjectKey& plane : KeysOf(partial)) known.insert(plane);
    }
  }
  return known;
}

// What ended workers sealed and no round knows of: the reply was lost with them.
void Tree::FindOrphans() {
  if (!std::exchange(sweep_, false)) return;
  const std::set<ObjectKey> known = KnownPlanes();
  for (const Objects::Orphan& orphan : store_->Orphans()) {
    // Its last reply may be on the way still: Drive looks again.
    const bool told = std::any_of(workers_.begin(), workers_.end(), [&](const Worker& worker) {
      return !worker.ended && worker.link->process() == orphan.owner;
    });
    if (!told && known.count(orphan.key) == 0) useless_.push_back(orphan.key);
  }
}

void Tree::Forget(const std::string& federation, std::uint64_t number) {
  std::vector<ObjectKey> useless;
  {
    std::lock_guard lock(mutex_);
    for (auto& [key, round] : rounds_) round.over = round.over || (key.first == federation && key.second <= number);
    useless = TakeUseless();
  }
  changed_.notify_all();
  for (const ObjectKey& key : useless) store_->Remove(key).IgnoreError();
}

}  // namespace cairn::tree
