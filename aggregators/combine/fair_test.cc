#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregators/kernels/reference_lowrank.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

namespace reference = kernels::reference;
using ::testing::HasSubstr;
using testing::InMemoryUpdate;
using testing::MakeUpdate;

const std::vector<ModuleSpec> kModules = {{"m", 30, 20}};

// Of three clients that drifted apart from one start, as far as `drift`.
class FairError : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 3; ++i) updates_.push_back(MakeUpdate(i, kModules, 4, 4));
  }
  testing::ReportedModule Combine(const std::string& name) const {
    auto rule = *MakeAggregator(name);
    for (std::size_t i = 0; i < updates_.size(); ++i) {
      const std::string client(1, static_cast<char>('a' + i));
      EXPECT_TRUE(rule->Accumulate({client, 1, &updates_[i].adapter()}).ok());
    }
    return testing::ReportAll(std::move(*rule))->modules[0];
  }
  double ErrorOf(const testing::ReportedModule& out) const {
    std::vector<reference::Update> all;
    for (const InMemoryUpdate& update : updates_)
      all.push_back(testing::ReferenceOf(update.adapter().modules[0], 1. / 3));
    const reference::Factors factors = testing::ReferenceOf(out);
    return reference::NormOf(reference::Difference(reference::Product(factors.b, factors.a), reference::DenseSum(all)));
  }

  std::vector<InMemoryUpdate> updates_;
};

TEST_F(FairError, IsSmallerThanThatOfMeanWithTheSameA) {
  const testing::ReportedModule mean = Combine("mean"), fair = Combine("fair");
  EXPECT_EQ(fair.a, mean.a);
  EXPECT_EQ(fair.rank, 4);
  EXPECT_LT(ErrorOf(fair), 0.95 * ErrorOf(mean));
}

TEST_F(FairError, GrowsWithLambdaUpToThatOfMean) {
  double before = 0;
  for (const char* name : {"fair:lambda=0.000001", "fair", "fair:lambda=10", "fair:lambda=1000"}) {
    const double error = ErrorOf(Combine(name));
    EXPECT_GT(error, before) << name;
    before = error;
  }
  EXPECT_NEAR(ErrorOf(Combine("fair:lambda=1e12")), ErrorOf(Combine("mean")), 1e-5);
}

TEST(Fair, RefusesOtherScalesAndOptions) {
  const InMemoryUpdate x = MakeUpdate(1, kModules, 2, 2), y = MakeUpdate(2, kModules, 2, 3);
  auto rule = *MakeAggregator("fair");
  ASSERT_TRUE(rule->Accumulate({"x", 1, &x.adapter()}).ok());
  EXPECT_THAT(std::string(rule->Accumulate({"y", 1, &y.adapter()}).message()), HasSubstr("has scale 1.5"));
  for (const char* spec : {"fair:lambda=0", "fair:lambda=-1", "fair:lambda=x", "fair:mu=1"}) {
    EXPECT_EQ(MakeAggregator(spec).status().code(), absl::StatusCode::kInvalidArgument) << spec;
  }
}

TEST(Fair, ResultIsTrainedOn) { EXPECT_EQ((*MakeAggregator("fair"))->round_start(), RoundStart::kWarm); }

}  // namespace
}  // namespace cairn
