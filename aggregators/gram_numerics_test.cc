// How many digits inner products keep, whatever the form in which the updates came.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "aggregators/gram.h"
#include "aggregators/kernels/reference_lowrank.h"
#include "aggregators/testing.h"

namespace cairn {
namespace {

using kernels::SmallMatrix;
using kernels::reference::Factors;
using kernels::reference::Matrix;
using kernels::reference::RandomMatrix;

// An adapter with bytes of its own.
class Held {
 public:
  void AddTensor(const std::vector<double>& values, DType dtype) {
    adapter_.tensors.push_back({.view = View("t", dtype, {static_cast<std::int64_t>(values.size())}, values)});
  }
  void AddModule(const Factors& factors, DType dtype) {
    const std::int64_t d_in = factors.a.columns, d_out = factors.b.rows, rank = factors.a.rows;
    LoraModule module{.name = "m", .d_in = d_in, .d_out = d_out, .rank = rank};
    module.a = View("a", dtype, {rank, d_in}, factors.a.values);
    module.b = View("b", dtype, {d_out, rank}, factors.b.values);
    adapter_.modules.push_back(std::move(module));
  }
  const Adapter& adapter() const { return adapter_; }

  // As they were rounded.
  std::vector<double> TensorValues() const {
    const TensorView& view = adapter_.tensors[0].view;
    std::vector<double> values(static_cast<std::size_t>(view.elements()));
    ToDouble(view.dtype, view.data.data(), values.size(), values.data());
    return values;
  }

 private:
  TensorView View(std::string name, DType dtype, std::vector<std::int64_t> shape, const std::vector<double>& values) {
    bytes_.push_back(std::make_unique<std::string>(values.size() * SizeOf(dtype), '\0'));
    FromDouble(dtype, values.data(), values.size(), bytes_.back()->data());
    return {.name = std::move(name), .dtype = dtype, .shape = std::move(shape), .data = *bytes_.back()};
  }

  std::vector<std::unique_ptr<std::string>> bytes_;
  Adapter adapter_;
};

SmallMatrix Gram(const std::vector<Held>& columns) {
  std::vector<const Adapter*> adapters;
  for (const Held& column : columns) adapters.push_back(&column.adapter());
  const absl::StatusOr<SmallMatrix> gram = GramOf(adapters);
  EXPECT_TRUE(gram.ok()) << gram.status();
  return *gram;
}

double ExactSquaredDistance(const std::vector<double>& x, const std::vector<double>& y) {
  long double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const long double difference = static_cast<long double>(x[k]) - y[k];
    sum += difference * difference;
  }
  return static_cast<double>(sum);
}

// The largest relative error of any ||x_i - x_j||^2 of six updates that differ by `spread` of their norm.
double WorstDistance(DType dtype, double spread) {
  constexpr std::int64_t kElements = 200'000, kColumns = 6;
  const Matrix common = RandomMatrix(1, 1, kElements), own = RandomMatrix(2, kColumns, kElements);
  std::vector<Held> columns(kColumns);
  for (std::int64_t i = 0; i < kColumns; ++i) {
    std::vector<double> values = common.values;
    for (std::int64_t k = 0; k < kElements; ++k) values[k] += spread * own.at(i, k);
    columns[i].AddTensor(values, dtype);
  }
  const SmallMatrix gram = Gram(columns);
  double worst = 0;
  for (std::size_t i = 0; i < kColumns; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double exact = ExactSquaredDistance(columns[i].TensorValues(), columns[j].TensorValues());
      worst = std::max(worst, std::abs(kernels::SquaredDistance(gram, i, j) - exact) / exact);
    }
  }
  return worst;
}

TEST(GramNumerics, DistancesOfNearbyUpdatesKeepTheirDigits) {
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    EXPECT_LT(WorstDistance(dtype, 1e-1), 1e-10) << NameOf(dtype);
    EXPECT_LT(WorstDistance(dtype, 1e-2), 1e-8) << NameOf(dtype);
    EXPECT_LT(WorstDistance(dtype, 1e-3), 1e-6) << NameOf(dtype);
  }
}

// Small whole numbers, so that every gauge below is exact.
Factors WholeFactors(std::uint64_t seed) {
  Factors factors{RandomMatrix(2 * seed, 4, 40), RandomMatrix(2 * seed + 1, 50, 4)};
  for (Matrix* matrix : {&factors.a, &factors.b}) {
    for (double& value : matrix->values) value = std::round(16 * value);
  }
  return factors;
}

