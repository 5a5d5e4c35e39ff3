#include "aggregators/merge_plan.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "adapter/shape_text.h"
#include "aggregators/base_names.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using Shape = std::vector<std::int64_t>;

std::string Owner(absl::string_view what, absl::string_view name) {
  return absl::StrCat(what, " \"", absl::CHexEscape(name), "\"");
}

absl::Status About(absl::string_view what, absl::string_view name, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(Owner(what, name), ": ", message));
}

// How the weight of a module is stored, or an error.
absl::StatusOr<bool> IsTransposed(const ModuleSpec& module, const Shape& shape, bool fan_in_fan_out) {
  const Shape straight = {module.d_out, module.d_in}, turned = {module.d_in, module.d_out};
  if (module.layer.kind == Layer::Kind::kConv2d) {
    const std::int64_t channels = module.d_in / (module.layer.height * module.layer.width);
    const Shape expected = {module.d_out, channels, module.layer.height, module.layer.width};
    if (shape == expected) return false;
    return absl::InvalidArgumentError(
        absl::StrCat("expected a weight ", ShapeString(expected), ", got ", ShapeString(shape)));
  }
  if (module.layer.kind == Layer::Kind::kEmbedding) {
    if (shape == turned) return true;
    return absl::InvalidArgumentError(
        absl::StrCat("expected a weight ", ShapeString(turned), ", got ", ShapeString(shape)));
  }
  if (straight == turned && shape == straight) return fan_in_fan_out;
  if (shape == straight || shape == turned) return shape == turned;
  return absl::InvalidArgumentError(absl::StrCat("expected a weight ", ShapeString(straight), " or ",
                                                 ShapeString(turned), ", got ", ShapeString(shape)));
}

// PEFT also saves the frozen weight of an adapted embedding or head, beside its factors; and with bias "all" the biases
// of a module of modules_to_save three times, one of them as it was before training.
class Copies {
 public:
  explicit Copies(const AdapterSpec& spec) {
    for (const ModuleSpec& module : spec.modules) modules_.insert(module.name);
    for (const TensorSpec& tensor : spec.tensors) tensors_.insert(tensor.name);
  }

  bool Have(absl::string_view name) const {
    if (absl::StrContains(name, ".original_module.")) return true;
    const std::string plain = absl::StrReplaceAll(name, {{".modules_to_save.", "."}});
    if (plain != name) return tensors_.count(plain) > 0;
    absl::ConsumePrefix(&name, "base_model.model.");
    return absl::ConsumeSuffix(&name, ".base_layer.weight") && modules_.count(name) > 0;
  }

 private:
  std::set<absl::string_view> modules_, tensors_;
};

class Planner {
 public:
  Planner(const TensorFiles& base, bool fan_in_fan_out) : base_(base), fan_in_fan_out_(fan_in_fan_out) {}

  absl::Status Add(const ModuleSpec& module, std::size_t place) {
    if (module.layer.groups > 1) {
      return About("module", module.name,
                   absl::StrCat("is a ", NameOf(module.layer),
                                ": adapters of convolutions with groups cannot be merged, only loaded"));
    }
    const TensorView& weight = base_.tensors()[place];
    if (!IsFloat(weight.dtype)) {
      return About("module", module.name,
                   absl::StrCat("its weight in the base model is ", NameOf(weight.dtype),
                                ", which cannot be added to; use the model as it was trained"));
    }
    const auto transposed = IsTransposed(module, weight.shape, fan_in_fan_out_);
    if (!transposed.ok()) return About("module", module.name, transposed.status().message());
    plan_.modules[module.name] = {place, *transposed, true};
    return Claim(place, module.name);
  }

  absl::Status Add(const TensorSpec& tensor, bool adds, std::size_t place) {
    const TensorView& own = base_.tensors()[place];
    if (own.shape != tensor.shape) {
      return About("tensor", tensor.name,
                   absl::StrCat("expected shape ", ShapeString(own.shape), " as in the base model, got ",
                                ShapeString(tensor.shape)));
    }
    plan_.tensors[tensor.name] = {place, false, adds};
    return Claim(place, tensor.name);
  }

  MergePlan Take() && { return std::move(plan_); }

 private:
  absl::Status Claim(std::size_t place, const std::string& name) {
    const auto [entry, added] = plan_.changed.emplace(place, name);
    if (added) return absl::OkStatus();
    return About("tensor", base_.tensors()[place].name,
                 absl::StrCat("would be changed by both \"", absl::CHexEscape(entry->second), "\" and \"",
                              absl::CHexEscape(name), "\""));
  }

  const TensorFiles& base_;
  const bool fan_in_fan_out_;
  MergePlan plan_;
};

}  // namespace

absl::StatusOr<MergePlan> PlanMerge(const TensorFiles& base, const AdapterSpec& spec, bool fan_in_fan_out) {
  const Copies copies(spec);
  std::vector<WantedTensor> wanted;
  for (const ModuleSpec& module : spec.modules)
    wanted.push_back({module.name + ".weight", Owner("module", module.name)});
  for (const TensorSpec& tensor : spec.tensors) {
    if (!copies.Have(tensor.name)) wanted.push_back({EffectOf(tensor.name).tensor, Owner("tensor", tensor.name)});
  }
  CAIRN_ASSIGN_OR_RETURN(const std::vector<std::size_t> places, FindInBase(base, wanted));
  Planner planner(base, fan_in_fan_out);
  auto place = places.begin();
  for (const ModuleSpec& module : spec.modules) CAIRN_RETURN_IF_ERROR(planner.Add(module, *place++));
  for (const TensorSpec& tensor : spec.tensors) {
    if (copies.Have(tensor.name)) continue;
    CAIRN_RETURN_IF_ERROR(planner.Add(tensor, EffectOf(tensor.name).adds, *place++));
  }
  return std::move(planner).Take();
}

}  // namespace cairn
