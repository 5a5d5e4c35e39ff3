#include "aggregators/kernels/recompress.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/balance.h"
#include "aggregators/kernels/sketch.h"
#include "aggregators/kernels/spectrum.h"
#include "aggregators/kernels/torch_status.h"

namespace cairn::kernels {
namespace {

using at::Tensor;

// A sketch is used where it has at most a quarter of the smallest dimension: there both ways took the same time, at
// 4096 x 4096 and R of 160, 320 and 640 with two threads.
constexpr std::int64_t kSketchShare = 4;
constexpr std::int64_t kPanel = 256;           // Rows or columns at a time.
constexpr double kSketchEnergyMax = 1 - 1e-6;  // Nearer to 1 only the exact decomposition can tell.

// M = b a, balanced: a [R, d_in], b [d_out, R], of the input's precision, on the device.
struct Operands {
  Tensor a, b;
  std::int64_t smallest() const { return std::min({b.size(0), b.size(1), a.size(1)}); }
};

// QR without forming Q, which is as large as the input: LAPACK's packed reflectors.
class PackedQr {
 public:
  explicit PackedQr(const Tensor& x) { std::tie(packed_, tau_) = at::geqrf(x.to(at::kDouble)); }
  Tensor R() const { return packed_.narrow(0, 0, tau_.size(0)).triu(); }
  // Q x, for x with as many rows as R.
  Tensor Times(const Tensor& x) const {
    const Tensor padded = at::constant_pad_nd(x, {0, 0, 0, packed_.size(0) - x.size(0)});
    return at::ormqr(packed_.narrow(1, 0, tau_.size(0)), tau_, padded);
  }

