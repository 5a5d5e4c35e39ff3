#include <gtest/gtest.h>

#include <utility>

#include "aggregators/rule.h"

namespace cairn {
namespace {

using Kind = kernels::CoordinateRule::Kind;

TEST(Sign, MovesByOneStep) {
  for (const auto& [spec, step] : {std::pair("sign", 1.0), std::pair("sign:step=0.001", 0.001)}) {
    const auto rule = MakeRule(spec);
    ASSERT_TRUE(rule.ok()) << rule.status();
    const auto output = (*rule)->Weigh({.columns = 3});
    EXPECT_EQ(output->coordinates->kind, Kind::kSign);
    EXPECT_EQ(output->coordinates->step, step);
  }
}

TEST(Sign, RefusesAStepThatIsNone) {
  for (const char* spec : {"sign:step=0", "sign:step=-1", "sign:step=nan", "sign:step=1e31"}) {
    EXPECT_EQ(MakeRule(spec).status().code(), absl::StatusCode::kInvalidArgument) << spec;
  }
}

}  // namespace
}  // namespace cairn
