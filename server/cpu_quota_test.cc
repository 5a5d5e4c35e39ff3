#include "server/cpu_quota.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(CpuQuotaTest, IsInWholeCores) {
  EXPECT_EQ(CoresWithin("200000 100000\n", 64), 2u);
  EXPECT_EQ(CoresWithin("250000 100000", 64), 2u);
  EXPECT_EQ(CoresWithin("50000 100000\n", 64), 1u);
  EXPECT_EQ(CoresWithin("10000000 100000\n", 64), 64u) << "more than there are";
}

TEST(CpuQuotaTest, WhatIsNoQuotaBoundsNothing) {
  for (const char* text : {"max 100000\n", "", "200000", "200000 0", "-1 100000", "2 cores"}) {
    EXPECT_EQ(CoresWithin(text, 64), 64u) << text;
  }
}

TEST(CpuQuotaTest, ThisProcessHasSome) { EXPECT_GE(UsableCores(), 1u); }

}  // namespace
}  // namespace cairn
