// A partial sum that is read: its index and the result.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/factor_views.h"
#include "aggregators/partial/index.h"
#include "aggregators/partial/state.h"
#include "aggregators/partial_sum.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using internal::Accumulator;
using internal::Held;
using internal::PartialState;
using internal::SumBlock;
using Planes = std::vector<absl::Span<const std::int64_t>>;

// An accumulator, divided.
class PlaneFactor final : public internal::FactorOf<PlaneFactor> {
 public:
  PlaneFactor(std::shared_ptr<const PartialState> state, const Planes& planes, const Accumulator& accumulator,
              double divisor)
      : FactorOf(accumulator.rows, accumulator.columns),
        state_(std::move(state)),
        planes_(planes),
        accumulator_(accumulator),
        divisor_(divisor) {}

  template <typename T>
  void ReadAs(std::int64_t first, absl::Span<T> out) const {
    while (!out.empty()) {
      const std::int64_t b = first / accumulator_.block_rows;
      const SumBlock block = accumulator_.Block(b);
      const std::int64_t count = block.rows * columns(), skip = (first - block.first) * columns();
      const auto here = static_cast<std::size_t>(std::min<std::int64_t>(count - skip, out.size()));
      internal::ReadBlock(
          state_->windows[accumulator_.first_block + b],
          [&](int plane) { return planes_[plane].subspan(accumulator_.OffsetOf(block), count); }, skip, divisor_,
          out.first(here));
      out.remove_prefix(here);
      first = block.first + block.rows;
    }
  }

 private:
  std::shared_ptr<const PartialState> state_;
  const Planes planes_;
  const Accumulator& accumulator_;  // In state_.
  const double divisor_;
};

// Takes the accumulators in their order.
class Reporter {
 public:
  Reporter(std::shared_ptr<const PartialState> state, const Planes& planes)
      : state_(std::move(state)), planes_(planes), next_(state_->shape.layout.accumulators.begin()) {}

  absl::StatusOr<CombinedModule> Module(std::size_t m) {
    const LoraModule& module = state_->shape.common.modules[m];
    const Held& held = state_->modules.at(module.name);
    CombinedModule combined{.spec = state_->shape.spec.modules[m], .rank_in = held.rank_in};
    std::vector<FactorPtr> a, b;
    for (std::int64_t g = 0; g < module.layer.groups; ++g) {
      CAIRN_ASSIGN_OR_RETURN(Aggregator::Factors factors, Group(module, held, g));
      a.push_back(std::move(factors.a));
      b.push_back(std::move(factors.b));
    }
    combined.a = Below(std::move(a));
    combined.b = Below(std::move(b));
    combined.rank = combined.a->rows();
    return combined;
  }

  CombinedTensor Tensor(std::size_t t) {
    const DenseTensor& tensor = state_->shape.common.tensors[t];
    const Held& held = state_->tensors.at(tensor.view.name);
    CombinedTensor combined{.spec = state_->shape.spec.tensors[t]};
    if (IsFloat(tensor.view.dtype)) {
      combined.values = Next(tensor.absolute ? held.examples : state_->examples);
    } else {
      combined.same = tensor.view;
      combined.same.data = held.frozen.at("").bytes;
    }
    return combined;
  }

 private:
  FactorPtr Next(absl::uint128 examples) {
    return std::make_shared<PlaneFactor>(state_, planes_, *next_++, static_cast<double>(examples));
  }

  // Group g of what all have.
  static FactorPtr Frozen(const Held& held, const char* part, std::int64_t rows, std::int64_t columns, std::int64_t g) {
    const internal::FrozenPart& frozen = held.frozen.at(part);
    const std::size_t bytes = static_cast<std::size_t>(rows * columns) * SizeOf(frozen.dtype);
    return RowsOf({{1,
                    {.name = part,
                     .dtype = frozen.dtype,
                     .shape = {rows, columns},
                     .data = absl::string_view(frozen.bytes).substr(g * bytes, bytes)}}});
  }

  absl::StatusOr<Aggregator::Factors> Group(const LoraModule& module, const Held& held, std::int64_t g) {
    const Aggregator::Summed summed = *state_->rule->summed();
    const std::int64_t groups = module.layer.groups, rank = module.rank / groups;
    Aggregator::Factors factors;
    factors.a = summed.a ? Next(held.examples) : Frozen(held, "A", rank, module.d_in, g);
    factors.b = summed.b ? Next(state_->examples) : Frozen(held, "B", module.d_out / groups, rank, g);
    FactorPtr core = summed.core ? Next(state_->examples) : nullptr;
    return state_->rule->Finish(std::move(factors), std::move(core));
  }

  std::shared_ptr<const PartialState> state_;
  const Planes& planes_;
  std::vector<Accumulator>::const_iterator next_;
};

}  // namespace

PartialView::PartialView(std::shared_ptr<const PartialState> state, Planes planes)
    : state_(std::move(state)), planes_(std::move(planes)) {}

absl::StatusOr<PartialView> PartialView::Parse(absl::string_view index, Planes planes) {
  CAIRN_ASSIGN_OR_RETURN(internal::ParsedIndex parsed, internal::ParseIndex(index));
  const auto elements = static_cast<std::size_t>(parsed.state->shape.layout.elements);
  if (planes.size() != static_cast<std::size_t>(parsed.planes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a partial sum with ", parsed.planes, " planes, got ", planes.size()));
  }
  for (const absl::Span<const std::int64_t> plane : planes) {
    if (plane.size() == elements) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("a plane of a partial sum: expected ", elements, " elements, got ", plane.size()));
  }
  return PartialView(std::move(parsed.state), std::move(planes));
}

std::string PartialView::Index() const { return internal::SerializeIndex(*state_, static_cast<int>(planes_.size())); }
const std::string& PartialView::combine() const { return state_->combine; }
const std::vector<Contributor>& PartialView::contributors() const { return state_->contributors; }
absl::uint128 PartialView::examples() const { return state_->examples; }
const AdapterSpec& PartialView::spec() const { return state_->shape.spec; }
const std::vector<std::int64_t>& PartialView::ranks() const { return state_->shape.ranks; }

absl::Status PartialView::Report(const ResultSink& sink) const {
  if (state_->contributors.empty()) {
    return absl::FailedPreconditionError("no client contributed: there is nothing to combine");
  }
  Reporter reporter(state_, planes_);
  for (std::size_t m = 0; m < spec().modules.size(); ++m) {
    CAIRN_ASSIGN_OR_RETURN(const CombinedModule module, reporter.Module(m));
    CAIRN_RETURN_IF_ERROR(Blame(sink.module(module), {}, module.spec.name));
  }
  for (std::size_t t = 0; t < spec().tensors.size(); ++t) {
    const CombinedTensor tensor = reporter.Tensor(t);
    CAIRN_RETURN_IF_ERROR(Blame(sink.tensor(tensor), {}, tensor.spec.name));
  }
  return absl::OkStatus();
}

}  // namespace cairn
