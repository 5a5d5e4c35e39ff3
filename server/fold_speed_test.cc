#include "server/fold_speed.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(FoldSpeedTest, IsMeasured) {
  const double seconds = MeasureFoldSecondsPerByte();
  EXPECT_NE(seconds, kFoldSecondsPerByteUsual) << "the updates were not taken";
  EXPECT_GT(seconds, 1e-12);  // 1 TB/s
  EXPECT_LT(seconds, 1e-6);   // 1 MB/s
}

TEST(FoldSpeedTest, CapacityIsWhatTheCoresCanTakeOrTheNetworkCanBring) {
  EXPECT_DOUBLE_EQ(UpdateCapacity(1, 0.56e-9), 0.5e9);
  EXPECT_DOUBLE_EQ(UpdateCapacity(2, 0.56e-9), 1e9);
  EXPECT_DOUBLE_EQ(UpdateCapacity(64, 0.56e-9), 1.25e9);
}

}  // namespace
}  // namespace cairn
