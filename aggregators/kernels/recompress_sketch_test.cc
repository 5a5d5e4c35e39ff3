// Of the randomised way, which runs where the rank asked for is far below the input's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "aggregators/kernels/product.h"
#include "aggregators/kernels/recompress.h"
#include "aggregators/kernels/reference_lowrank.h"
#include "aggregators/kernels/threads.h"

namespace cairn::kernels {
namespace {

using reference::Factors;
using reference::FloatFactors;
using reference::PairOf;

// ||out - in||, in float64, by another way than the one under test.
double ErrorOf(const LowRank& out, const Factors& in) {
  const FactorPair<double> pair{out.a, out.b, in.b.rows, out.rank, in.a.columns};
  return *NormOfSum({{1, pair}, {-1, PairOf(in)}});
}

double Optimum(const Factors& in, std::size_t rank) {
  const auto exact = Recompress(PairOf(in), Cut::Rank(in.a.rows));  // All values: the exact way.
  double sum = 0;
  for (std::size_t i = rank; i < exact->singular_values.size(); ++i) sum += std::pow(exact->singular_values[i], 2);
  return std::sqrt(sum);
}

// Unit k is (k + 1)^-power times as large as the first: singular values that decay like those of trained adapters.
Factors Decaying(std::uint64_t seed, double power) {
  Factors factors = reference::RandomFactors(seed, 310, 200, 260);
  for (std::int64_t i = 0; i < 310; ++i) {
    for (std::int64_t k = 0; k < 200; ++k) factors.b.at(i, k) *= std::pow(k + 1, -power);
  }
  return factors;
}

TEST(RecompressSketch, IsWithinAHundredthOfTheBestAndSaysHowFarOff) {
  for (const double power : {0.5, 1.0, 2.0, 4.0}) {
    const FloatFactors in(Decaying(1, power));
    const Factors exact = in.exact();
    const auto out = Recompress(in.pair(), Cut::Rank(8));
    ASSERT_TRUE(out.ok()) << out.status();
    ASSERT_EQ(out->rank, 8);
    const double error = ErrorOf(*out, exact), norm = *NormOf({1, PairOf(exact)});
    EXPECT_LE(error, 1.01 * Optimum(exact, 8) + 1e-6 * norm) << "power " << power;
    EXPECT_NEAR(std::sqrt(out->error_squared), error, 1e-3 * error + 3e-7 * norm) << "power " << power;
    EXPECT_NEAR(std::sqrt(out->norm_squared), norm, 1e-6 * norm);
  }
}

TEST(RecompressSketch, AHundredCopiesOfOneAdapterLoseNothing) {
  Factors one = reference::RandomFactors(3, 150, 4, 170);
  for (double& value : one.b.values) value /= 100;
  const FloatFactors in(reference::Stacked(std::vector<Factors>(100, one)));
  const Factors exact = in.exact();
  const auto out = Recompress(in.pair(), Cut::Rank(4));
  ASSERT_TRUE(out.ok());
  const double norm = *NormOf({1, PairOf(exact)});
  EXPECT_LE(ErrorOf(*out, exact), 1e-6 * norm);
  EXPECT_LE(std::sqrt(out->error_squared), 1e-6 * norm);
}

// Clients that share A: the sum has rank 4, but the B_i do not; they cancel only in the product.
TEST(RecompressSketch, ErrorIsHonestWhereUnitsCancel) {
  Factors shared = reference::RandomFactors(1, 150, 4, 170);
  std::vector<Factors> clients;
  for (std::uint64_t i = 0; i < 50; ++i) clients.push_back({shared.a, reference::RandomMatrix(100 + i, 150, 4)});
  const FloatFactors in(reference::Stacked(clients));
  const auto out = Recompress(in.pair(), Cut::Rank(4));
  ASSERT_TRUE(out.ok());
  EXPECT_LE(std::sqrt(out->error_squared / out->norm_squared), 1e-6);
  EXPECT_LE(ErrorOf(*out, in.exact()), 1e-6 * std::sqrt(out->norm_squared));
}

TEST(RecompressSketch, UnitsOfAnySizeGiveTheSame) {
  const Factors factors = Decaying(4, 1);
  Factors other = factors;
  for (std::int64_t k = 0; k < 200; ++k) {
    const double gauge = std::ldexp(k % 2 == 0 ? 1 : -1, static_cast<int>(k % 80) - 40);  // Up to 2^40, about 1e12.
    for (std::int64_t j = 0; j < 260; ++j) other.a.at(k, j) *= gauge;
    for (std::int64_t i = 0; i < 310; ++i) other.b.at(i, k) /= gauge;
  }
  const FloatFactors in(factors), gauged(other);
  const auto x = Recompress(in.pair(), Cut::Rank(8)), y = Recompress(gauged.pair(), Cut::Rank(8));
  ASSERT_TRUE(x.ok() && y.ok());
  const double norm = std::sqrt(x->norm_squared);
  for (std::size_t i = 0; i < x->b.size(); ++i) EXPECT_NEAR(x->b[i], y->b[i], 1e-4 * std::sqrt(norm));
  EXPECT_NEAR(x->error_squared, y->error_squared, 1e-5 * x->norm_squared);
}

TEST(RecompressSketch, EnergyGrowsTheSketchUntilItIsReached) {
  const Factors factors = Decaying(5, 1.5);
  const FloatFactors in(factors);
  for (const double energy : {0.5, 0.9, 0.99, 0.9999, 1 - 1e-9}) {
    const auto out = Recompress(in.pair(), Cut::Energy(energy));
    ASSERT_TRUE(out.ok());
    const double norm = *NormOf({1, PairOf(in.exact())}), share = 1 - energy;
    EXPECT_LE(std::pow(ErrorOf(*out, in.exact()), 2), (share * 1.001 + 1e-12) * norm * norm) << energy;
    if (out->rank == 1) continue;
    EXPECT_GT(std::pow(1.01 * Optimum(in.exact(), out->rank - 1) / norm, 2), share) << energy;
  }
}

TEST(RecompressSketch, DoublesStayDoubles) {
  Factors one = reference::RandomFactors(3, 150, 4, 170);
  const Factors in = reference::Stacked(std::vector<Factors>(50, one));
  const auto out = Recompress(PairOf(in), Cut::Rank(4));
  ASSERT_TRUE(out.ok());
  EXPECT_LE(ErrorOf(*out, in), 1e-13 * std::sqrt(out->norm_squared));
  EXPECT_LE(std::sqrt(out->error_squared), 1e-13 * std::sqrt(out->norm_squared));
}

bool SameBits(const LowRank& x, const LowRank& y) {
  const auto same = [](const std::vector<double>& u, const std::vector<double>& v) {
    return u.size() == v.size() && std::memcmp(u.data(), v.data(), u.size() * sizeof(double)) == 0;
  };
  return same(x.a, y.a) && same(x.b, y.b) && same(x.singular_values, y.singular_values) &&
         x.error_squared == y.error_squared && x.norm_squared == y.norm_squared;
}

TEST(RecompressSketch, TheSameInputGivesTheSameBits) {
  const FloatFactors in(Decaying(6, 1));
  std::vector<LowRank> results;
  for (const int threads : {1, 2}) {
    SetThreads(threads);
    results.push_back(*Recompress(in.pair(), Cut::Rank(8)));
    EXPECT_TRUE(SameBits(results.back(), *Recompress(in.pair(), Cut::Rank(8)))) << threads << " threads";
  }
  // Another number of threads sums in another order: no more than float64's rounding.
  for (std::size_t i = 0; i < results[0].b.size(); ++i) EXPECT_NEAR(results[0].b[i], results[1].b[i], 1e-12);
}

TEST(RecompressSketch, TwoAtATimeDoNotDisturbEachOther) {
  const FloatFactors in(Decaying(6, 1));
  const auto first = Recompress(in.pair(), Cut::Rank(8));
  absl::StatusOr<LowRank> elsewhere = absl::UnknownError("not run");
  std::thread thread([&] { elsewhere = Recompress(in.pair(), Cut::Rank(8)); });
  const auto here = Recompress(in.pair(), Cut::Rank(8));
  thread.join();
  ASSERT_TRUE(first.ok() && here.ok() && elsewhere.ok());
  EXPECT_TRUE(SameBits(*first, *here));
  EXPECT_TRUE(SameBits(*first, *elsewhere));
}

}  // namespace
}  // namespace cairn::kernels
