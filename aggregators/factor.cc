// Factors made of values or of other factors, and reading whole ones.
#include "aggregators/factor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "aggregators/factor_views.h"

namespace cairn {
namespace {

using internal::FactorOf;
using internal::ForPartsOf;

constexpr std::int64_t kBlockElements = 1 << 15;  // 128 KiB of float32.

template <typename Stored>
class Values final : public FactorOf<Values<Stored>> {
 public:
  Values(std::vector<Stored> values, std::int64_t rows, std::int64_t columns)
      : FactorOf<Values<Stored>>(rows, columns), values_(std::move(values)) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    const Stored* from = values_.data() + first * this->columns();
    std::transform(from, from + out.size(), out.begin(), [](Stored value) { return static_cast<T>(value); });
  }

 private:
  std::vector<Stored> values_;
};

class BelowOf final : public FactorOf<BelowOf> {
 public:
  BelowOf(std::vector<FactorPtr> parts, std::vector<std::int64_t> starts)
      : FactorOf(starts.back(), parts.front()->columns()), parts_(std::move(parts)), starts_(std::move(starts)) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    ForPartsOf(starts_, first, rows, [&](std::size_t part, std::int64_t row, std::int64_t count, std::int64_t at) {
      parts_[part]->Read(row, out.subspan(at * columns(), count * columns()));
    });
  }

 private:
  std::vector<FactorPtr> parts_;
  std::vector<std::int64_t> starts_;
};

class BesideOf final : public FactorOf<BesideOf> {
 public:
  BesideOf(std::vector<FactorPtr> parts, std::int64_t columns)
      : FactorOf(parts.front()->rows(), columns), parts_(std::move(parts)) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    std::vector<T> block;
    std::int64_t at = 0;
    for (const FactorPtr& part : parts_) {
      block.resize(rows * part->columns());
      part->Read(first, absl::MakeSpan(block));
      for (std::int64_t i = 0; i < rows; ++i) {
        std::copy_n(block.data() + i * part->columns(), part->columns(), out.data() + i * columns() + at);
      }
      at += part->columns();
    }
  }

 private:
  std::vector<FactorPtr> parts_;
};

class PartOf final : public FactorOf<PartOf> {
 public:
  PartOf(FactorPtr whole, std::int64_t first, std::int64_t rows, std::int64_t columns)
      : FactorOf(rows, columns), whole_(std::move(whole)), first_(first) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    if (columns() == whole_->columns()) return whole_->Read(first_ + first, out);
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    std::vector<T> block(rows * whole_->columns());
    whole_->Read(first_ + first, absl::MakeSpan(block));
    for (std::int64_t i = 0; i < rows; ++i) {
      std::copy_n(block.data() + i * whole_->columns(), columns(), out.data() + i * columns());
    }
  }

 private:
  FactorPtr whole_;
  std::int64_t first_;
};

template <typename T>
std::vector<T> ReadEverything(const Factor& factor) {
  std::vector<T> values(factor.rows() * factor.columns());
  if (!values.empty()) factor.Read(0, absl::MakeSpan(values));
  return values;
}

// One pass that vectorises: x - x is 0 for finite x and NaN for all others.
template <typename T>
bool AllFinite(absl::Span<const T> values) {
  T sum = 0;
  for (const T value : values) sum += value - value;
  return sum == 0;
}

template <typename T>
absl::Status InBlocks(const Factor& factor, absl::FunctionRef<absl::Status(absl::Span<const T>)> visit) {
  const std::int64_t unit = factor.unit_rows();
  const std::int64_t step = std::max<std::int64_t>(1, kBlockElements / (factor.columns() * unit)) * unit;
  std::vector<T> block;
  for (std::int64_t first = 0; first < factor.rows(); first += step) {
    block.resize(std::min(step, factor.rows() - first) * factor.columns());
    factor.Read(first, absl::MakeSpan(block));
    if (!AllFinite(absl::MakeConstSpan(block))) {
      return absl::OutOfRangeError(sizeof(T) == sizeof(float) ? "the combined values overflow float32"
                                                              : "the combined values overflow float64");
    }
    absl::Status status = visit(block);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

FactorPtr ValuesOf(std::vector<float> values, std::int64_t rows, std::int64_t columns) {
  return std::make_shared<Values<float>>(std::move(values), rows, columns);
}
FactorPtr ValuesOf(std::vector<double> values, std::int64_t rows, std::int64_t columns) {
  return std::make_shared<Values<double>>(std::move(values), rows, columns);
}

FactorPtr Below(std::vector<FactorPtr> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  std::vector<std::int64_t> starts = {0};
  for (const FactorPtr& part : parts) starts.push_back(starts.back() + part->rows());
  return std::make_shared<BelowOf>(std::move(parts), std::move(starts));
}

FactorPtr Beside(std::vector<FactorPtr> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  std::int64_t columns = 0;
  for (const FactorPtr& part : parts) columns += part->columns();
  return std::make_shared<BesideOf>(std::move(parts), columns);
}

FactorPtr Part(FactorPtr whole, std::int64_t first, std::int64_t rows, std::int64_t columns) {
  return std::make_shared<PartOf>(std::move(whole), first, rows, columns);
}

std::vector<float> ReadAll(const Factor& factor) { return ReadEverything<float>(factor); }
std::vector<double> ReadAllDouble(const Factor& factor) { return ReadEverything<double>(factor); }

absl::Status ForEachBlock(const Factor& factor, absl::FunctionRef<absl::Status(absl::Span<const float>)> visit) {
  return InBlocks<float>(factor, visit);
}
absl::Status ForEachBlockDouble(const Factor& factor, absl::FunctionRef<absl::Status(absl::Span<const double>)> visit) {
  return InBlocks<double>(factor, visit);
}

}  // namespace cairn
