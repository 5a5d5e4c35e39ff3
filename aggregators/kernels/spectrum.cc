#include "aggregators/kernels/spectrum.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace cairn::kernels {
namespace {

constexpr double kLosslessShare = 1e-7;  // Of the largest singular value: below what float32 factors show.

}  // namespace

std::vector<double> ToVector(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

double SumOfSquares(const std::vector<double>& values, std::size_t first) {
  double sum = 0;
  for (std::size_t i = values.size(); i > first; --i) sum += values[i - 1] * values[i - 1];
  return sum;
}

absl::Status CheckCut(const Cut& cut) {
  if (cut.rank >= 0 && cut.energy > 0 && cut.energy <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "recompress: expected a rank of 1 or more or an energy in (0, 1], got ", cut.rank, " and ", cut.energy));
}

std::int64_t RankFor(const Spectrum& spectrum, const Cut& cut) {
  const auto& values = spectrum.values;
  const auto count = static_cast<std::int64_t>(values.size());
  if (cut.rank > 0) return std::min(cut.rank, count);
  const double norm = SumOfSquares(values, 0) + spectrum.rest;
  const auto kept = [&](std::int64_t rank) {
    return cut.energy < 1 ? SumOfSquares(values, rank) + spectrum.rest <= (1 - cut.energy) * norm
                          : rank == count || values[rank] <= kLosslessShare * values[0];
  };
  for (std::int64_t rank = 1; rank <= count; ++rank) {
    if (kept(rank)) return rank;
  }
  return count + 1;
}

LowRank CutTo(const Spectrum& spectrum, const Cut& cut, int exponent) {
  const std::int64_t rank = RankFor(spectrum, cut);
  const auto kept = static_cast<std::size_t>(rank);
  LowRank out{rank};
  out.error_squared = std::ldexp(SumOfSquares(spectrum.values, kept) + spectrum.rest, 2 * exponent);
  out.norm_squared = std::ldexp(SumOfSquares(spectrum.values, 0) + spectrum.rest, 2 * exponent);
  for (std::size_t i = 0; i < kept; ++i) out.singular_values.push_back(std::ldexp(spectrum.values[i], exponent));
  const at::Tensor left = spectrum.left.narrow(1, 0, rank).cpu().contiguous();
  const at::Tensor largest = left.abs().argmax(0, /*keepdim=*/true);
  const at::Tensor signs = at::where(left.gather(0, largest) < 0, -1.0, 1.0);
  const at::Tensor roots = at::tensor(out.singular_values, at::kDouble).sqrt() * signs;
  out.b = ToVector(left * roots);
  out.a = ToVector((spectrum.right.narrow(1, 0, rank).cpu() * roots).t());
  return out;
}

LowRank ZeroLowRank(std::int64_t d_out, std::int64_t d_in) {
  return {.rank = 1, .a = std::vector<double>(d_in), .b = std::vector<double>(d_out), .singular_values = {0.0}};
}

}  // namespace cairn::kernels
