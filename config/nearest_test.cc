#include "config/nearest.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Nearest, CountsEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("same", "same"), 0u);
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(Nearest("deadlin", {"rounds", "deadline", "name"}), "deadline");
  EXPECT_EQ(Nearest("progres_timout", {"progress_timeout"}), "progress_timeout");
  EXPECT_EQ(Nearest("colour", {"rounds", "deadline", "name"}), "");
}

}  // namespace
}  // namespace cairn
