#include "aggregators/kernels/reference_rules.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace cairn::kernels::reference {
namespace {

using Vector = std::vector<double>;

constexpr double kTie = 1e-12;  // Squared distances that differ by less are equal.

Matrix Transposed(const Matrix& x) {
  Matrix out = Matrix::Zero(x.columns, x.rows);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.columns; ++j) out.at(j, i) = x.at(i, j);
  }
  return out;
}

// x^-1 by Gauss and Jordan, for positive definite x.
Matrix Inverse(Matrix x) {
  Matrix out = Matrix::Zero(x.rows, x.rows);
  for (std::int64_t i = 0; i < x.rows; ++i) out.at(i, i) = 1;
  for (std::int64_t pivot = 0; pivot < x.rows; ++pivot) {
    const double value = x.at(pivot, pivot);
    for (std::int64_t j = 0; j < x.rows; ++j) {
      x.at(pivot, j) /= value;
      out.at(pivot, j) /= value;
    }
    for (std::int64_t i = 0; i < x.rows; ++i) {
      if (i == pivot) continue;
      const double factor = x.at(i, pivot);
      for (std::int64_t j = 0; j < x.rows; ++j) {
        x.at(i, j) -= factor * x.at(pivot, j);
        out.at(i, j) -= factor * out.at(pivot, j);
      }
    }
  }
  return out;
}

double Dot(const Vector& x, const Vector& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}
double Norm(const Vector& x) { return std::sqrt(Dot(x, x)); }

struct Unit {
  Vector x;  // b_j, then a_j.
  double weight;
};

std::vector<Unit> UnitsOf(absl::Span<const Update> updates) {
  std::vector<Unit> units;
  for (const Update& update : updates) {
    for (std::int64_t k = 0; k < update.a.rows; ++k) {
      Vector a, b;
      for (std::int64_t j = 0; j < update.a.columns; ++j) a.push_back(update.a.at(k, j));
      for (std::int64_t i = 0; i < update.b.rows; ++i) b.push_back(update.scale * update.b.at(i, k));
      const double of_a = Norm(a), of_b = Norm(b), size = std::sqrt(of_a * of_b);
      for (double& value : a) value *= size > 0 ? size / of_a : 1;
      for (double& value : b) value *= size > 0 ? size / of_b : 1;
      b.insert(b.end(), a.begin(), a.end());
      units.push_back({b, update.weight});
    }
  }
  return units;
}

// The nearer of x to centre and -x to centre: squared distance, and the sign.
std::pair<double, double> Distance(const Vector& x, const Vector& centre) {
  double plus = 0, minus = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    plus += (x[i] - centre[i]) * (x[i] - centre[i]);
    minus += (x[i] + centre[i]) * (x[i] + centre[i]);
  }
  return minus < plus - 4 * kTie ? std::pair(minus, -1.0) : std::pair(plus, 1.0);
}

// Starts with the heaviest unit, then always takes the one farthest from those taken.
std::vector<Vector> FirstCentres(const std::vector<Unit>& units, std::size_t k) {
  std::vector<Vector> centres;
  while (centres.size() < k) {
    double farthest = 0;
    const Unit* next = nullptr;
    for (const Unit& unit : units) {
      double distance = Dot(unit.x, unit.x);
      for (std::size_t c = 0; c < centres.size(); ++c) {
        const double to = Distance(unit.x, centres[c]).first;
        distance = c == 0 ? to : std::min(distance, to);
      }
      if (distance > kTie && unit.weight * (distance - kTie) > farthest) {
        farthest = unit.weight * distance;
        next = &unit;
      }
    }
    if (next == nullptr) break;
    centres.push_back(next->x);
  }
  return centres;
}

// For each centre the members' indices and signs.
using Members = std::vector<std::vector<std::pair<std::size_t, double>>>;
Members MembersOf(const std::vector<Unit>& units, const std::vector<Vector>& centres) {
  Members members(centres.size());
  for (std::size_t i = 0; i < units.size(); ++i) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < centres.size(); ++c) {
      if (Distance(units[i].x, centres[c]).first < Distance(units[i].x, centres[best]).first - kTie) best = c;
    }
    members[best].emplace_back(i, Distance(units[i].x, centres[best]).second);
  }
  return members;
}

Vector MeanOf(const std::vector<Unit>& units, const std::vector<std::pair<std::size_t, double>>& members) {
  Vector mean(units[0].x.size());
  double total = 0;
  for (const auto& [i, sign] : members) {
    total += units[i].weight;
    for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += sign * units[i].weight * units[i].x[j];
  }
  for (double& value : mean) value /= total;
  return mean;
}

}  // namespace

Matrix FairProduct(absl::Span<const Update> updates) {
  const Factors mean = AverageFactors(updates);
  const Matrix averaged = Product(mean.b, mean.a), at = Transposed(mean.a);
  Matrix missing = DenseSum(updates), gram = Product(mean.a, at), b = mean.b;
  for (std::size_t i = 0; i < missing.values.size(); ++i) missing.values[i] -= averaged.values[i];
  for (std::int64_t i = 0; i < gram.rows; ++i) gram.at(i, i) += 0.01;
  const Matrix correction = Product(Product(missing, at), Inverse(gram));
  for (std::size_t i = 0; i < b.values.size(); ++i) b.values[i] += correction.values[i];
  return Product(b, mean.a);
}

Matrix HetLoraProduct(absl::Span<const Update> updates) {
  std::vector<Update> weighted(updates.begin(), updates.end());
  double total = 0;
  for (Update& update : weighted) {
    update.weight = update.scale * Norm(Product(update.b, update.a).values);
    total += update.weight;
  }
  for (Update& update : weighted) {
    update.weight = total > 0 ? update.weight / total : 1.0 / static_cast<double>(weighted.size());
  }
  const Factors mean = AverageFactors(weighted);
  return Product(mean.b, mean.a);
}

Matrix RankClusterProduct(absl::Span<const Update> updates) {
  const std::vector<Unit> units = UnitsOf(updates);
  double weight = 0, rank = 0, k = 0;
  for (const Update& update : updates) {
    weight += update.weight;
    rank += update.weight * static_cast<double>(update.a.rows);
    k = std::max(k, static_cast<double>(update.a.rows));
  }
  std::vector<Vector> centres = FirstCentres(units, static_cast<std::size_t>(k));
  const std::int64_t d_out = updates[0].b.rows, d_in = updates[0].a.columns;
  Matrix sum = Matrix::Zero(d_out, d_in);
  if (centres.empty()) return sum;
  Members members = MembersOf(units, centres);
  for (Members before; before != members; members = MembersOf(units, centres)) {
    before = members;
    for (std::size_t c = 0; c < centres.size(); ++c) centres[c] = MeanOf(units, members[c]);
  }
  for (std::size_t c = 0; c < centres.size(); ++c) {
    const Vector mean = MeanOf(units, members[c]);
    double of_members = 0, total = 0;
    for (const auto& [i, sign] : members[c]) {
      total += units[i].weight;
      of_members += units[i].weight * Norm(units[i].x);
    }
    const double restored = of_members / total / Norm(mean);
    const double factor =
        restored * restored * total * std::sqrt(static_cast<double>(centres.size()) / (rank / weight));
    for (std::int64_t i = 0; i < d_out; ++i) {
      for (std::int64_t j = 0; j < d_in; ++j) sum.at(i, j) += factor * mean[i] * mean[d_out + j];
    }
  }
  return sum;
}

}  // namespace cairn::kernels::reference
