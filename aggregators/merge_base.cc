#include "aggregators/merge_base.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/base_output.h"
#include "aggregators/kernels/add_product.h"
#include "aggregators/merge_plan.h"
#include "aggregators/read_finite.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::int64_t kBlockElements = 1 << 18;  // 2 MiB of float64.

std::vector<double> Transposed(const std::vector<double>& values, std::int64_t rows, std::int64_t columns) {
  std::vector<double> turned(values.size());
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) turned[j * rows + i] = values[i * columns + j];
  }
  return turned;
}

// Changed tensors have a type that holds the change.
std::vector<DType> TypesOf(const TensorFiles& base, const MergePlan& plan, const MergeOptions& options) {
  std::vector<DType> types;
  for (std::size_t t = 0; t < base.tensors().size(); ++t) {
    const DType own = base.tensors()[t].dtype;
    const DType changed = plan.changed.count(t) > 0 && IsFloat(own) ? Widest(own, options.inputs) : own;
    types.push_back(IsFloat(own) ? options.dtype.value_or(changed) : own);
  }
  return types;
}

}  // namespace

struct BaseMerge::State {
  const TensorFiles& base;
  const MergeOptions options;
  MergePlan plan;
  BaseOutput output;
  std::vector<bool> done = std::vector<bool>(base.tensors().size());
  std::size_t done_bytes = 0;

  void Done(std::size_t tensor) {
    done[tensor] = true;
    done_bytes += base.tensors()[tensor].data.size();
    options.progress(static_cast<double>(done_bytes) / static_cast<double>(base.bytes()));
  }
  absl::Status AddModule(std::size_t tensor, const CombinedModule& module, bool transposed) const;
  absl::Status Replace(std::size_t tensor, const CombinedTensor& combined) const;
  absl::Status Add(std::size_t tensor, const CombinedTensor& combined) const;
};

absl::Status BaseMerge::State::AddModule(std::size_t tensor, const CombinedModule& module, bool transposed) const {
  const std::int64_t rows = transposed ? module.spec.d_in : module.spec.d_out;
  const std::int64_t columns = transposed ? module.spec.d_out : module.spec.d_in;
  CAIRN_ASSIGN_OR_RETURN(std::vector<double> a, ReadFinite<double>(*module.a));
  CAIRN_ASSIGN_OR_RETURN(const std::vector<double> b, ReadFinite<double>(*module.b));
  if (transposed) a = Transposed(a, module.rank, module.spec.d_in);
  // dW = B A, and dW^T = A^T B^T.
  const std::vector<double>& left = transposed ? a : b;
  const std::vector<double>& right = transposed ? b : a;
  const std::int64_t step = std::max<std::int64_t>(1, kBlockElements / columns);
  std::vector<double> block;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    block.resize(static_cast<std::size_t>(count * columns));
    output.Read(tensor, first * columns, absl::MakeSpan(block));
    const auto part = absl::MakeConstSpan(left).subspan(first * module.rank, count * module.rank);
    CAIRN_RETURN_IF_ERROR(kernels::AddProduct(part, right, transposed, module.rank, columns, absl::MakeSpan(block)));
    CAIRN_RETURN_IF_ERROR(output.Write(tensor, first * columns, block));
  }
  return absl::OkStatus();
}

absl::Status BaseMerge::State::Replace(std::size_t tensor, const CombinedTensor& combined) const {
  const DType given = combined.values == nullptr ? combined.same.dtype : DType::kF64;
  const DType own = output.type(tensor);
  if (IsFloat(own) != IsFloat(given) || (!IsFloat(own) && own != given)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", absl::CHexEscape(combined.spec.name), "\": expected ",
                                                   NameOf(own), " as in the base model, got ",
                                                   IsFloat(given) ? "floating-point numbers" : NameOf(given)));
  }
  if (combined.values == nullptr) return output.Write(tensor, combined.same.data);
  std::int64_t first = 0;
  return ForEachBlockDouble(*combined.values, [&](absl::Span<const double> block) {
    return output.Write(tensor, std::exchange(first, first + static_cast<std::int64_t>(block.size())), block);
  });
}

absl::Status BaseMerge::State::Add(std::size_t tensor, const CombinedTensor& combined) const {
  if (combined.values == nullptr || !IsFloat(base.tensors()[tensor].dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor \"", absl::CHexEscape(combined.spec.name), "\": integers cannot be added to a weight"));
  }
  std::int64_t first = 0;
  std::vector<double> sum;
  return ForEachBlockDouble(*combined.values, [&](absl::Span<const double> block) {
    sum.resize(block.size());
    output.Read(tensor, first, absl::MakeSpan(sum));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += block[i];
    return output.Write(tensor, std::exchange(first, first + static_cast<std::int64_t>(block.size())), sum);
  });
}

BaseMerge::BaseMerge(std::unique_ptr<State> state) : state_(std::move(state)) {}
BaseMerge::BaseMerge(BaseMerge&&) noexcept = default;
BaseMerge& BaseMerge::operator=(BaseMerge&&) noexcept = default;
BaseMerge::~BaseMerge() = default;

absl::StatusOr<BaseMerge> BaseMerge::Create(const TensorFiles& base, const AdapterSpec& spec,
                                            const std::filesystem::path& directory, const MergeOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(MergePlan plan, PlanMerge(base, spec, options.fan_in_fan_out));
  CAIRN_ASSIGN_OR_RETURN(BaseOutput output, BaseOutput::Create(base, directory, TypesOf(base, plan, options)));
  return BaseMerge(std::unique_ptr<State>(new State{base, options, std::move(plan), std::move(output)}));
}

absl::Status BaseMerge::Module(const CombinedModule& module) {
  const MergeTarget& target = state_->plan.modules.at(module.spec.name);
  if (module.rank == 0) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(state_->AddModule(target.tensor, module, target.transposed));
  state_->Done(target.tensor);
  return absl::OkStatus();
}

absl::Status BaseMerge::Tensor(const CombinedTensor& combined) {
  const auto found = state_->plan.tensors.find(combined.spec.name);
  if (found == state_->plan.tensors.end()) return absl::OkStatus();
  const MergeTarget& target = found->second;
  CAIRN_RETURN_IF_ERROR(target.adds ? state_->Add(target.tensor, combined) : state_->Replace(target.tensor, combined));
  state_->Done(target.tensor);
  return absl::OkStatus();
}

ResultSink BaseMerge::sink() {
  return {[this](const CombinedModule& module) { return Module(module); },
          [this](const CombinedTensor& tensor) { return Tensor(tensor); }};
}

absl::StatusOr<std::uint64_t> BaseMerge::Finish() && {
  const std::unique_ptr<State> state = std::move(state_);
  for (std::size_t t = 0; t < state->done.size(); ++t) {
    if (state->done[t]) continue;
    CAIRN_RETURN_IF_ERROR(state->output.Copy(t, state->options.threads));
    state->Done(t);
  }
  return std::move(state->output).Finish();
}

}  // namespace cairn