// (B M, M^-1 A) for M = [[1, t], [t, t^2 + 1]] on both pairs of units: the condition of M is about t^4.
Factors Mixed(const Factors& factors, double t) {
  Factors out = factors;
  for (std::int64_t k = 0; k < 4; k += 2) {
    for (std::int64_t i = 0; i < factors.b.rows; ++i) {
      const double x = factors.b.at(i, k), y = factors.b.at(i, k + 1);
      out.b.at(i, k) = x + t * y;
      out.b.at(i, k + 1) = t * x + (t * t + 1) * y;
    }
    for (std::int64_t j = 0; j < factors.a.columns; ++j) {
      const double x = factors.a.at(k, j), y = factors.a.at(k + 1, j);
      out.a.at(k, j) = (t * t + 1) * x - t * y;
      out.a.at(k + 1, j) = y - t * x;
    }
  }
  return out;
}

Factors Rescaled(Factors factors, double by) {
  for (double& value : factors.b.values) value *= by;
  for (double& value : factors.a.values) value /= by;
  return factors;
}

// Columns that should all be `plain`, and one that is another update.
void ExpectSameAs(const Factors& plain, const std::vector<Factors>& others, DType dtype) {
  const Matrix dense = kernels::reference::Product(plain.b, plain.a);
  const Factors apart = WholeFactors(9);
  const Matrix dense_apart = kernels::reference::Product(apart.b, apart.a);
  std::vector<Held> columns(others.size() + 1);
  columns.back().AddModule(apart, dtype);
  for (std::size_t i = 0; i < others.size(); ++i) columns[i].AddModule(others[i], dtype);
  const SmallMatrix gram = Gram(columns);
  const double norm = kernels::reference::NormOf(dense), norm_apart = kernels::reference::NormOf(dense_apart);
  for (std::size_t i = 0; i < others.size(); ++i) {
    for (std::size_t j = 0; j < others.size(); ++j) {
      EXPECT_NEAR(gram.at(i, j), norm * norm, 1e-13 * norm * norm) << i << " " << j;
    }
    EXPECT_NEAR(gram.at(i, others.size()), kernels::reference::InnerProduct(dense, dense_apart),
                1e-13 * norm * norm_apart)
        << i;
  }
}

TEST(GramNumerics, DoNotDependOnHowAClientSplitItsUnits) {
  const Factors plain = WholeFactors(1);
  ExpectSameAs(plain, {plain, Rescaled(plain, 0x1p66), Rescaled(plain, 0x1p-66)}, DType::kF32);  // 2^66 is about 1e20.
  ExpectSameAs(plain, {plain, Rescaled(plain, 0x1p700), Rescaled(plain, 0x1p-700)}, DType::kF64);
}

TEST(GramNumerics, DoNotDependOnTheOrderOfUnits) {
  const Factors plain = WholeFactors(2);
  Factors permuted = plain;
  for (std::int64_t k = 0; k < 4; ++k) {
    for (std::int64_t j = 0; j < plain.a.columns; ++j) permuted.a.at(k, j) = plain.a.at((k + 3) % 4, j);
    for (std::int64_t i = 0; i < plain.b.rows; ++i) permuted.b.at(i, k) = plain.b.at(i, (k + 3) % 4);
  }
  ExpectSameAs(plain, {plain, permuted}, DType::kF32);
}

TEST(GramNumerics, DoNotDependOnAnIllConditionedGauge) {
  const Factors plain = WholeFactors(3);
  ExpectSameAs(plain, {plain, Mixed(plain, 18), Mixed(plain, 100)}, DType::kF32);  // Condition 1e5 and 1e8.
  ExpectSameAs(plain, {plain, Rescaled(Mixed(plain, 100), 0x1p66), Mixed(plain, 1000)}, DType::kF64);
}

TEST(GramNumerics, FactorsWithoutADigitLeftAreNotFinite) {
  const Factors plain = WholeFactors(4);
  Factors cancelled = plain;
  for (std::int64_t j = 0; j < plain.a.columns; ++j) cancelled.a.at(1, j) = plain.a.at(0, j);
  for (std::int64_t i = 0; i < plain.b.rows; ++i) {
    cancelled.b.at(i, 0) = 0x1p60 * plain.b.at(i, 0);
    cancelled.b.at(i, 1) = -0x1p60 * plain.b.at(i, 0);
  }
  std::vector<Held> columns(2);
  columns[0].AddModule(plain, DType::kF32);
  columns[1].AddModule(cancelled, DType::kF32);
  const SmallMatrix gram = Gram(columns);
  EXPECT_TRUE(std::isnan(gram.at(1, 1)));
  EXPECT_TRUE(std::isnan(gram.at(0, 1)));
  EXPECT_TRUE(std::isfinite(gram.at(0, 0)));
  // What is not a client's to answer for is what it is, as well as can be said.
  std::vector<const Adapter*> adapters;
  for (const Held& column : columns) adapters.push_back(&column.adapter());
  const auto lenient = GramOf(adapters, {.strict = 1});
  ASSERT_TRUE(lenient.ok());
  EXPECT_TRUE(std::isfinite(lenient->at(1, 1)));
}

}  // namespace
}  // namespace cairn
