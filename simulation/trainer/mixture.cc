#include "simulation/trainer/mixture.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

constexpr std::size_t kSamplePieces = 8;

// In (0, 1], for logarithms.
double Positive(Random& random) { return 1.0 - random.Uniform(); }

// Box and Muller.
double Normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(Positive(random)));
  return radius * std::cos(2 * std::numbers::pi * random.Uniform());
}

// The logarithm of a gamma variate of shape `shape` >= 1 (Marsaglia and Tsang 2000).
double LogGammaFromOne(double shape, Random& random) {
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = Normal(random), cube_root = 1 + c * x;
    const double u = Positive(random);
    if (cube_root <= 0) continue;
    const double v = cube_root * cube_root * cube_root;
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

// Any shape > 0. In logarithms: of small shapes the variate itself is often below the smallest double.
double LogGamma(double shape, Random& random) {
  if (shape >= 1) return LogGammaFromOne(shape, random);
  const double above = LogGammaFromOne(shape + 1, random);
  return above + std::log(Positive(random)) / shape;
}

// Text that begins again at its end.
class Ring {
 public:
  Ring(absl::string_view text, Random& random) : text_(text), at_(random.Below(text.size())) {}

  void AppendTo(std::string& out, std::size_t bytes) {
    while (bytes > 0) {
      const absl::string_view piece = text_.substr(at_, bytes);
      absl::StrAppend(&out, piece);
      bytes -= piece.size();
      at_ = (at_ + piece.size()) % text_.size();
    }
  }

 private:
  absl::string_view text_;
  std::size_t at_;
};

}  // namespace

std::vector<double> DirichletProportions(std::size_t size, double concentration, Random& random) {
  std::vector<double> out(size, 1.0 / static_cast<double>(size));
  if (std::isinf(concentration)) return out;
  for (double& value : out) value = LogGamma(concentration, random);
  const double top = *std::max_element(out.begin(), out.end());
  for (double& value : out) value = std::exp(value - top);
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& value : out) value /= sum;
  return out;
}

std::vector<std::string> MixedTexts(absl::Span<const std::string> domains, std::size_t participants,
                                    double concentration, std::size_t bytes_min, std::uint64_t seed) {
  Random random(SeedOf(seed, {"mixture"}));
  std::size_t bytes = 0;
  std::vector<Ring> rings;
  for (const std::string& domain : domains) {
    bytes += domain.size();
    rings.emplace_back(domain, random);
  }
  bytes = std::max(bytes / participants, bytes_min);
  std::vector<std::string> texts(participants);
  for (std::string& text : texts) {
    const std::vector<double> parts = DirichletProportions(domains.size(), concentration, random);
    double end = 0;  // So that rounding leaves no byte out.
    for (std::size_t d = 0; d < rings.size(); ++d) {
      end = d + 1 == rings.size() ? 1 : std::min(1.0, end + parts[d]);
      const auto until = static_cast<std::size_t>(std::llround(end * static_cast<double>(bytes)));
      if (until > text.size()) rings[d].AppendTo(text, until - text.size());
    }
  }
  return texts;
}

std::string EvenSample(absl::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  const std::size_t piece = bytes / kSamplePieces;
  std::string out;
  for (std::size_t i = 0; i < kSamplePieces; ++i) {
    absl::StrAppend(&out, text.substr(i * (text.size() - piece) / (kSamplePieces - 1), piece));
  }
  return out;
}

}  // namespace cairn
