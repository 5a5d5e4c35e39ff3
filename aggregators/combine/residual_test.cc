#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

const std::vector<ModuleSpec> kModules = {{"m", 9, 5}};

testing::ReportedModule Combine(const char* name, const std::vector<InMemoryUpdate>& updates) {
  auto rule = *MakeAggregator(name);
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const std::string client(1, static_cast<char>('a' + i));
    EXPECT_TRUE(rule->Accumulate({client, 1.0 + static_cast<double>(i), &updates[i].adapter()}).ok());
  }
  return testing::ReportAll(std::move(*rule))->modules[0];
}

TEST(Residual, FirstUnitsAreTheMeanAndTheRestIsWhatItLacks) {
  std::vector<InMemoryUpdate> updates;
  for (int i = 0; i < 4; ++i) updates.push_back(MakeUpdate(i, kModules, 2, 3));
  const testing::ReportedModule mean = Combine("mean", updates), out = Combine("residual", updates);
  ASSERT_EQ(out.rank, 2 + 3 * 2);  // One block less than there are clients.
  EXPECT_TRUE(std::equal(mean.a.begin(), mean.a.end(), out.a.begin()));
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t k = 0; k < 2; ++k) EXPECT_EQ(out.b[i * 8 + k], mean.b[i * 2 + k]);
  }
  std::vector<kernels::reference::Update> all;
  for (int i = 0; i < 4; ++i) all.push_back(testing::ReferenceOf(updates[i].adapter().modules[0], (1 + i) / 10.0));
  const auto factors = testing::ReferenceOf(out);
  EXPECT_LE(kernels::reference::MaxDifference(kernels::reference::Product(factors.b, factors.a),
                                              kernels::reference::DenseSum(all)),
            1e-6);
}

TEST(Residual, OfOneClientIsItsOwnUpdateOnly) {
  std::vector<InMemoryUpdate> updates;
  updates.push_back(MakeUpdate(1, kModules, 2, 3));
  EXPECT_EQ(Combine("residual", updates).rank, 2);
}

TEST(Residual, OfClientsThatAgreeIsZero) {
  std::vector<InMemoryUpdate> updates;
  for (int i = 0; i < 3; ++i) updates.push_back(MakeUpdate(1, kModules, 2, 2));
  const testing::ReportedModule out = Combine("residual", updates);
  for (std::size_t i = 2 * 9; i < out.a.size(); ++i) EXPECT_EQ(out.a[i], 0);
}

TEST(Residual, RefusesOtherRanks) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 2), y = MakeUpdate(2, kModules, 3, 3);
  auto rule = *MakeAggregator("residual");
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  const absl::Status status = rule->Accumulate({"y", 1, &y.adapter()});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("residual needs equal ranks"));
}

TEST(Residual, FirstUnitsAreTrainedOnAndTheRestMerged) {
  EXPECT_EQ((*MakeAggregator("residual"))->round_start(), RoundStart::kResidual);
}

}  // namespace
}  // namespace cairn
