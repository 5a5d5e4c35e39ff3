#include "aggregators/kernels/recompress_rows.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/sketch.h"
#include "aggregators/kernels/spectrum.h"
#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

constexpr std::int64_t kBlockElements = 1 << 21;  // Of rows that are read at a time: 16 MiB.
// A sketch is used where it has at most half of the smallest dimension: there both ways took the same time, at
// 2048 x 2048 with two threads.
constexpr std::int64_t kSketchShare = 2;
constexpr double kLargest = 0x1p300;  // The product of three of them, and sums of it, are in float64.

// The matrix, a block of rows at a time.
class Blocks {
 public:
  explicit Blocks(const MatrixRows& matrix) : matrix_(matrix) {}

  std::int64_t rows() const { return matrix_.rows; }
  std::int64_t columns() const { return matrix_.columns; }
  std::int64_t smallest() const { return std::min(rows(), columns()); }

  // visit(first, X_i) for the rows from `first` on; X_i is overwritten afterwards.
  template <typename Visit>
  absl::Status ForEach(Visit visit) const {
    const std::int64_t step = std::clamp<std::int64_t>(kBlockElements / columns(), 1, rows());
    const Tensor buffer = at::empty({step, columns()}, at::kDouble);
    for (std::int64_t first = 0; first < rows(); first += step) {
      const Tensor block = buffer.narrow(0, 0, std::min(step, rows() - first));
      if (absl::Status status = Read(first, block); !status.ok()) return status;
      visit(first, block);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Read(std::int64_t first, const Tensor& block) const {
    const absl::Span<double> values(block.data_ptr<double>(), static_cast<std::size_t>(block.numel()));
    if (absl::Status status = matrix_.read(first, values); !status.ok()) return status;
    const bool finite = std::all_of(values.begin(), values.end(), [](double x) { return std::abs(x) <= kLargest; });
    if (finite) return absl::OkStatus();
    return absl::OutOfRangeError(absl::StrCat("recompress: rows ", first, " to ", first + block.size(0) - 1,
                                              " have a value that is not finite or beyond 2^300"));
  }

  const MatrixRows& matrix_;
};

absl::StatusOr<Spectrum> Exact(const Blocks& x) {
  const Tensor whole = at::empty({x.rows(), x.columns()}, at::kDouble);
  const absl::Status status =
      x.ForEach([&](std::int64_t first, const Tensor& block) { whole.narrow(0, first, block.size(0)).copy_(block); });
  if (!status.ok()) return status;
  const auto [u, values, vh] = at::linalg_svd(whole, /*full_matrices=*/false);
  return Spectrum{u, vh.t(), ToVector(values)};
}

// An orthonormal basis [columns, width] of the strongest directions of X^T's range, nearly.
absl::StatusOr<Tensor> RightSpace(const Blocks& x, std::int64_t width) {
  Tensor omega = RandomMatrix(x.columns(), width, at::kDouble);
  for (int i = 0; i < kPowerIterations; ++i) {
    Tensor sum = at::zeros_like(omega);
    const absl::Status status =
        x.ForEach([&](std::int64_t, const Tensor& block) { sum.addmm_(block.t(), block.mm(omega)); });  // X^T X omega
    if (!status.ok()) return status;
    omega = Orthonormal(sum);
  }
  return omega;
}

absl::StatusOr<Spectrum> Sketch(const Blocks& x, std::int64_t width) {
  const absl::StatusOr<Tensor> space = RightSpace(x, width);
  if (!space.ok()) return space.status();
  const Tensor& omega = *space;
  const Tensor y = at::empty({x.rows(), width}, at::kDouble);
  Spectrum spectrum;
  const absl::Status status = x.ForEach([&](std::int64_t first, const Tensor& block) {
    Tensor part = y.narrow(0, first, block.size(0));
    at::mm_out(part, block, omega);
    // By the difference itself, so that nothing cancels between two large norms.
    spectrum.rest += std::pow(at::addmm(block, part, omega.t(), 1, -1).norm().item<double>(), 2);
  });
  if (!status.ok()) return status;
  const auto [q, r] = at::linalg_qr(y);
  const auto [u, values, vh] = at::linalg_svd(r, /*full_matrices=*/false);
  spectrum.left = q.mm(u);
  spectrum.right = omega.mm(vh.t());
  spectrum.values = ToVector(values);
  return spectrum;
}

// How many directions are followed so that the first `rank` are near those of the matrix. Medians of products have
// spectra that fall slowly: with 16 more, whatever the rank, the error was up to 1.06 times the best one.
std::int64_t WidthFor(std::int64_t rank) { return rank + std::max(kOversample, rank / 2); }

bool SketchPays(const Blocks& x, std::int64_t width) { return width * kSketchShare <= x.smallest(); }

absl::StatusOr<Spectrum> Decompose(const Blocks& x, const Cut& cut) {
  if (cut.rank > 0) {
    const std::int64_t width = WidthFor(cut.rank);
    return SketchPays(x, width) ? Sketch(x, width) : Exact(x);
  }
  for (std::int64_t width = WidthFor(kOversample); SketchPays(x, width); width *= 2) {
    absl::StatusOr<Spectrum> spectrum = Sketch(x, width);
    if (!spectrum.ok() || WidthFor(RankFor(*spectrum, cut)) <= width) return spectrum;
  }
  return Exact(x);
}

absl::Status Check(const MatrixRows& matrix) {
  if (matrix.rows > 0 && matrix.columns > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("recompress: expected a matrix with rows and columns, got ", matrix.rows, " x ", matrix.columns));
}

}  // namespace

absl::StatusOr<LowRank> RecompressRows(const MatrixRows& matrix, const Cut& cut) {
  if (absl::Status status = Check(matrix); !status.ok()) return status;
  if (absl::Status status = CheckCut(cut); !status.ok()) return status;
  return CatchTorch("recompress", [&]() -> absl::StatusOr<LowRank> {
    const c10::InferenceMode inference;
    const absl::StatusOr<Spectrum> spectrum = Decompose(Blocks(matrix), cut);
    if (!spectrum.ok()) return spectrum.status();
    if (spectrum->values[0] == 0) return ZeroLowRank(matrix.rows, matrix.columns);
    return CutTo(*spectrum, cut, /*exponent=*/0);
  });
}

}  // namespace cairn::kernels
