// Which worker folds which update of a round, and how their partial sums come together: bookkeeping alone. No threads,
// clocks or bytes; whoever runs the workers asks Next for each that has nothing to do, and says what came of it.
//
// Before the round is closed, updates are folded as they come. Close says of which updates exactly the sum is wanted:
// what was folded beside them makes that partial useless, what was not is folded then. Workers may be lost at any time:
// what they had not sealed is done again by others. So what was folded early only saves time.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace cairn::tree {

using WorkerId = std::uint64_t;
using PartialId = std::uint64_t;

// Copies share the text: a round's bookkeeping has each update several times.
class UpdateId {
 public:
  // `rest`: what else there is to an update: with another, it is another.
  UpdateId(std::string client, std::string sha256, std::string rest = "")
      : text_(std::make_shared<const Text>(Text{std::move(client), std::move(sha256), std::move(rest)})) {}

  const std::string& client() const { return text_->client; }
  friend bool operator==(const UpdateId& x, const UpdateId& y) { return x.text_ == y.text_ || *x.text_ == *y.text_; }
  friend auto operator<=>(const UpdateId& x, const UpdateId& y) { return *x.text_ <=> *y.text_; }

 private:
  struct Text {
    std::string client, sha256, rest;
    auto operator<=>(const Text&) const = default;
  };
  std::shared_ptr<const Text> text_;
};
using UpdateSet = std::set<UpdateId>;

// What a worker does next with its partial sum of the round.
struct Fold {
  std::vector<UpdateId> updates;
};
struct Merge {
  PartialId partial = 0;  // A sealed one, of another worker.
};
struct Seal {};  // Nobody changes it from then on, and anybody may read it.
struct Drop {};
using Action = std::variant<Fold, Merge, Seal, Drop>;

class RoundSum {
 public:
  // Of updates that are waiting, so many are enough for another worker to join in. (The planner's I.)
  static constexpr std::size_t kUpdatesPerLeaf = 2;
  // Folded at once: the sums are then read and written once for all of them.
  static constexpr std::size_t kUpdatesPerFold = 4;
  // A fold that failed for no reason in the update is tried so often.
  static constexpr int kAttemptsMax = 3;
  // So many workers may be lost at work on a closed round. Then something in it may be what ends them, and there is
  // somebody else who can add up the updates.
  static constexpr int kLossesMax = 5;

  // One that was acknowledged. After Close: the round is open again, unless the sum has it.
  void Offer(const UpdateId& update);
  // The sum is wanted of these, at least one.
  void Close(UpdateSet wanted);

  // At most `leaves_max` workers fold at a time. None: there is nothing to do for this worker.
  std::optional<Action> Next(WorkerId worker, std::size_t leaves_max);

  // What came of it. A status for each update, in order. INVALID_ARGUMENT: the update is to blame. RESOURCE_EXHAUSTED:
  // there is no memory for the worker's sum, which it has let go of.
  void Folded(WorkerId worker, absl::Span<const absl::Status> results);
  void Merged(WorkerId worker);
  void Sealed(WorkerId worker, PartialId partial);  // `partial`: a number not used before.
  void Dropped(WorkerId worker);
  // The worker cannot do it, for a reason that is not its own death; what it held is gone.
  void Failed(WorkerId worker, const absl::Status& why);
  void Lost(WorkerId worker);

  // The partial that is the sum; none: not yet. REQUIRES: closed.
  std::optional<PartialId> finished() const;
  // Why there will be none. With BlamedClient where an update is to blame.
  absl::Status failure() const;

  // Partials that nobody will ask for again, since the last call.
  std::vector<PartialId> TakeUseless() { return std::exchange(useless_, {}); }
  bool closed() const { return wanted_.has_value(); }
  // Whether the worker holds anything of this round.
  bool Holds(WorkerId worker) const;
  std::size_t waiting() const { return pending_.size(); }
  std::vector<WorkerId> Leaves() const;  // That hold something of use, or are about to.

 private:
  struct Leaf {
    UpdateSet own;                 // Folded.
    std::set<PartialId> absorbed;  // Merged; kept until this one is sealed.
    std::optional<Action> doing;
    bool useless = false;  // To be dropped.
    bool empty() const { return own.empty() && absorbed.empty(); }
  };
  struct Partial {
    UpdateSet updates;
    bool taken = false;  // Merged by somebody, or about to be.
  };

  void Forget(WorkerId worker);
  bool IsWanted(const UpdateId& update) const { return !wanted_ || wanted_->count(update) > 0; }
  bool AllWanted(const UpdateSet& updates) const;
  bool MayFold(const Leaf& leaf, std::size_t leaves_max) const;
  Action FoldNext();
  std::optional<Action> Finish(WorkerId worker, const Leaf& leaf);
  WorkerId ChooseTop(WorkerId asking) const;
  UpdateSet Covered() const;
  void Again(const UpdateSet& updates);
  static std::set<PartialId> PartialsOf(const Leaf& leaf);
  void GiveUp(Leaf& leaf);
  void DiscardPartial(PartialId partial);
  void Refold();
  void Starve(Leaf& leaf, const absl::Status& why);

  std::optional<UpdateSet> wanted_;  // Once closed.
  UpdateSet offered_;
  std::deque<UpdateId> pending_;
  std::map<WorkerId, Leaf> leaves_;
  std::map<PartialId, Partial> partials_;
  std::map<UpdateId, absl::Status> refused_;
  std::map<UpdateId, int> attempts_;
  int failures_ = 0;  // Of merges and seals.
  int losses_ = 0;
  std::size_t leaves_fit_ = std::numeric_limits<std::size_t>::max();  // That had memory when another one found none.
  bool tried_alone_ = false;  // Or is about to: one worker, after nobody had any.
  bool starved_ = false;      // There was none for one alone: before Close nobody tries again.
  absl::Status failure_;
  std::vector<PartialId> useless_;
};

}  // namespace cairn::tree
