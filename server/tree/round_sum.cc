#include "server/tree/round_sum.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"

namespace cairn::tree {

void RoundSum::Offer(const UpdateId& update) {
  if (wanted_ && wanted_->count(update) > 0) return;
  wanted_.reset();
  if (offered_.insert(update).second) pending_.push_back(update);
}

void RoundSum::Close(UpdateSet wanted) {
  wanted_ = std::move(wanted);
  failure_ = absl::OkStatus();
  failures_ = 0;
  losses_ = 0;
  starved_ = false;
  attempts_.clear();
  offered_.insert(wanted_->begin(), wanted_->end());
  for (auto& [worker, leaf] : leaves_) {
    if (leaf.useless) continue;
    const std::set<PartialId> inside = PartialsOf(leaf);
    const bool stray = std::any_of(inside.begin(), inside.end(),
                                   [this](PartialId id) { return !AllWanted(partials_.at(id).updates); });
    if (stray || !AllWanted(leaf.own)) GiveUp(leaf);
  }
  std::vector<PartialId> stray;
  for (const auto& [id, partial] : partials_) {
    if (!AllWanted(partial.updates)) stray.push_back(id);
  }
  for (const PartialId id : stray) DiscardPartial(id);
  Refold();
}

// Whatever is wanted and neither covered nor on its way waits to be folded.
void RoundSum::Refold() {
  pending_.clear();
  UpdateSet there = Covered();
  for (const auto& [worker, leaf] : leaves_) {
    if (leaf.useless || !leaf.doing) continue;
    if (const Fold* fold = std::get_if<Fold>(&*leaf.doing)) there.insert(fold->updates.begin(), fold->updates.end());
  }
  for (const UpdateId& update : *wanted_) {
    if (there.count(update) == 0 && refused_.count(update) == 0) pending_.push_back(update);
  }
}

UpdateSet RoundSum::Covered() const {
  UpdateSet covered;
  for (const auto& [worker, leaf] : leaves_) covered.insert(leaf.own.begin(), leaf.own.end());
  for (const auto& [id, partial] : partials_) covered.insert(partial.updates.begin(), partial.updates.end());
  return covered;
}

bool RoundSum::AllWanted(const UpdateSet& updates) const {
  return std::all_of(updates.begin(), updates.end(), [this](const UpdateId& update) { return IsWanted(update); });
}

std::vector<WorkerId> RoundSum::Leaves() const {
  std::vector<WorkerId> leaves;
  for (const auto& [worker, leaf] : leaves_) {
    if (!leaf.useless && (!leaf.empty() || leaf.doing)) leaves.push_back(worker);
  }
  return leaves;
}

bool RoundSum::MayFold(const Leaf& leaf, std::size_t leaves_max) const {
  if (!leaf.empty()) return true;
  const std::size_t folding = Leaves().size();
  return folding < std::max<std::size_t>(1, std::min(leaves_max, leaves_fit_)) &&
         (folding == 0 || pending_.size() > kUpdatesPerLeaf * folding);
}

Action RoundSum::FoldNext() {
  Fold fold;
  while (!pending_.empty() && fold.updates.size() < kUpdatesPerFold) {
    fold.updates.push_back(std::move(pending_.front()));
    pending_.pop_front();
  }
  return fold;
}

std::optional<Action> RoundSum::Next(WorkerId worker, std::size_t leaves_max) {
  if (!failure().ok()) return std::nullopt;
  Leaf& leaf = leaves_[worker];
  if (leaf.doing) return std::nullopt;
  if (leaf.useless) {
    leaf.doing = Drop{};
  } else if (!pending_.empty()) {
    // An open round that costs one worker after the other, or finds no memory, waits until it is closed.
    if (losses_ < kLossesMax && !starved_ && MayFold(leaf, leaves_max)) leaf.doing = FoldNext();
  } else if (wanted_) {
    leaf.doing = Finish(worker, leaf);
  }
  const std::optional<Action> action = leaf.doing;
  if (!action && leaf.empty()) leaves_.erase(worker);
  return action;
}

// Nothing waits to be folded: one worker merges what the others seal.
std::optional<Action> RoundSum::Finish(WorkerId worker, const Leaf& leaf) {
  if (finished()) return std::nullopt;
  if (ChooseTop(worker) != worker) return leaf.empty() ? std::nullopt : std::optional<Action>(Seal{});
  for (auto& [id, partial] : partials_) {
    if (!std::exchange(partial.taken, true)) return Merge{id};
  }
  const bool alone = std::all_of(leaves_.begin(), leaves_.end(), [worker](const auto& entry) {
    return entry.first == worker || (entry.second.empty() && !entry.second.doing) || entry.second.useless;
  });
  return alone && !leaf.empty() ? std::optional<Action>(Seal{}) : std::nullopt;
}

// Whoever began to merge, or holds most; who asks, when nobody holds anything.
WorkerId RoundSum::ChooseTop(WorkerId asking) const {
  WorkerId top = asking;
  std::pair<bool, std::size_t> best{false, 0};
  for (const auto& [worker, leaf] : leaves_) {
    if (leaf.useless) continue;
    const bool merges = !leaf.absorbed.empty() || (leaf.doing && std::holds_alternative<Merge>(*leaf.doing));
    const std::pair<bool, std::size_t> own{merges, leaf.own.size() + leaf.absorbed.size()};
    if (own > best) {
      top = worker;
      best = own;
    }
  }
  return top;
}

void RoundSum::Folded(WorkerId worker, absl::Span<const absl::Status> results) {
  Leaf& leaf = leaves_.at(worker);
  const Fold fold = std::get<Fold>(*leaf.doing);
  leaf.doing.reset();
  absl::Status room;
  for (std::size_t i = 0; i < fold.updates.size(); ++i) {
    const UpdateId& update = fold.updates[i];
    const absl::Status result =
        i < results.size() ? results[i] : absl::InternalError("the worker did not say what became of the update");
    if (absl::IsInvalidArgument(result)) {
      refused_.emplace(update, BlameClient(result, update.client()));
    } else if (leaf.useless) {
      continue;  // It waits again since Close.
    } else if (result.ok()) {
      leaf.own.insert(update);
    } else if (absl::IsResourceExhausted(result)) {
      Again({update});
      room = result;
    } else if (++attempts_[update] < kAttemptsMax) {
      Again({update});
    } else {
      failure_ = result;
    }
  }
  if (!room.ok()) Starve(leaf, room);
  // The round was closed without one that was being folded.
  if (!leaf.useless && !AllWanted(leaf.own)) GiveUp(leaf);
}

// A worker waited for memory in vain, and so what it has goes. Those that have some go on without it; where nobody has,
// one may try alone.
void RoundSum::Starve(Leaf& leaf, const absl::Status& why) {
  GiveUp(leaf);
  const std::size_t others = Leaves().size();
  leaves_fit_ = std::min(leaves_fit_, std::max<std::size_t>(1, others));
  if (others > 0 || !std::exchange(tried_alone_, true)) return;  // Of two that waited for each other, both may be here.
  if (closed()) failure_ = why;
  starved_ = !closed();
}

void RoundSum::Merged(WorkerId worker) {
  Leaf& leaf = leaves_.at(worker);
  if (!leaf.useless) leaf.absorbed.insert(std::get<Merge>(*leaf.doing).partial);
  leaf.doing.reset();
}

void RoundSum::Sealed(WorkerId worker, PartialId partial) {
  Leaf leaf = std::move(leaves_.at(worker));
  leaves_.erase(worker);
  UpdateSet updates = std::move(leaf.own);
  for (const PartialId id : leaf.absorbed)
    updates.insert(partials_.at(id).updates.begin(), partials_.at(id).updates.end());
  for (const PartialId id : leaf.absorbed) DiscardPartial(id);
  if (leaf.useless || !AllWanted(updates)) {
    useless_.push_back(partial);
    return Again(updates);
  }
  partials_[partial].updates = std::move(updates);
}

void RoundSum::Dropped(WorkerId worker) { leaves_.erase(worker); }

void RoundSum::Failed(WorkerId worker, const absl::Status& why) {
  const auto found = leaves_.find(worker);
  const bool useless = found != leaves_.end() && found->second.useless;  // Its partial may have gone meanwhile.
  if (!useless && (absl::IsResourceExhausted(why) || ++failures_ >= kAttemptsMax)) failure_ = why;
  Forget(worker);
}

void RoundSum::Lost(WorkerId worker) {
  const auto found = leaves_.find(worker);
  if (found == leaves_.end()) return;
  if (found->second.doing && ++losses_ >= kLossesMax) {
    failure_ = absl::UnavailableError(absl::StrCat(losses_, " workers were lost at work on this round"));
  }
  Forget(worker);
}

void RoundSum::Forget(WorkerId worker) {
  const auto found = leaves_.find(worker);
  if (found == leaves_.end()) return;
  Leaf leaf = std::move(found->second);
  leaves_.erase(found);
  if (leaf.useless) return;
  const Fold* fold = leaf.doing ? std::get_if<Fold>(&*leaf.doing) : nullptr;
  if (fold != nullptr) Again({fold->updates.begin(), fold->updates.end()});
  GiveUp(leaf);
}

// The partials that are in it, or about to be.
std::set<PartialId> RoundSum::PartialsOf(const Leaf& leaf) {
  std::set<PartialId> inside = leaf.absorbed;
  const Merge* merge = leaf.doing ? std::get_if<Merge>(&*leaf.doing) : nullptr;
  if (merge != nullptr) inside.insert(merge->partial);
  return inside;
}

void RoundSum::GiveUp(Leaf& leaf) {
  for (const PartialId id : PartialsOf(leaf)) partials_.at(id).taken = false;
  Again(leaf.own);
  leaf.own.clear();
  leaf.absorbed.clear();
  leaf.useless = true;
}

void RoundSum::Again(const UpdateSet& updates) {
  for (const UpdateId& update : updates) {
    if (IsWanted(update)) pending_.push_back(update);
  }
}

void RoundSum::DiscardPartial(PartialId partial) {
  partials_.erase(partial);
  useless_.push_back(partial);
}

std::optional<PartialId> RoundSum::finished() const {
  if (!wanted_ || partials_.size() != 1 || !pending_.empty()) return std::nullopt;
  const auto& [id, partial] = *partials_.begin();
  return partial.updates == *wanted_ ? std::optional<PartialId>(id) : std::nullopt;
}

absl::Status RoundSum::failure() const {
  if (!wanted_) return absl::OkStatus();
  for (const auto& [update, why] : refused_) {
    if (IsWanted(update)) return why;
  }
  return failure_;
}

bool RoundSum::Holds(WorkerId worker) const {
  const auto found = leaves_.find(worker);
  return found != leaves_.end() && (!found->second.empty() || found->second.doing || found->second.useless);
}

}  // namespace cairn::tree
