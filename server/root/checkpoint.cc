#include "server/root/checkpoint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/dtype.h"
#include "aggregators/module_sum.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

const std::string& NameOf(const LoraModule& module) { return module.name; }
const std::string& NameOf(const DenseTensor& tensor) { return tensor.view.name; }

// Visits two lists that ascend by name together: both(x, y) where both have the name.
template <typename T, typename OnlyX, typename OnlyY, typename Both>
absl::Status MergeByName(const std::vector<T>& x, const std::vector<T>& y, OnlyX only_x, OnlyY only_y, Both both) {
  std::size_t i = 0, j = 0;
  while (i < x.size() || j < y.size()) {
    if (j == y.size() || (i < x.size() && NameOf(x[i]) < NameOf(y[j]))) {
      CAIRN_RETURN_IF_ERROR(only_x(x[i++]));
    } else if (i == x.size() || NameOf(y[j]) < NameOf(x[i])) {
      CAIRN_RETURN_IF_ERROR(only_y(y[j++]));
    } else {
      CAIRN_RETURN_IF_ERROR(both(x[i++], y[j++]));
    }
  }
  return absl::OkStatus();
}

// A module that nothing is there before or nothing is added to.
CombinedModule Nothing(const CombinedModule& like) { return {.spec = like.spec}; }

// `split` units of `change` stand for themselves; all others, of both, are added.
absl::StatusOr<CombinedModule> SumBehind(const CombinedModule& before, const CombinedModule& change,
                                         std::int64_t split) {
  const std::int64_t first = std::min(split, change.rank), replaced = std::min(split, before.rank);
  CAIRN_ASSIGN_OR_RETURN(const CombinedModule rest, BoundedSum(UnitsOf(before, replaced, before.rank - replaced),
                                                               UnitsOf(change, first, change.rank - first)));
  return Concatenated(UnitsOf(change, 0, first), rest);
}

class Builder {
 public:
  Builder(RoundStart start, const std::map<std::string, std::int64_t>& trained) : start_(start), trained_(trained) {}

  absl::Status Modules(const Adapter& before, const Adapter& change) {
    // What nobody trained stays as it is: a sum would mix its first units with those behind them.
    const auto stays = [&](const LoraModule& module) {
      checkpoint_.modules.push_back(ModuleOf(module));
      return absl::OkStatus();
    };
    // A new module is bounded, too: a first round may have many clients.
    const auto begins = [&](const LoraModule& module) {
      const CombinedModule only = ModuleOf(module);
      return Add(Nothing(only), only);
    };
    return MergeByName(before.modules, change.modules, stays, begins,
                       [&](const LoraModule& x, const LoraModule& y) { return Add(ModuleOf(x), ModuleOf(y)); });
  }

  absl::Status Tensors(const Adapter& before, const Adapter& change) {
    const auto one = [&](const DenseTensor& tensor) {
      checkpoint_.tensors.push_back(SumOfTensors({tensor}));
      return absl::OkStatus();
    };
    return MergeByName(before.tensors, change.tensors, one, one, [&](const DenseTensor& x, const DenseTensor& y) {
      const bool replace = y.absolute || start_ != RoundStart::kMerge;
      checkpoint_.tensors.push_back(replace ? SumOfTensors({y}) : SumOfTensors({x, y}));
      return absl::OkStatus();
    });
  }

  Checkpoint Finish() { return std::move(checkpoint_); }

 private:
  absl::Status Add(const CombinedModule& before, const CombinedModule& change) {
    if (start_ == RoundStart::kWarm) {
      checkpoint_.modules.push_back(change);
      return absl::OkStatus();
    }
    const auto trained = trained_.find(change.spec.name);
    const bool split = start_ == RoundStart::kResidual && trained != trained_.end();
    CAIRN_ASSIGN_OR_RETURN(checkpoint_.modules.emplace_back(), SumBehind(before, change, split ? trained->second : 0));
    return absl::OkStatus();
  }

  const RoundStart start_;
  const std::map<std::string, std::int64_t>& trained_;
  Checkpoint checkpoint_;
};

}  // namespace

AdapterSpec Checkpoint::spec() const {
  AdapterSpec spec;
  for (const CombinedModule& module : modules) spec.modules.push_back(module.spec);
  for (const CombinedTensor& tensor : tensors) spec.tensors.push_back(tensor.spec);
  return spec;
}

std::vector<std::int64_t> Checkpoint::ranks() const {
  std::vector<std::int64_t> ranks;
  for (const CombinedModule& module : modules) ranks.push_back(module.rank);
  return ranks;
}

absl::StatusOr<Checkpoint> NextCheckpoint(const Adapter* before, const Adapter& change, RoundStart start,
                                          const std::map<std::string, std::int64_t>& trained) {
  const Adapter none;
  if (before == nullptr) before = &none;
  CAIRN_RETURN_IF_ERROR(UnionOf({"", SpecOf(*before).modules, {}}, {"", SpecOf(change).modules, {}}).status());
  Builder builder(start, trained);
  CAIRN_RETURN_IF_ERROR(builder.Modules(*before, change));
  CAIRN_RETURN_IF_ERROR(builder.Tensors(*before, change));
  return builder.Finish();
}

CombinedTensor SumOfTensors(absl::Span<const DenseTensor> tensors) {
  const TensorView& first = tensors.front().view;
  CombinedTensor out{.spec = {first.name, first.shape}};
  if (!IsFloat(first.dtype)) {
    out.same = first;
    return out;
  }
  std::vector<ScaledView> views;
  for (const DenseTensor& tensor : tensors) {
    views.push_back({tensor.scale, tensor.view});
    views.back().view.shape = {first.elements()};
  }
  out.values = SumOf(std::move(views), first.elements(), 1);
  return out;
}

absl::StatusOr<ResultWriter> WriteCheckpoint(const std::filesystem::path& file, Checkpoint checkpoint,
                                             std::function<void()> after_tensor) {
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, ResultWriter::Create(file, checkpoint.spec(), checkpoint.ranks(),
                                                                   {.after_tensor = std::move(after_tensor)}));
  for (CombinedModule& module : checkpoint.modules) {
    const absl::Status written = writer.Module(module);
    if (!written.ok()) {
      return absl::Status(written.code(), absl::StrCat("module \"", module.spec.name, "\": ", written.message()));
    }
    module = {};  // A factor may hold what it was computed from.
  }
  for (const CombinedTensor& tensor : checkpoint.tensors) CAIRN_RETURN_IF_ERROR(writer.Tensor(tensor));
  return writer;
}

}  // namespace cairn
