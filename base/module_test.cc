#include "base/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(ModuleTest, OneThatIsMissingIsNamedWithoutBeingLoaded) {
  const absl::Status missing = CheckModule("libcairn_nothing.so");
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(missing.message(), ::testing::HasSubstr("libcairn_nothing.so is missing"));
  EXPECT_FALSE(LoadModule("libcairn_nothing.so").ok());
}

}  // namespace
}  // namespace cairn
