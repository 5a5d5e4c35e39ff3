// Text for participants who differ: each has a mixture of domains, in proportions drawn from a symmetric Dirichlet
// distribution. (Hsu et al., arXiv 1909.06335, mix classes so.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "simulation/model/random.h"

namespace cairn {

// `size` proportions, at least 0, that sum to 1. The smaller the concentration (> 0), the more is in one of them;
// infinity gives equal parts.
std::vector<double> DirichletProportions(std::size_t size, double concentration, Random& random);

// One text for each participant, all equally long: the domains' bytes divided by `participants`, but `bytes_min` at
// least. A domain's text is given out piece by piece from a random place on, so that nobody has the same text until all
// of it is given out; then it starts again. Domains are not empty.
std::vector<std::string> MixedTexts(absl::Span<const std::string> domains, std::size_t participants,
                                    double concentration, std::size_t bytes_min, std::uint64_t seed);

// At most `bytes` of a text, in pieces from all over it.
std::string EvenSample(absl::string_view text, std::size_t bytes);

}  // namespace cairn
