// How many workers may fold one round at a time: each has a sum of its own, and sums take memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn::tree {

// All in bytes of the shared store, of whole slabs. Pure.
struct LeafRoom {
  std::uint64_t free = 0;      // Nobody has it, nor waits for it.
  std::uint64_t promised = 0;  // Of that: what sums that are under way will probably still take.
  std::uint64_t sum = 1;       // What one more sum of this round will.
  std::size_t leaves = 0;      // Sums of this round that are under way.
  std::size_t workers = 1;
};

// At least one: a round that cannot be added up otherwise finds out by trying.
std::size_t LeavesMax(const LeafRoom& room);

// What a sum takes whose planes take `plane` each. Most have one plane; with updates of very unlike sizes, or float64,
// a second one (ADR 15).
std::uint64_t SumBytes(std::uint64_t plane);
// A plane's bytes for updates of `bytes`, before any worker has told: most, if all of them are of the narrowest type.
std::uint64_t PlaneBytesMax(std::uint64_t bytes);

}  // namespace cairn::tree
