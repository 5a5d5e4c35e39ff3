#include "aggregators/coordinate_rows.h"

#include <algorithm>
#include <limits>
#include <mutex>
#include <type_traits>
#include <utility>

#include "aggregators/factor_views.h"
#include "aggregators/kernels/add_product.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

// Of all columns together: 8 MiB of float64, for matrix products; 512 KiB of float32, which stay in a cache until the
// tally has read them too.
constexpr std::int64_t kBlockElements = 1 << 20, kNarrowElements = 1 << 17;

// mixing^T as kernels::AddProduct takes it, [columns, clients].
std::vector<double> Transposed(const kernels::SmallMatrix& mixing) {
  std::vector<double> out(mixing.values.size());
  for (std::size_t i = 0; i < mixing.rows; ++i) {
    for (std::size_t j = 0; j < mixing.columns; ++j) out[j * mixing.rows + i] = mixing.at(i, j);
  }
  return out;
}

// What the rule makes of the columns, row by row.
class Result final : public FactorOf<Result> {
 public:
  Result(std::int64_t rows, std::int64_t columns, CoordinatePlan plan, CoordinateColumns of, OutcomeTally& tally)
      : FactorOf(rows, columns),
        plan_(std::move(plan)),
        mixing_(Transposed(plan_.mixing)),
        of_(std::move(of)),
        steps_(kernels::StepsOf(plan_.rule, mixing_.empty() ? of_.clients.size() : plan_.mixing.columns)),
        narrow_(IsNarrow(plan_, of_)),
        tally_(tally),
        told_(static_cast<std::size_t>(columns > 1 ? rows : 0)) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    narrow_ ? ReadWith<float>(first, out) : ReadWith<double>(first, out);
  }

 private:
  // Whether the rule may see float32 numbers as they are.
  static bool IsNarrow(const CoordinatePlan& plan, const CoordinateColumns& of) {
    return plan.mixing.values.empty() && of.reference == nullptr &&
           std::all_of(of.clients.begin(), of.clients.end(),
                       [](const DenseColumnPtr& column) { return column != nullptr && column->stored_as_floats(); });
  }

  // What clients' values are read into, block after block: those that do not lie in memory as they are, by client; or
  // all of them, one behind the other.
  template <typename V>
  using Values = std::conditional_t<std::is_same_v<V, float>, std::vector<std::vector<float>>, std::vector<double>>;

  // Computes in V.
  template <typename V, typename T>
  void ReadWith(std::int64_t first, absl::Span<T> out) const {
    const std::int64_t rows = static_cast<std::int64_t>(out.size()) / columns();
    const auto held = static_cast<std::int64_t>(of_.clients.size() + plan_.mixing.columns + 1) * columns();
    const std::int64_t step = std::max<std::int64_t>(1, (narrow_ ? kNarrowElements : kBlockElements) / held);
    std::vector<V> room;
    Values<V> x;
    for (std::int64_t row = 0; row < rows; row += step) {
      const std::int64_t count = std::min(step, rows - row);
      const absl::Span<T> block = out.subspan(row * columns(), count * columns());
      const absl::Span<V> values = SpanOf(block, room);
      // Who reads a factor refuses values that are not finite.
      if (!Compute(first + row, x, values).ok()) {
        std::fill(values.begin(), values.end(), std::numeric_limits<V>::quiet_NaN());
      }
      if constexpr (!std::is_same_v<V, T>) {
        std::transform(values.begin(), values.end(), block.begin(), [](V value) { return static_cast<T>(value); });
      }
    }
  }

  // Room for values of V in the place of `block`: `block` itself where it holds such.
  template <typename V, typename T>
  static absl::Span<V> SpanOf(absl::Span<T> block, std::vector<V>& room) {
    if constexpr (std::is_same_v<V, T>) {
      return block;
    } else {
      room.resize(block.size());
      return absl::MakeSpan(room);
    }
  }

  absl::Status Compute(std::int64_t first, Values<float>& x, absl::Span<float> out) const {
    x.resize(of_.clients.size());
    std::vector<const float*> columns;
    for (std::size_t i = 0; i < x.size(); ++i) columns.push_back(of_.clients[i]->Read(first, out.size(), x[i]));
    kernels::ApplyCoordinates(steps_, columns, out);
    Tell<float>(first, columns, out);
    return absl::OkStatus();
  }

  absl::Status Compute(std::int64_t first, Values<double>& x, absl::Span<double> out) const {
    const std::size_t clients = of_.clients.size(), width = out.size();
    std::vector<double> reference(of_.reference == nullptr ? 0 : width);
    if (of_.reference != nullptr) CAIRN_RETURN_IF_ERROR(of_.reference->AddTo(first, absl::MakeSpan(reference)));
    x.assign(clients * width, 0);
    for (std::size_t i = 0; i < clients; ++i) {
      const absl::Span<double> own = absl::MakeSpan(x).subspan(i * width, width);
      if (of_.clients[i] != nullptr) CAIRN_RETURN_IF_ERROR(of_.clients[i]->AddTo(first, own));
      for (std::size_t k = 0; k < reference.size(); ++k) own[k] -= reference[k];
    }
    CAIRN_RETURN_IF_ERROR(Apply(x, out));
    Tell<double>(first, kernels::StartsOf(x, clients), out);
    for (std::size_t k = 0; k < reference.size(); ++k) out[k] += reference[k];
    return absl::OkStatus();
  }

  absl::Status Apply(const std::vector<double>& x, absl::Span<double> out) const {
    if (mixing_.empty()) {
      kernels::ApplyCoordinates(steps_, kernels::StartsOf(x, of_.clients.size()), out);
      return absl::OkStatus();
    }
    std::vector<double> mixed(plan_.mixing.columns * out.size());
    CAIRN_RETURN_IF_ERROR(kernels::AddProduct(mixing_, x, false, static_cast<std::int64_t>(plan_.mixing.rows),
                                              static_cast<std::int64_t>(out.size()), absl::MakeSpan(mixed)));
    kernels::ApplyCoordinates(steps_, kernels::StartsOf(mixed, plan_.mixing.columns), out);
    return absl::OkStatus();
  }

  // Rows of products are read as often as a decomposition needs them, and counted once. Tensors are read once.
  template <typename V>
  void Tell(std::int64_t first, absl::Span<const V* const> x, absl::Span<const V> y) const {
    const auto rows = static_cast<std::size_t>(y.size() / columns());
    if (!told_.empty()) {
      const std::lock_guard lock(mutex_);
      const auto begin = told_.begin() + first, end = begin + static_cast<std::ptrdiff_t>(rows);
      if (std::find(begin, end, true) != end) return;
      std::fill(begin, end, true);
    }
    tally_.Add<V>(plan_.clients, x, y);
  }

  const CoordinatePlan plan_;
  const std::vector<double> mixing_;
  const CoordinateColumns of_;
  const kernels::CoordinateSteps steps_;
  const bool narrow_;
  OutcomeTally& tally_;
  mutable std::mutex mutex_;
  mutable std::vector<bool> told_;  // By row of a product.
};

}  // namespace

FactorPtr CoordinateRows(std::int64_t rows, std::int64_t columns, CoordinatePlan plan, CoordinateColumns of,
                         OutcomeTally& tally) {
  return std::make_shared<const Result>(rows, columns, std::move(plan), std::move(of), tally);
}

}  // namespace cairn::internal
