// What the sums of rounds take of the store's memory, and so how many workers may fold.
#include <algorithm>

#include "server/tree/tree.h"

namespace cairn::tree {

std::uint64_t Tree::SumBytesOf(const Round& round) {
  return SumBytes(round.plane_bytes > 0 ? round.plane_bytes : PlaneBytesMax(round.bytes_max));
}

// What is the same for all rounds.
LeafRoom Tree::Room() const {
  const ByteBudget& budget = store_->budget();
  LeafRoom room{.free = budget.waiting() > 0 ? 0 : budget.capacity() - budget.used(), .workers = options_.workers};
  for (const auto& [key, round] : rounds_) {
    const std::uint64_t expected = SumBytesOf(round);
    for (const WorkerId leaf : round.sum.Leaves()) {
      const auto held = round.held.find(leaf);
      room.promised += expected - (held == round.held.end() ? 0 : std::min(expected, held->second));
    }
  }
  return room;
}

std::size_t Tree::LeavesMaxOf(const Round& round, LeafRoom room) {
  room.sum = SumBytesOf(round);
  room.leaves = round.sum.Leaves().size();
  return LeavesMax(room);
}

// What the worker's sum of the round takes, as it says.
void Tree::Measure(Round& round, WorkerId worker, const v1::WorkerReply& reply) {
  round.held.erase(worker);
  if (reply.plane_bytes() == 0) return;
  round.plane_bytes = std::max(round.plane_bytes, reply.plane_bytes());
  round.held[worker] = reply.planes() * SlabBytes(reply.plane_bytes());
}

}  // namespace cairn::tree
