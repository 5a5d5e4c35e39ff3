// What the kinds of factors in factor*.cc share.
#pragma once

#include <algorithm>

#include "aggregators/factor.h"

namespace cairn::internal {

// One implementation for float and double: Derived has a template ReadAs<T>(first, out).
template <typename Derived>
class FactorOf : public Factor {
 public:
  void Read(std::int64_t first, absl::Span<float> out) const override {
    static_cast<const Derived*>(this)->template ReadAs<float>(first, out);
  }
  void Read(std::int64_t first, absl::Span<double> out) const override {
    static_cast<const Derived*>(this)->template ReadAs<double>(first, out);
  }

 protected:
  using Factor::Factor;
};

// Visits the parts of a column of parts that hold rows [first, first + rows): which part, its own first row, how many
// rows, and where these begin in the block. `starts` are the parts' first rows, and at the end the number of all.
template <typename Visit>
void ForPartsOf(const std::vector<std::int64_t>& starts, std::int64_t first, std::int64_t rows, Visit visit) {
  std::size_t part = std::upper_bound(starts.begin(), starts.end(), first) - starts.begin() - 1;
  for (std::int64_t done = 0; done < rows; ++part) {
    const std::int64_t here = std::min(starts[part + 1] - (first + done), rows - done);
    if (here > 0) visit(part, first + done - starts[part], here, done);
    done += here;
  }
}

}  // namespace cairn::internal
