// What the updates of a federation may have.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/root/federation.h"

namespace cairn {
namespace {

struct ByName {
  template <typename Spec>
  bool operator()(const Spec& a, const Spec& b) const {
    return a.name < b.name;
  }
};

}  // namespace

absl::Status Federation::AdoptSpec(AdapterSpec spec) {
  CAIRN_RETURN_IF_ERROR(CheckSpec(spec));
  CAIRN_RETURN_IF_ERROR(CheckBaseModel(spec.base_model));
  if (!options_.base_model.empty()) spec.base_model = options_.base_model;
  if (spec.base_model.empty() && spec_ != nullptr) spec.base_model = spec_->base_model;
  CAIRN_RETURN_IF_ERROR(host_.database->SaveSpec(name(), spec));
  spec_ = std::make_shared<const AdapterSpec>(spec);
  return absl::OkStatus();
}

// The first client's, or that of a client that has more, as long as nobody's update was taken.
absl::StatusOr<bool> Federation::Adopts(const AdapterSpec& spec) const {
  if (spec_ == nullptr) return true;
  if (options_.spec || Covers(*spec_, spec) || !Covers(spec, *spec_)) return false;
  CAIRN_ASSIGN_OR_RETURN(const bool begun, host_.database->HasReceipts(name()));
  return !begun;
}

bool Federation::Covers(const AdapterSpec& spec, const AdapterSpec& other) {
  const absl::StatusOr<AdapterSpec> both =
      UnionOf({"", spec.modules, spec.tensors}, {"", other.modules, other.tensors});
  return both.ok() && both->modules == spec.modules && both->tensors == spec.tensors;
}

absl::Status Federation::CheckWithinSpec(const std::string& client, const AdapterSpec& spec) const {
  const auto refuse = [&](absl::string_view what) {
    return absl::FailedPreconditionError(
        absl::StrCat("\"", client, "\" adapts what federation \"", name(), "\" does not: ", what));
  };
  // What the federation has first, so that the error says that it expects it.
  const absl::StatusOr<AdapterSpec> both =
      UnionOf({"", spec_->modules, spec_->tensors}, {"", spec.modules, spec.tensors});
  if (!both.ok()) return refuse(both.status().message());
  for (const ModuleSpec& module : both->modules) {
    if (!std::binary_search(spec_->modules.begin(), spec_->modules.end(), module, ByName())) {
      return refuse(absl::StrCat("module \"", module.name, "\""));
    }
  }
  for (const TensorSpec& tensor : both->tensors) {
    if (!std::binary_search(spec_->tensors.begin(), spec_->tensors.end(), tensor, ByName())) {
      return refuse(absl::StrCat("tensor \"", tensor.name, "\""));
    }
  }
  return absl::OkStatus();
}

absl::Status Federation::CheckBaseModel(const std::string& base_model) const {
  const std::string& expected = spec_ != nullptr ? spec_->base_model : options_.base_model;
  if (expected.empty() || base_model.empty() || base_model == expected) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("base model: federation \"", name(), "\" expects \"", expected, "\", got \"", base_model, "\""));
}

}  // namespace cairn
