#include "aggregators/rounded.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "aggregators/factor_views.h"

namespace cairn {
namespace {

class RoundedTo final : public internal::FactorOf<RoundedTo> {
 public:
  RoundedTo(FactorPtr factor, DType dtype)
      : FactorOf(factor->rows(), factor->columns()), factor_(std::move(factor)), dtype_(dtype) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    std::vector<float> values(out.size());
    factor_->Read(first, absl::MakeSpan(values));
    std::string bytes(values.size() * SizeOf(dtype_), '\0');
    FromFloat(dtype_, values.data(), values.size(), bytes.data());
    ToFloat(dtype_, bytes.data(), values.size(), values.data());
    std::copy(values.begin(), values.end(), out.begin());
  }

 private:
  const FactorPtr factor_;
  const DType dtype_;
};

}  // namespace

FactorPtr Rounded(FactorPtr factor, DType dtype) {
  if (dtype == DType::kF64) return factor;
  return std::make_shared<RoundedTo>(std::move(factor), dtype);
}

}  // namespace cairn
