#include "cli/aggregate_inputs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

absl::Status Refused(absl::string_view message) { return absl::InvalidArgumentError(message); }

// "c1/" and "./c1" are c1; "." has the name of the current directory.
std::string BaseName(const fs::path& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  return whole.filename().native();
}

absl::Status CheckNames(const std::vector<AggregateInput>& inputs) {
  std::map<std::string, const AggregateInput*> seen;
  for (const AggregateInput& input : inputs) {
    const absl::Status valid = CheckId("client id", input.client);
    if (!valid.ok()) {
      return Refused(absl::StrCat(input.path.native(), ": the base name is the client id: ", valid.message(),
                                  "; rename it, or name a symbolic link"));
    }
    const auto [other, added] = seen.emplace(input.client, &input);
    if (added) continue;
    return Refused(absl::StrCat(other->second->path.native(), " and ", input.path.native(), " both give the client id ",
                                input.client, "; rename one, or name a symbolic link"));
  }
  return absl::OkStatus();
}

std::string KindName(const AggregateInput& input) {
  const std::string& type = input.stored.adapter.config.peft_type;
  return input.stored.adapter.config.kind != AdapterKind::kAveraged || !type.empty() ? type : "plain tensors";
}

// A file of LoRA factors does not say by what they are scaled.
absl::Status CheckNoFactors(const AggregateInput& input) {
  for (const DenseTensor& tensor : input.stored.adapter.tensors) {
    for (const absl::string_view part : {".lora_A.", ".lora_B.", ".lora_embedding_A", ".lora_embedding_B"}) {
      if (!absl::StrContains(tensor.view.name, part)) continue;
      return Refused(absl::StrCat(input.path.native(), ": \"", absl::CHexEscape(tensor.view.name),
                                  "\" is a LoRA factor, and only adapter_config.json says its scale: name the folder "
                                  "that has both (or ask for --combine dense_mean to average the factors as they "
                                  "are)"));
    }
  }
  return absl::OkStatus();
}

// The combine rule for what the inputs are, unless it was asked for.
absl::StatusOr<std::string> DefaultCombine(const std::vector<AggregateInput>& inputs) {
  const AggregateInput& first = inputs.front();
  for (const AggregateInput& input : inputs) {
    const PeftConfig& config = input.stored.adapter.config;
    if (config.kind == AdapterKind::kBilinear) {
      return Refused(absl::StrCat(input.path.native(), ": ", config.peft_type, " adapters do not add up (",
                                  config.kind_reason,
                                  "): the average of their tensors is not the average of what they do. To average "
                                  "the tensors all the same, ask for --combine dense_mean"));
    }
    if (config.kind != first.stored.adapter.config.kind) {
      return Refused(absl::StrCat(first.path.native(), " is ", KindName(first), ", ", input.path.native(), " is ",
                                  KindName(input), ": they cannot be combined with each other"));
    }
    if (config.kind == AdapterKind::kAveraged) CAIRN_RETURN_IF_ERROR(CheckNoFactors(input));
  }
  return first.stored.adapter.config.kind == AdapterKind::kLora ? "stack" : "dense_mean";
}

// With `force` all get the first one's base model.
absl::Status ReconcileBaseModels(std::vector<AggregateInput>& inputs, bool force) {
  const AggregateInput* first = nullptr;
  for (AggregateInput& input : inputs) {
    std::string& base = input.stored.adapter.config.base_model;
    if (base.empty()) continue;
    if (first == nullptr) first = &input;
    const std::string& expected = first->stored.adapter.config.base_model;
    if (base == expected) continue;
    if (!force) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the inputs adapt different base models: ", first->path.native(), " has \"", absl::CHexEscape(expected),
          "\", ", input.path.native(), " has \"", absl::CHexEscape(base), "\"; --force combines them all the same"));
    }
    base = expected;
  }
  return absl::OkStatus();
}

absl::Status CheckAllBareOrNone(const AggregateInputs& inputs) {
  std::error_code error;
  const bool folder = fs::is_directory(inputs.list.front().path, error);
  for (const AggregateInput& input : inputs.list) {
    if (fs::is_directory(input.path, error) == folder) continue;
    return Refused(absl::StrCat(inputs.list.front().path.native(), " and ", input.path.native(),
                                ": expected adapter folders only, or bare files only"));
  }
  return absl::OkStatus();
}

}  // namespace

DType AggregateInputs::widest() const {
  std::optional<DType> widest;
  const auto add = [&widest](const TensorView& view) {
    if (IsFloat(view.dtype)) widest = widest ? Widest(*widest, view.dtype) : view.dtype;
  };
  for (const AggregateInput& input : list) {
    for (const LoraModule& module : input.stored.adapter.modules) {
      add(module.a);
      add(module.b);
    }
    for (const DenseTensor& tensor : input.stored.adapter.tensors) add(tensor.view);
  }
  return widest.value_or(DType::kF32);
}

std::vector<const PeftConfig*> AggregateInputs::configs() const {
  std::vector<const PeftConfig*> configs;
  for (const AggregateInput& input : list) configs.push_back(&input.stored.adapter.config);
  return configs;
}

void AggregateInputs::DropPages() const {
  for (const AggregateInput& input : list) input.stored.files.DropPages();
}

absl::StatusOr<AggregateInputs> OpenInputs(const AggregateRequest& request) {
  AggregateInputs inputs;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    inputs.list.push_back({BaseName(request.inputs[i]), request.examples[i], request.inputs[i], {}});
  }
  CAIRN_RETURN_IF_ERROR(CheckNames(inputs.list));
  for (AggregateInput& input : inputs.list) {
    const ReadAs as = request.plain_tensors() ? ReadAs::kTensors : ReadAs::kAdapter;
    CAIRN_ASSIGN_OR_RETURN(input.stored, OpenAdapterPath(input.path, as));
  }
  CAIRN_RETURN_IF_ERROR(CheckAllBareOrNone(inputs));
  CAIRN_RETURN_IF_ERROR(ReconcileBaseModels(inputs.list, request.force));
  std::error_code error;
  inputs.bare_files = !fs::is_directory(inputs.list.front().path, error);
  inputs.combine = request.combine;
  if (request.combine.empty()) {
    CAIRN_ASSIGN_OR_RETURN(inputs.combine, DefaultCombine(inputs.list));
  }
  return inputs;
}

}  // namespace cairn
