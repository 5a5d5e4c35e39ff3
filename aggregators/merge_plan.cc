#include "aggregators/merge_plan.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "aggregators/base_names.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using Shape = std::vector<std::int64_t>;

absl::Status About(absl::string_view what, absl::string_view name, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(what, " \"", absl::CHexEscape(name), "\": ", message));
}

std::string Text(const Shape& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

// How the weight of a module is stored, or an error.
absl::StatusOr<bool> IsTransposed(const ModuleSpec& module, const Shape& shape, bool fan_in_fan_out) {
  const Shape straight = {module.d_out, module.d_in}, turned = {module.d_in, module.d_out};
  if (module.layer.kind == Layer::Kind::kConv2d) {
    const std::int64_t channels = module.d_in / (module.layer.height * module.layer.width);
    const Shape expected = {module.d_out, channels, module.layer.height, module.layer.width};
    if (shape == expected) return false;
    return absl::InvalidArgumentError(absl::StrCat("expected a weight ", Text(expected), ", got ", Text(shape)));
  }
  if (module.layer.kind == Layer::Kind::kEmbedding) {
    if (shape == turned) return true;
    return absl::InvalidArgumentError(absl::StrCat("expected a weight ", Text(turned), ", got ", Text(shape)));
  }
  if (straight == turned && shape == straight) return fan_in_fan_out;
  if (shape == straight || shape == turned) return shape == turned;
  return absl::InvalidArgumentError(
      absl::StrCat("expected a weight ", Text(straight), " or ", Text(turned), ", got ", Text(shape)));
}

// PEFT also saves the frozen weight of an adapted embedding or head, beside its factors; and with bias "all" the biases
// of a module of modules_to_save three times, one of them as it was before training.
bool IsCopy(absl::string_view name, const AdapterSpec& spec) {
  if (absl::StrContains(name, ".original_module.")) return true;
  const std::string plain = absl::StrReplaceAll(name, {{".modules_to_save.", "."}});
  if (plain != name) {
    return std::any_of(spec.tensors.begin(), spec.tensors.end(),
                       [&plain](const TensorSpec& tensor) { return tensor.name == plain; });
  }
  absl::string_view module = name;
  absl::ConsumePrefix(&module, "base_model.model.");
  if (!absl::ConsumeSuffix(&module, ".base_layer.weight")) return false;
  return std::any_of(spec.modules.begin(), spec.modules.end(),
                     [module](const ModuleSpec& adapted) { return adapted.name == module; });
}

class Planner {
 public:
  Planner(const TensorFiles& base, bool fan_in_fan_out) : base_(base), names_(base), fan_in_fan_out_(fan_in_fan_out) {}

  absl::Status Add(const ModuleSpec& module) {
    if (module.layer.groups > 1) {
      return About("module", module.name,
                   absl::StrCat("is a ", NameOf(module.layer),
                                ": adapters of convolutions with groups cannot be merged, only loaded"));
    }
    const auto place = names_.Find(module.name + ".weight");
    if (!place.ok()) return About("module", module.name, place.status().message());
    const TensorView& weight = base_.tensors()[*place];
    if (!IsFloat(weight.dtype)) {
      return About("module", module.name,
                   absl::StrCat("its weight in the base model is ", NameOf(weight.dtype),
                                ", which cannot be added to; use the model as it was trained"));
    }
    const auto transposed = IsTransposed(module, weight.shape, fan_in_fan_out_);
    if (!transposed.ok()) return About("module", module.name, transposed.status().message());
    plan_.modules[module.name] = {*place, *transposed, true};
    return Claim(*place, module.name);
  }

  absl::Status Add(const TensorSpec& tensor, const AdapterSpec& spec) {
    if (IsCopy(tensor.name, spec)) return absl::OkStatus();
    const BaseEffect effect = EffectOf(tensor.name);
    const auto place = names_.Find(effect.tensor);
    if (!place.ok()) return About("tensor", tensor.name, place.status().message());
    const TensorView& own = base_.tensors()[*place];
    if (own.shape != tensor.shape) {
      return About("tensor", tensor.name,
                   absl::StrCat("expected shape ", Text(own.shape), " as in the base model, got ", Text(tensor.shape)));
    }
    plan_.tensors[tensor.name] = {*place, false, effect.adds};
    return Claim(*place, tensor.name);
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
  const BaseNames names_;
  const bool fan_in_fan_out_;
  MergePlan plan_;
};

}  // namespace

absl::StatusOr<MergePlan> PlanMerge(const TensorFiles& base, const AdapterSpec& spec, bool fan_in_fan_out) {
  Planner planner(base, fan_in_fan_out);
  for (const ModuleSpec& module : spec.modules) CAIRN_RETURN_IF_ERROR(planner.Add(module));
  for (const TensorSpec& tensor : spec.tensors) CAIRN_RETURN_IF_ERROR(planner.Add(tensor, spec));
  return std::move(planner).Take();
}

}  // namespace cairn