 private:
  Tensor packed_, tau_;
};

Spectrum Exact(const Operands& m, const Cut& cut) {
  const PackedQr left(m.b), right(m.a.t());
  const auto [u, values, vh] = at::linalg_svd(left.R().mm(right.R().t()), /*full_matrices=*/false);
  Spectrum spectrum{.values = ToVector(values)};
  const std::int64_t rank = RankFor(spectrum, cut);
  spectrum.left = left.Times(u.narrow(1, 0, rank));
  spectrum.right = right.Times(vh.narrow(0, 0, rank).t());
  return spectrum;
}

// x^T y in float64, a few rows at a time, so that x never stands in float64 whole.
Tensor TransposedTimes(const Tensor& x, const Tensor& y) {
  Tensor sum = at::zeros({x.size(1), y.size(1)}, y.options());
  for (std::int64_t at = 0; at < x.size(0); at += kPanel) {
    const std::int64_t rows = std::min(kPanel, x.size(0) - at);
    sum.addmm_(x.narrow(0, at, rows).to(at::kDouble).t(), y.narrow(0, at, rows));
  }
  return sum;
}

// An orthonormal basis of the `width` strongest directions of M's range, nearly.
Tensor RangeOf(const Operands& m, std::int64_t width) {
  const auto options = m.b.options();
  Tensor q = Orthonormal(m.b.mm(m.a.mm(RandomMatrix(m.a.size(1), width, options))));
  for (int i = 0; i < kPowerIterations; ++i) {
    const Tensor z = Orthonormal(m.a.t().mm(m.b.t().mm(q.to(options))));
    q = Orthonormal(m.b.mm(m.a.mm(z.to(options))));
  }
  return q;
}

struct ProductNorm {
  double squared = 0;
  double noise = 0;  // What rounding may have made of it.
};

// ||c a||^2 as the sum of (c^T c) o (a a^T), a panel of half of it at a time.
ProductNorm NormOf(const Tensor& c, const Tensor& a) {
  Tensor sum = at::zeros({}, c.options().dtype(at::kDouble)), units = at::zeros_like(sum);
  for (std::int64_t at = 0; at < a.size(0); at += kPanel) {
    const std::int64_t count = std::min(kPanel, a.size(0) - at);
    const Tensor terms = c.narrow(1, at, count).t().mm(c.narrow(1, 0, at + count)) *
                         a.narrow(0, at, count).mm(a.narrow(0, 0, at + count).t());
    sum += 2 * terms.narrow(1, 0, at).sum(at::kDouble) + terms.narrow(1, at, count).sum(at::kDouble);
    units += terms.narrow(1, at, count).diagonal().sum(at::kDouble);
  }
  const double rounding = c.scalar_type() == at::kFloat ? 1e-6 : 1e-15;
  return {std::max(0.0, sum.item<double>()), rounding * units.item<double>()};
}

// ||M - q w^T||^2 for w = M_b^T q: by the factors of the difference, so that nothing cancels between two large norms.
double RestOf(const Operands& m, const Tensor& q, const Tensor& w, double captured) {
  const auto options = m.b.options();
  const ProductNorm rest = NormOf(at::addmm(m.b, q.to(options), w.t().to(options), 1, -1), m.a);
  // Units of the difference may cancel among themselves (clients with equal A, say): then float32 shows only noise.
  if (rest.noise < 1e-3 * rest.squared || rest.noise < 1e-13 * captured) return rest.squared;
  return NormOf(at::addmm(m.b.to(at::kDouble), q, w.t(), 1, -1), m.a.to(at::kDouble)).squared;
}

Spectrum Sketch(const Operands& m, std::int64_t width) {
  const Tensor q = RangeOf(m, width);
  const Tensor w = TransposedTimes(m.b, q);
  const auto [qt, rt] = at::linalg_qr(TransposedTimes(m.a, w));  // (q^T M)^T = qt rt.
  const auto [u, values, vh] = at::linalg_svd(rt.t(), /*full_matrices=*/false);
  Spectrum spectrum{q.mm(u), qt.mm(vh.t()), ToVector(values)};
  spectrum.rest = RestOf(m, q, w, SumOfSquares(spectrum.values, 0));
  return spectrum;
}

bool SketchPays(const Operands& m, std::int64_t width) { return width * kSketchShare <= m.smallest(); }

Spectrum Decompose(const Operands& m, const Cut& cut) {
  if (cut.rank > 0) {
    const std::int64_t width = cut.rank + kOversample;
    return SketchPays(m, width) ? Sketch(m, width) : Exact(m, cut);
  }
  if (cut.energy <= kSketchEnergyMax) {
    for (std::int64_t width = 2 * kOversample; SketchPays(m, width); width *= 2) {
      Spectrum spectrum = Sketch(m, width);
      if (RankFor(spectrum, cut) <= width - kOversample) return spectrum;
    }
  }
  return Exact(m, cut);
}

template <typename T>
absl::Status Check(const FactorPair<T>& in, const Cut& cut) {
  if (!in.IsWhole()) {
    return absl::InvalidArgumentError(absl::StrCat("recompress: expected factors of rank ", in.rank, " for ", in.d_out,
                                                   " x ", in.d_in, ", got ", in.b.size(), " and ", in.a.size(),
                                                   " values"));
  }
  return CheckCut(cut);
}

template <typename T>
Operands OnDevice(Balanced<T>& factors, const FactorPair<T>& in, const std::string& device) {
  const auto type = c10::CppTypeToScalarType<T>::value;
  return {at::from_blob(factors.a.data(), {in.rank, in.d_in}, type).to(at::Device(device)),
          at::from_blob(factors.b.data(), {in.d_out, in.rank}, type).to(at::Device(device))};
}

template <typename T>
absl::StatusOr<LowRank> RecompressOn(const FactorPair<T>& in, const Cut& cut, const std::string& device) {
  if (absl::Status status = Check(in, cut); !status.ok()) return status;
  if (absl::Status status = CheckDevice(device); !status.ok()) return status;
  Balanced<T> factors = Balance(in);
  if (!factors.finite) return absl::InvalidArgumentError("recompress: a factor has a value that is not finite");
  if (factors.zero) return ZeroLowRank(in.d_out, in.d_in);
  return CatchTorch("recompress", [&]() -> absl::StatusOr<LowRank> {
    const c10::InferenceMode inference;
    const at::NoTF32Guard full_precision;
    return CutTo(Decompose(OnDevice(factors, in, device), cut), cut, factors.exponent);
  });
}

}  // namespace

absl::Status CheckDevice(const std::string& device) {
  if (device == "cpu") return absl::OkStatus();
  absl::Status status = CatchTorch("libtorch says", [&]() -> absl::Status {
    if (device.rfind("cuda:", 0) != 0) return absl::InvalidArgumentError("no such kind of device");
    if (!at::hasCUDA()) return absl::InvalidArgumentError("libtorch finds no CUDA device");
    at::zeros({1}, at::Device(device));
    return absl::OkStatus();
  });
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("device: expected cpu, or cuda:N of this machine, got \"", device, "\": ", status.message()));
}

absl::StatusOr<LowRank> Recompress(const FactorPair<float>& input, const Cut& cut, const std::string& device) {
  return RecompressOn(input, cut, device);
}

absl::StatusOr<LowRank> Recompress(const FactorPair<double>& input, const Cut& cut, const std::string& device) {
  return RecompressOn(input, cut, device);
}

}  // namespace cairn::kernels
