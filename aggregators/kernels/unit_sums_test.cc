#include "aggregators/kernels/unit_sums.h"

#include <gtest/gtest.h>

#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;

TEST(UnitSums, NormIsThatOfTheProduct) {
  for (const std::int64_t rank : {1, 3, 8}) {
    const Factors factors = reference::RandomFactors(rank, 300, rank, 270);
    const double norm = reference::NormOf(reference::Product(factors.b, factors.a));
    EXPECT_NEAR(UnitSumsOf(PairOf(factors)).squared_norm, norm * norm, 1e-13 * norm * norm);
  }
}

TEST(UnitSums, MagnitudeIsThatOfTheUnits) {
  const Factors factors{{2, 2, {3, 4, 0, 1}}, {1, 2, {2, -10}}};  // Units of norm 10 and 10.
  EXPECT_NEAR(UnitSumsOf(PairOf(factors)).magnitude, 400, 1e-12);
}

}  // namespace
}  // namespace cairn::kernels
