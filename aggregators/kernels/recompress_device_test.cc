// On a GPU, where there is one: the same answers as on the CPU.
#include <gtest/gtest.h>

#include <cmath>

#include "aggregators/kernels/product.h"
#include "aggregators/kernels/recompress.h"
#include "aggregators/kernels/reference_lowrank.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::FloatFactors;
using reference::PairOf;

constexpr char kDevice[] = "cuda:0";

class RecompressOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const absl::Status status = CheckDevice(kDevice); !status.ok()) GTEST_SKIP() << status.message();
  }
};

double ErrorOf(const LowRank& out, const Factors& in) {
  const FactorPair<double> pair{out.a, out.b, in.b.rows, out.rank, in.a.columns};
  return *NormOfSum({{1, pair}, {-1, PairOf(in)}});
}

void ExpectSame(const FloatFactors& in, const Cut& cut) {
  const auto here = Recompress(in.pair(), cut), there = Recompress(in.pair(), cut, kDevice);
  ASSERT_TRUE(here.ok() && there.ok()) << there.status();
  ASSERT_EQ(here->rank, there->rank);
  const double norm = std::sqrt(here->norm_squared), error = ErrorOf(*there, in.exact());
  EXPECT_NEAR(error, ErrorOf(*here, in.exact()), 1e-4 * error + 1e-6 * norm);
  EXPECT_NEAR(std::sqrt(there->error_squared), error, 1e-3 * error + 3e-7 * norm);
  EXPECT_NEAR(std::sqrt(there->norm_squared), norm, 1e-6 * norm);
  const auto again = Recompress(in.pair(), cut, kDevice);
  EXPECT_EQ(again->a, there->a);
  EXPECT_EQ(again->b, there->b);
}

TEST_F(RecompressOnGpu, AgreesWithTheCpu) {
  const FloatFactors few(reference::RandomFactors(1, 60, 12, 50, 0.7)),
      many(reference::RandomFactors(2, 310, 200, 260));
  ExpectSame(few, Cut::Rank(5));
  ExpectSame(few, Cut::Energy(0.99));
  ExpectSame(few, Cut::Lossless());
  ExpectSame(many, Cut::Rank(8));
  ExpectSame(many, Cut::Rank(150));
}

// TF32 would lose three digits here.
TEST_F(RecompressOnGpu, AHundredCopiesOfOneAdapterLoseNothing) {
  Factors one = reference::RandomFactors(3, 150, 4, 170);
  const FloatFactors in(reference::Stacked(std::vector<Factors>(100, one)));
  const auto out = Recompress(in.pair(), Cut::Rank(4), kDevice);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_LE(ErrorOf(*out, in.exact()), 1e-6 * std::sqrt(out->norm_squared));
  EXPECT_LE(std::sqrt(out->error_squared), 1e-6 * std::sqrt(out->norm_squared));
}

}  // namespace
}  // namespace cairn::kernels
