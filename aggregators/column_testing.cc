#include "aggregators/column_testing.h"

#include <memory>

#include "base/status_macros.h"

namespace cairn::testing {

using kernels::reference::Column;
using kernels::reference::CombinationOf;

std::vector<Column> Sent::columns(const Rule& rule) const {
  std::vector<Column> all = updates;
  const Rule::Needs needs = rule.needs();
  if (needs.history) {
    std::vector<Column> sums = history;
    sums.resize(updates.size(), Column(updates[0].size()));
    all.insert(all.end(), sums.begin(), sums.end());
  }
  if (!needs.client.empty()) all.push_back(named.value());
  if (needs.last && last) all.push_back(*last);
  return all;
}

absl::StatusOr<RuleOutput> Weigh(const std::string& rule, const Sent& sent) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Rule> made, MakeRule(rule));
  const std::size_t n = sent.updates.size();
  const kernels::SmallMatrix gram = kernels::reference::GramOf(sent.columns(*made));
  const std::vector<double> examples(n, 1);
  RuleInput input{.columns = n, .gram = &gram, .examples = examples};
  if (made->faulty()) input.faulty = made->faulty()->Among(n, 0);
  const bool last = made->needs().last && sent.last;
  if (last) input.last = gram.rows - 1;
  if (!made->needs().client.empty()) input.named = gram.rows - (last ? 2 : 1);
  CAIRN_RETURN_IF_ERROR(made->CheckClients(n, input.faulty));
  return made->Weigh(input);
}

Column ResultOf(const std::string& rule, const Sent& sent) {
  const auto made = MakeRule(rule);
  return CombinationOf(sent.columns(**made), Weigh(rule, sent)->weights);
}

}  // namespace cairn::testing
