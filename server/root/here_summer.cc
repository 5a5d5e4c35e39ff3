#include "server/root/here_summer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/root/sum_file.h"
#include "server/root/update.h"

namespace cairn {
namespace {

constexpr std::size_t kUpdatesAtOnce = 4;  // The sums are then read and written once for all of them.

absl::Status Blamed(absl::Status status, const std::string& client) {
  return absl::IsInvalidArgument(status) ? BlameClient(std::move(status), client) : status;
}

absl::StatusOr<Adapter> Parse(const Contribution& contribution, const Aggregator& combine) {
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParseUpdateConfig(contribution.receipt.adapter_config, combine));
  return ParseAdapter(contribution.payload->bytes(), config);
}

// All of them, or, where one is refused, each by itself: then the error says whose it is.
absl::Status AddBlaming(absl::Span<const PartialSum::Update> updates, PartialSum& sum) {
  const absl::Status added = sum.Add(updates);
  if (added.ok() || !sum.usable().ok()) return added;
  for (const PartialSum::Update& update : updates) {
    CAIRN_RETURN_IF_ERROR(Blamed(sum.Add({update}), update.who.client));
  }
  return absl::OkStatus();
}

absl::Status Fold(absl::Span<const Contribution> contributions, const Aggregator& combine, PartialSum& sum) {
  std::vector<Adapter> adapters;
  adapters.reserve(contributions.size());  // Updates point there.
  std::vector<PartialSum::Update> updates;
  for (const Contribution& contribution : contributions) {
    const ReceiptRow& receipt = contribution.receipt;
    absl::StatusOr<Adapter> adapter = Parse(contribution, combine);
    if (!adapter.ok()) return Blamed(adapter.status(), receipt.client);
    adapters.push_back(*std::move(adapter));
    updates.push_back({{receipt.client, receipt.sha256, receipt.examples}, &adapters.back()});
  }
  const absl::Status added = AddBlaming(updates, sum);
  for (const Contribution& contribution : contributions) contribution.payload->DropPages();
  return added;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RoundTotal>> HereSummer::Sum(const PublishJob& job) {
  const LostPagesGuard lost_pages;
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(job.method.combine));
  CAIRN_ASSIGN_OR_RETURN(PartialSum sum,
                         PartialSum::Create(job.method.combine, FilePlanes(SumDirectory(job.data_dir))));
  const absl::Span<const Contribution> all = job.contributions;
  for (std::size_t first = 0; first < all.size(); first += kUpdatesAtOnce) {
    if (stopped_) return absl::CancelledError("the server is stopping");
    const absl::Status folded = Fold(all.subspan(first, kUpdatesAtOnce), *combine, sum);
    // The zeros in a lost page's place may have led to any other error.
    CAIRN_RETURN_IF_ERROR(lost_pages.Lost());
    CAIRN_RETURN_IF_ERROR(folded);
  }
  return std::make_unique<HeldTotal>(std::move(sum));
}

}  // namespace cairn
