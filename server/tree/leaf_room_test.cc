#include "server/tree/leaf_room.h"

#include <gtest/gtest.h>

#include <vector>

#include "server/store/shared/object_table.h"

namespace cairn::tree {
namespace {

TEST(LeafRoomTest, AsManyAsThereIsMemoryForBesideWhatIsPromised) {
  struct Case {
    LeafRoom room;
    std::size_t expected;
    const char* what;
  };
  const std::vector<Case> cases = {
      {{.free = 100, .sum = 10, .workers = 4}, 4, "more than enough"},
      {{.free = 29, .sum = 10, .workers = 4}, 2, "no part of one"},
      {{.free = 0, .sum = 10, .workers = 4}, 1, "one may always try"},
      {{.free = 0, .sum = 10, .leaves = 3, .workers = 4}, 3, "those that are there stay"},
      {{.free = 10, .sum = 10, .leaves = 3, .workers = 4}, 4, "room for one more"},
      {{.free = 25, .promised = 10, .sum = 10, .leaves = 1, .workers = 4}, 2, "one began and has nothing yet"},
      {{.free = 10, .promised = 20, .sum = 10, .leaves = 1, .workers = 4}, 1, "more promised than there is"},
      {{.free = 100, .sum = 10, .leaves = 6, .workers = 4}, 4, "never more than workers"},
      {{.free = 100, .sum = 0, .workers = 0}, 1, "nothing is known"},
  };
  for (const Case& c : cases) EXPECT_EQ(LeavesMax(c.room), c.expected) << c.what;
}

TEST(LeafRoomTest, NumbersOfAnyTypeHaveRoomInAPlane) {
  EXPECT_EQ(PlaneBytesMax(2 * 1000), 8 * 1000u) << "bfloat16";
  EXPECT_EQ(SumBytes(1), 2 * SlabBytes(1)) << "whole slabs";
  EXPECT_EQ(SumBytes(5 * kHugePageBytes), 10 * kHugePageBytes);
}

}  // namespace
}  // namespace cairn::tree
