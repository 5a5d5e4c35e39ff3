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
#include "base/limits.h"
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

// All that name one must name the same, as the message's `differ` says; with `force` all get the first one's.
absl::Status Reconcile(std::vector<AggregateInput>& inputs, std::string PeftConfig::*field, absl::string_view differ,
                       bool force) {
  const AggregateInput* first = nullptr;
  for (AggregateInput& input : inputs) {
    std::string& own = input.stored.adapter.config.*field;
    if (own.empty()) continue;
    if (first == nullptr) first = &input;
    const std::string& expected = first->stored.adapter.config.*field;
    if (own == expected) continue;
    if (!force) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the inputs ", differ, ": ", first->path.native(), " has \"", absl::CHexEscape(expected), "\", ",
          input.path.native(), " has \"", absl::CHexEscape(own), "\"; --force combines them all the same"));
    }
    own = expected;
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

std::vector<std::string> AggregateInputs::clients() const {
  std::vector<std::string> clients;
  for (const AggregateInput& input : list) clients.push_back(input.client);
  return clients;
}

void AggregateInputs::DropPages() const {
  for (const AggregateInput& input : list) input.stored.files.DropPages();
}

absl::StatusOr<AggregateInputs> OpenInputs(const AggregateRequest& request) {
  AggregateInputs inputs;
  if (request.inputs.size() > limits::kCohortClientsMax) {
    return Refused(
        absl::StrCat("expected at most ", limits::kCohortClientsMax, " inputs, got ", request.inputs.size()));
  }
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    inputs.list.push_back({BaseName(request.inputs[i]), request.examples[i], request.inputs[i], {}});
  }
  CAIRN_RETURN_IF_ERROR(CheckNames(inputs.list));
  // So that nothing depends on the order on the command line: where one input must lead, it is the first of these.
  std::sort(inputs.list.begin(), inputs.list.end(), [](const auto& x, const auto& y) { return x.client < y.client; });
  for (AggregateInput& input : inputs.list) {
    const ReadAs as = request.plain_tensors() ? ReadAs::kTensors : ReadAs::kAdapter;
    CAIRN_ASSIGN_OR_RETURN(input.stored, OpenAdapterPath(input.path, as));
  }
  CAIRN_RETURN_IF_ERROR(CheckAllBareOrNone(inputs));
  CAIRN_RETURN_IF_ERROR(Reconcile(inputs.list, &PeftConfig::base_model, "adapt different base models", request.force));
  CAIRN_RETURN_IF_ERROR(Reconcile(inputs.list, &PeftConfig::task_type, "have different task types", request.force));
  std::error_code error;
  inputs.bare_files = !fs::is_directory(inputs.list.front().path, error);
  inputs.combine = request.combine;
  if (inputs.bare_files && !request.combine.empty() && !request.plain_tensors()) {
    return Refused(absl::StrCat(inputs.list.front().path.native(), ": --combine ", request.combine,
                                " is for LoRA adapters, and a bare file is plain tensors, which dense_mean averages; "
                                "name the folder that has adapter_config.json too"));
  }
  if (request.combine.empty()) {
    CAIRN_ASSIGN_OR_RETURN(inputs.combine, DefaultCombine(inputs.list));
  }
  return inputs;
}

}  // namespace cairn
