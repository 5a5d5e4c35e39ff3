#include "server/tree/leaf_room.h"

#include <algorithm>

#include "server/store/shared/object_table.h"

namespace cairn::tree {
namespace {

constexpr std::uint64_t kPlanesExpected = 2;  // Of a sum.
constexpr std::uint64_t kNarrowestBytes = 2;  // Of a number that is summed: float16, bfloat16.

}  // namespace

std::size_t LeavesMax(const LeafRoom& room) {
  const std::uint64_t left = room.free - std::min(room.free, room.promised);
  const std::uint64_t fit = room.leaves + left / std::max<std::uint64_t>(1, room.sum);
  return std::clamp<std::uint64_t>(fit, 1, std::max<std::size_t>(1, room.workers));
}

std::uint64_t SumBytes(std::uint64_t plane) { return kPlanesExpected * SlabBytes(plane); }

std::uint64_t PlaneBytesMax(std::uint64_t bytes) { return bytes / kNarrowestBytes * sizeof(std::int64_t); }

}  // namespace cairn::tree
