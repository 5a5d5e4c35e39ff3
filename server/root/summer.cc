#include "server/root/summer.h"

#include "aggregators/registry.h"

namespace cairn {

namespace {

constexpr char kByExamples[] = "examples";
constexpr char kFinite[] = "finite";  // Uploads are looked at when they arrive: there is nothing for it to drop.

}  // namespace

bool SumsUp(const Method& method) {
  if (method.rule != kByExamples || method.relative_to_published) return false;
  for (const std::string& guard : method.guards) {
    if (guard != kFinite) return false;
  }
  const absl::StatusOr<bool> sum = IsSum(method.combine);
  if (!sum.ok() || !*sum) return false;
  const auto combine = MakeAggregator(method.combine);
  // A cut is measured against the updates themselves.
  const PublishForm form = method.publish.value_or((*combine)->default_publish());
  return form.kind == PublishForm::Kind::kStack;
}

}  // namespace cairn
