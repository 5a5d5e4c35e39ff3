#include "server/root/published_form.h"

#include "aggregators/registry.h"
#include "aggregators/rule.h"
#include "base/status_macros.h"
#include "server/root/update.h"

namespace cairn {

absl::StatusOr<PublishForm> PublishFormOf(const Method& method) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(method.combine));
  CAIRN_ASSIGN_OR_RETURN(const auto rule, MakeRule(method.rule));
  PublishForm form = method.publish.value_or(combine->default_publish());
  // What a rule makes of each entry has no factors to be stacked (Pipeline::Plan).
  const bool stackless = rule->coordinate_wise() && !TakesPlainTensors(*combine) && !method.publish;
  if (stackless && form.kind == PublishForm::Kind::kStack) form.kind = PublishForm::Kind::kWidest;
  return form;
}

}  // namespace cairn
