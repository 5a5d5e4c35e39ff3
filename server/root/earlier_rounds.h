// What earlier rounds left, read from what they published, for rules that look at it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "adapter/lora.h"
#include "aggregators/aggregator.h"
#include "aggregators/pipeline.h"
#include "server/root/histories.h"
#include "server/root/publish.h"
#include "server/root/update.h"

namespace cairn {

// For one publication. `job` and `combine`, whose combine rule it is, must outlive it.
class EarlierRounds {
 public:
  // Reads what the rule needs and the federation's method asks for, and nothing else. Errors name the file.
  static absl::StatusOr<EarlierRounds> Open(const PublishJob& job, const Rule::Needs& needs, const Aggregator& combine);

  // Views into this, which must not move any more.
  // - last: the change that the version before published, or the whole of rules that have none.
  // - reference: with Method::relative_to_published what the clients started from, as far as it is in their updates:
  //   the version before, whole; in rounds that merge its tensors with absolute values alone.
  // - histories: of the job's clients.
  RoundMemory Memory() const;

  // Adds this round's updates to the clients' histories, durably, if the rule needs them; removes them if it does not.
  absl::Status Extend(const std::map<std::string, Adapter>& updates);

  void DropPages() const;

 private:
  EarlierRounds(const PublishJob& job, const Aggregator& combine) : job_(&job), combine_(&combine) {}

  absl::Status OpenReference();
  absl::Status OpenHistories();
  absl::StatusOr<MappedAdapter> Map(const AdapterFile& file) const;
  const Adapter* reference() const { return reference_ ? &reference_->adapter : nullptr; }

  const PublishJob* job_;
  const Aggregator* combine_;
  std::optional<MappedAdapter> last_, reference_;
  std::optional<Histories> histories_;
  std::map<std::string, const Adapter*> sums_;  // By client, as loaded.
};

}  // namespace cairn
