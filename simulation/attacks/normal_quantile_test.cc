#include "simulation/attacks/normal_quantile.h"

#include <gtest/gtest.h>

namespace cairn::attacks {
namespace {

TEST(NormalQuantile, IsThatOfTheTables) {
  EXPECT_NEAR(NormalQuantile(0.5), 0, 1e-15);
  EXPECT_NEAR(NormalQuantile(0.8413447460685429), 1, 1e-13);
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(NormalQuantile(0.001), -3.090232306167813, 1e-13);
}

TEST(NormalQuantile, HoldsFarOutInTheTail) {
  EXPECT_NEAR(NormalQuantile(1e-10), -6.361340902404056, 1e-12);
  EXPECT_NEAR(NormalQuantile(1e-300), -37.0470962993612, 1e-9);
}

}  // namespace
}  // namespace cairn::attacks
