#include "aggregators/assembled.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Hands out every tensor once.
class Parts {
 public:
  static absl::StatusOr<Parts> Of(absl::Span<const TensorFiles> files) {
    Parts parts;
    for (const TensorFiles& file : files) {
      for (const TensorView& view : file.tensors()) {
        if (!parts.views_.emplace(view.name, &view).second) return Wrong(view.name, "is in two parts");
      }
    }
    return parts;
  }

  const TensorView* Take(const std::string& name) {
    const auto found = views_.find(name);
    if (found == views_.end()) return nullptr;
    const TensorView* const view = found->second;
    views_.erase(found);
    return view;
  }
  absl::Status CheckAllTaken() const {
    return views_.empty() ? absl::OkStatus() : Wrong(views_.begin()->first, "is not of the result");
  }

  static absl::Status Wrong(const std::string& name, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("parts of a result: tensor \"", absl::CHexEscape(name), "\" ", what));
  }

 private:
  std::map<std::string, const TensorView*, std::less<>> views_;
};

absl::Status WrongShape(const TensorView& view, absl::string_view numbers, const std::vector<std::int64_t>& shape) {
  return Parts::Wrong(view.name, absl::StrCat("is [", absl::StrJoin(view.shape, ", "), "] of ", NameOf(view.dtype),
                                              ", expected ", numbers, " of shape [", absl::StrJoin(shape, ", "), "]"));
}

absl::StatusOr<FactorPtr> FactorOf(const TensorView& view, const std::vector<std::int64_t>& shape, std::int64_t rows,
                                   std::int64_t columns) {
  if (view.shape != shape || !IsFloat(view.dtype)) return WrongShape(view, "floating-point numbers", shape);
  TensorView matrix = view;
  matrix.shape = {rows, columns};
  return RowsOf({{1, std::move(matrix)}});
}

absl::Status Module(const ModuleSpec& spec, Parts& parts, const ResultSink& sink) {
  const std::string a_name = LoraAName(spec.name, spec.layer), b_name = LoraBName(spec.name, spec.layer);
  const TensorView *const a = parts.Take(a_name), *const b = parts.Take(b_name);
  if (a == nullptr && b == nullptr) return absl::OkStatus();
  if (a == nullptr || b == nullptr || a->shape.empty()) {
    return Parts::Wrong(a == nullptr ? b_name : a_name, "has no partner");
  }
  CombinedModule module{.spec = spec, .rank = a->shape[0]};
  CAIRN_ASSIGN_OR_RETURN(module.a,
                         FactorOf(*a, LoraAShape(spec.layer, spec.d_in, module.rank), module.rank, spec.d_in));
  CAIRN_ASSIGN_OR_RETURN(module.b, FactorOf(*b, LoraBShape(spec.layer, spec.d_out, module.rank), spec.d_out,
                                            module.rank / spec.layer.groups));
  return sink.module(module);
}

absl::Status Tensor(const TensorSpec& spec, Parts& parts, const ResultSink& sink) {
  const TensorView* const view = parts.Take(spec.name);
  if (view == nullptr) return absl::OkStatus();
  CombinedTensor tensor{.spec = spec};
  if (!IsFloat(view->dtype)) {
    if (view->shape != spec.shape) return WrongShape(*view, "numbers", spec.shape);
    tensor.same = *view;
    return sink.tensor(tensor);
  }
  CAIRN_ASSIGN_OR_RETURN(tensor.values, FactorOf(*view, spec.shape, view->elements(), 1));
  return sink.tensor(tensor);
}

}  // namespace

absl::Status Assemble(const AdapterSpec& spec, absl::Span<const TensorFiles> files, const ResultSink& sink) {
  CAIRN_ASSIGN_OR_RETURN(Parts parts, Parts::Of(files));
  for (const ModuleSpec& module : spec.modules) CAIRN_RETURN_IF_ERROR(Module(module, parts, sink));
  for (const TensorSpec& tensor : spec.tensors) CAIRN_RETURN_IF_ERROR(Tensor(tensor, parts, sink));
  return parts.CheckAllTaken();
}

}  // namespace cairn
